//! The end of the log in memory: records that are appended and not yet written.

use super::record::{self, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, RecordError};
use super::{Core, LogError};
use crate::replication::position::{Epoch, EpochStart, Offset, Position};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::sync::atomic::Ordering;

/// The tail's memory is taken in blocks of this size, which chunks of the backlog then share.
const BLOCK_BYTES: usize = 256 << 10;

pub struct Tail {
    /// Whole records, from `taken` to `end`.
    pending: BytesMut,
    /// Where `pending` starts.
    taken: Position,
    end: Position,
    time_ms: u64,
    epochs: Vec<EpochStart>,
    /// Follower: the begun record after `end`.
    partial: BytesMut,
}

/// What a flush takes away.
pub struct Group {
    pub start: Position,
    pub end: Position,
    pub bytes: Bytes,
    /// Time of its last record.
    pub time_ms: u64,
}

/// Why bytes from a leader were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    #[error("bytes at offset {got} where the log goes on at {expected}")]
    Gap { expected: Offset, got: Offset },
    #[error("record at offset {offset}: {source}")]
    Record { offset: Offset, source: RecordError },
    #[error("no room left on disk")]
    Full,
}

impl Tail {
    pub fn new(end: Position, epochs: Vec<EpochStart>, time_ms: u64) -> Self {
        Self { pending: BytesMut::new(), taken: end, end, time_ms, epochs, partial: BytesMut::new() }
    }

    pub fn end(&self) -> Position {
        self.end
    }

    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    pub fn epochs(&self) -> &[EpochStart] {
        &self.epochs
    }

    pub fn next_raw(&self) -> Offset {
        self.end.offset + self.partial.len() as u64
    }

    pub fn forget_partial(&mut self) {
        self.partial = BytesMut::new();
    }

    /// Everything pending, leaving the tail empty; `None` if it is.
    pub fn take(&mut self) -> Option<Group> {
        if self.pending.is_empty() {
            return None;
        }
        let bytes = if self.pending.len() > BLOCK_BYTES {
            // What is left of a huge block would keep all of it in memory.
            std::mem::take(&mut self.pending).freeze()
        } else {
            self.pending.split().freeze()
        };
        let start = std::mem::replace(&mut self.taken, self.end);
        Some(Group { start, end: self.end, bytes, time_ms: self.time_ms })
    }

    /// Drops all that is pending and goes back to `to`. The time stays: a clock behind it is never right.
    pub fn rewind(&mut self, to: Position) {
        self.pending.clear();
        self.forget_partial();
        self.epochs.retain(|e| e.epoch <= to.epoch);
        self.taken = to;
        self.end = to;
    }

    pub fn set_epochs(&mut self, epochs: Vec<EpochStart>) {
        self.epochs = epochs;
    }

    /// Forgets epochs that ended before `start`. One that ended there stays: a log that ends there shares it.
    pub fn trim(&mut self, start: Offset) {
        let gone = self.epochs.windows(2).take_while(|pair| pair[1].start < start).count();
        self.epochs.drain(..gone);
    }

    fn reserve(&mut self, bytes: usize) {
        if self.pending.capacity() - self.pending.len() < bytes {
            self.pending.reserve(bytes.max(BLOCK_BYTES));
        }
    }

    fn advance(&mut self, end: Position, time_ms: u64) {
        if end.epoch != self.end.epoch {
            self.epochs.push(EpochStart { epoch: end.epoch, start: self.end.offset });
        }
        self.end = end;
        self.time_ms = time_ms;
    }

    fn append(
        &mut self,
        epoch: Epoch,
        time_ms: u64,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<(), LogError> {
        if epoch < self.end.epoch {
            return Err(LogError::Contract(format!("epoch {epoch} after {}", self.end.epoch)));
        }
        if !self.partial.is_empty() {
            self.forget_partial();
        }
        self.reserve(HEADER_BYTES + 128);
        let at = self.pending.len();
        self.pending.put_bytes(0, HEADER_BYTES);
        write(&mut self.pending);
        let payload = self.pending.len().checked_sub(at + HEADER_BYTES);
        if payload.is_none_or(|bytes| bytes > PAYLOAD_BYTES_MAX) {
            return Err(LogError::Contract(format!("a payload of {payload:?} bytes")));
        }
        let crc = record::seal(&mut self.pending[at..], epoch, time_ms, self.end.crc);
        let offset = self.end.offset + (self.pending.len() - at) as u64;
        self.advance(Position { epoch, offset, crc }, time_ms);
        Ok(())
    }

    fn append_raw(&mut self, bytes: &[u8]) -> Result<(), RawError> {
        if self.partial.is_empty() {
            let mut rest = bytes;
            self.take_records(&mut rest)?;
            self.partial.extend_from_slice(rest);
            return Ok(());
        }
        self.partial.extend_from_slice(bytes);
        let mut partial = std::mem::take(&mut self.partial);
        let mut rest = &partial[..];
        self.take_records(&mut rest)?;
        let used = partial.len() - rest.len();
        partial.advance(used);
        // The block of a huge record is not kept for the few bytes that follow it.
        self.partial = if partial.is_empty() { BytesMut::new() } else { partial };
        Ok(())
    }

    /// Moves whole records from `rest` to the tail.
    fn take_records(&mut self, rest: &mut &[u8]) -> Result<(), RawError> {
        let offset = |tail: &Self| tail.end.offset;
        let bad = |offset| move |source| RawError::Record { offset, source };
        while let Some(header) = Header::parse(rest).map_err(bad(offset(self)))? {
            if rest.len() < header.total {
                break;
            }
            let (record, after) = rest.split_at(header.total);
            let end = record::verify(record, header, self.end).map_err(bad(offset(self)))?;
            self.reserve(record.len());
            self.pending.extend_from_slice(record);
            let (_, time_ms) = record::stamp(record);
            self.advance(end, time_ms);
            *rest = after;
        }
        Ok(())
    }
}

impl Core {
    pub(super) fn append(&self, epoch: Epoch, time_ms: u64, write: impl FnOnce(&mut BytesMut)) -> Offset {
        let mut tail = self.tail.lock();
        let done = tail.append(epoch, time_ms, write);
        let end = tail.end.offset;
        self.appended.store(end, Ordering::Release);
        drop(tail);
        if let Err(error) = done {
            self.fail(error);
        }
        end
    }

    pub(super) fn append_raw(&self, start: Offset, bytes: &[u8]) -> Result<Position, RawError> {
        if self.state.load(Ordering::Acquire) != super::STATE_WELL {
            return Err(RawError::Full);
        }
        let mut tail = self.tail.lock();
        let expected = tail.next_raw();
        if start != expected {
            return Err(RawError::Gap { expected, got: start });
        }
        let done = tail.append_raw(bytes);
        if done.is_err() {
            tail.forget_partial();
        }
        self.appended.store(tail.end.offset, Ordering::Release);
        done.map(|()| tail.end)
    }
}
