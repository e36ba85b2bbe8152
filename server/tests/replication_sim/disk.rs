//! A node's disk: records of sixteen bytes, and the memory of the node.

use botellier_server::replication::history::History;
use botellier_server::replication::member::Memory;
use botellier_server::replication::protocol::LogState;
use botellier_server::replication::{EpochStart, Offset, Position};
use bytes::{Buf, BufMut, Bytes, BytesMut};

pub const RECORD: u64 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub epoch: u64,
    /// Which write it is.
    pub id: u64,
    crc: u32,
}

/// Keeps every record, for the keyspace; `base` says from where the log can still be read.
#[derive(Clone, Debug, Default)]
pub struct Log {
    records: Vec<Record>,
    pub base: Offset,
    /// What a power failure leaves.
    pub synced: Offset,
}

impl Log {
    pub fn end(&self) -> Position {
        self.position(self.records.len() as u64 * RECORD)
    }

    fn position(&self, offset: Offset) -> Position {
        match (offset / RECORD).checked_sub(1) {
            None => Position::START,
            Some(last) => {
                let record = self.records[last as usize];
                Position { epoch: record.epoch, offset, crc: record.crc }
            }
        }
    }

    pub fn position_at(&self, offset: Offset) -> Option<Position> {
        (offset >= self.base && offset <= self.end().offset && offset.is_multiple_of(RECORD))
            .then(|| self.position(offset))
    }

    pub fn append(&mut self, epoch: u64, id: u64) {
        let last = self.end();
        assert!(epoch >= last.epoch, "a log's epochs never fall");
        let mut hash = crc32fast::Hasher::new_with_initial(last.crc);
        hash.update(&epoch.to_le_bytes());
        hash.update(&id.to_le_bytes());
        self.records.push(Record { epoch, id, crc: hash.finalize() });
    }

    pub fn truncate(&mut self, to: Position) -> bool {
        if self.position_at(to.offset) != Some(to) {
            return false;
        }
        self.cut(to.offset);
        true
    }

    /// Loses everything beyond, without asking.
    pub fn cut(&mut self, offset: Offset) {
        self.records.truncate((offset / RECORD) as usize);
        self.synced = self.synced.min(offset);
    }

    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.records.iter().map(|record| record.id)
    }

    /// What a reader sees who has applied up to here.
    pub fn value_at(&self, offset: Offset) -> u64 {
        (offset / RECORD).checked_sub(1).map_or(0, |last| self.records[last as usize].id)
    }

    /// Raw bytes, cut anywhere.
    pub fn raw(&self, from: Offset, to: Offset) -> Bytes {
        let mut bytes = BytesMut::new();
        let first = from / RECORD;
        for record in &self.records[first as usize..to.div_ceil(RECORD) as usize] {
            bytes.put_u64_le(record.epoch);
            bytes.put_u64_le(record.id);
        }
        bytes.advance((from - first * RECORD) as usize);
        bytes.truncate((to - from) as usize);
        bytes.freeze()
    }

    /// Takes the whole records off the front of `partial`. False if they don't fit.
    pub fn append_raw(&mut self, partial: &mut BytesMut) -> bool {
        while partial.len() as u64 >= RECORD {
            let (epoch, id) = (partial.get_u64_le(), partial.get_u64_le());
            if epoch < self.end().epoch {
                return false;
            }
            self.append(epoch, id);
        }
        true
    }

    pub fn history(&self) -> History {
        let mut epochs: Vec<EpochStart> = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            if epochs.last().is_none_or(|last| last.epoch != record.epoch) {
                epochs.push(EpochStart { epoch: record.epoch, start: index as u64 * RECORD });
            }
        }
        History { base: self.base, end: self.end(), epochs }
    }

    pub fn state(&self, always: bool) -> LogState {
        let end = self.end();
        LogState { end, held: if always { self.synced } else { end.offset }, durable: self.synced }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub incarnation: u64,
    pub log: Log,
    pub memory: Memory,
    /// What it was before, and may be again after a power failure.
    pub earlier: Vec<Memory>,
    /// A snapshot covers up to here.
    pub snapshot: Offset,
}

/// What was remembered since is surely on disk.
pub const EARLIER_MAX: usize = 3;

impl Disk {
    /// Unless `always`, it is on disk only later; but not whose the data is.
    pub fn remember(&mut self, memory: Memory, always: bool) {
        if always || memory.cluster != self.memory.cluster {
            self.earlier.clear();
        } else {
            self.earlier.push(self.memory.clone());
            self.earlier.drain(..self.earlier.len().saturating_sub(EARLIER_MAX));
        }
        self.memory = memory;
    }

    /// The power failed: the last so many changes are forgotten.
    pub fn forget(&mut self, changes: usize) {
        let mut earlier = std::mem::take(&mut self.earlier);
        if changes > 0 && changes <= earlier.len() {
            self.memory = earlier.swap_remove(earlier.len() - changes);
        }
    }
}
