//! A node's disk: a log of writes to one register, and what the node remembers.

use botellier_server::replication::history::History;
use botellier_server::replication::member::Memory;
use botellier_server::replication::protocol::LogState;
use botellier_server::replication::{EpochStart, Offset, Position};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a record.
pub const RECORD: u64 = 2;

/// A write: in which epoch, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub epoch: u8,
    pub id: u8,
}

#[derive(Clone, Debug, Default, Hash)]
pub struct Log {
    pub records: Vec<Record>,
    /// Before this a snapshot stands for the records: they can't be sent one by one, nor cut off.
    pub base: usize,
    /// How many a power failure leaves.
    pub synced: usize,
}

impl Log {
    pub fn end(&self) -> Position {
        self.position(self.records.len())
    }

    /// The checksum names everything before it.
    fn position(&self, count: usize) -> Position {
        let Some(last) = self.records[..count].last() else { return Position::START };
        let crc = crc32fast::hash(&self.raw(0, count));
        Position { epoch: u64::from(last.epoch), offset: count as u64 * RECORD, crc }
    }

    pub fn position_at(&self, offset: Offset) -> Option<Position> {
        let count = (offset / RECORD) as usize;
        (count >= self.base && count <= self.records.len() && offset.is_multiple_of(RECORD))
            .then(|| self.position(count))
    }

    pub fn truncate(&mut self, to: Position) -> bool {
        let fits = self.position_at(to.offset) == Some(to);
        if fits {
            self.cut((to.offset / RECORD) as usize);
        }
        fits
    }

    pub fn cut(&mut self, count: usize) {
        self.records.truncate(count);
        self.synced = self.synced.min(count);
    }

    pub fn upto(&self, offset: Offset) -> &[Record] {
        &self.records[..(offset / RECORD) as usize]
    }

    pub fn raw(&self, from: usize, to: usize) -> Bytes {
        let mut bytes = BytesMut::new();
        for record in &self.records[from..to] {
            bytes.put_slice(&[record.epoch, record.id]);
        }
        bytes.freeze()
    }

    /// False if it does not fit.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        bytes.chunks_exact(RECORD as usize).all(|chunk| {
            let record = Record { epoch: chunk[0], id: chunk[1] };
            let fits = self.records.last().is_none_or(|last| last.epoch <= record.epoch);
            if fits {
                self.records.push(record);
            }
            fits
        })
    }

    pub fn history(&self) -> History {
        let mut epochs: Vec<EpochStart> = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            let epoch = u64::from(record.epoch);
            if epochs.last().is_none_or(|last| last.epoch != epoch) {
                epochs.push(EpochStart { epoch, start: index as u64 * RECORD });
            }
        }
        History { base: self.base as u64 * RECORD, end: self.end(), epochs }
    }

    /// What a record says is held once the operating system has it, as with `everysec`.
    pub fn state(&self) -> LogState {
        let end = self.end();
        LogState { end, held: end.offset, durable: self.synced as u64 * RECORD }
    }
}

#[derive(Clone, Debug, Default, Hash)]
pub struct Disk {
    pub incarnation: u8,
    pub log: Log,
    pub memory: Memory,
    /// What is left of the memory when the power fails.
    pub kept: Memory,
}

impl Disk {
    pub fn new(incarnation: u8) -> Self {
        let memory = Memory { whole: true, ..Memory::default() };
        Self { incarnation, log: Log::default(), kept: memory.clone(), memory }
    }

    /// As `Action::Remember` says: a new cluster and a pair of one's own are on disk at once, anything else later.
    pub fn remember(&mut self, memory: Memory, id: &str) {
        let before = &self.memory.config;
        let own = memory.config.as_ref().is_some_and(|config| {
            config.leader.id == *id && before.as_ref().is_none_or(|before| !before.same_pair(config))
        });
        let new = self.memory.cluster != memory.cluster;
        self.memory = memory;
        if own || new {
            self.kept = self.memory.clone();
        }
    }

    pub fn sync(&mut self) {
        self.log.synced = self.log.records.len();
        self.kept = self.memory.clone();
    }

    /// What was not synced is gone, and the node knows that it can't know.
    pub fn power_failed(&mut self) {
        self.log.cut(self.log.synced);
        self.memory = self.kept.clone();
        self.memory.whole = false;
        self.kept.whole = false;
    }
}
