//! Where the engine's records go: the log, seen from above it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::keyspace::Effect;
use crate::resp::Failure;
use crate::session::Offset;

/// Puts all effects since the last record into the log as one, so that half of them is never there (trap 20).
pub(super) fn append(journal: &mut dyn Journal, now: u64, record: &[u8]) -> Offset {
    if crate::mutant::is_planted(20) {
        let appended = Effect::decode_all(record).flatten().map(|effect| {
            let mut bytes = Vec::new();
            effect.encode(&mut bytes);
            journal.append(now, &bytes)
        });
        return appended.max().unwrap_or(0);
    }
    journal.append(now, record)
}

/// Takes records in order. The engine calls it under its lock, so it must be quick: writing to the disk and sending
/// to replicas happen elsewhere.
pub trait Journal: Send {
    /// Put a record at the end of the log; returns the offset of its end.
    fn append(&mut self, time_ms: u64, payload: &[u8]) -> Offset;

    /// The end of the log.
    fn end(&self) -> Offset;

    /// Everything up to here is committed: replies that observed no more may leave.
    fn committed(&self) -> Offset;

    /// Bytes of memory that keep records for the followers: they do not count as used by the data.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// Why no write can be taken now (a full disk), if so.
    fn refusal(&self) -> Option<Failure>;
}

/// A journal that keeps nothing: for tests, and for a server without `appendonly`.
#[derive(Debug, Default)]
pub struct Forgetful {
    end: Offset,
}

impl Journal for Forgetful {
    fn append(&mut self, _time_ms: u64, payload: &[u8]) -> Offset {
        self.end += payload.len() as Offset;
        self.end
    }

    fn end(&self) -> Offset {
        self.end
    }

    fn committed(&self) -> Offset {
        self.end
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }
}

/// Records in order: their times and payloads.
pub type Records = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// A journal that keeps all records in memory, where others see them: for tests.
#[derive(Debug, Default)]
pub struct Keeping {
    pub records: Records,
    beside: Forgetful,
}

impl Journal for Keeping {
    fn append(&mut self, time_ms: u64, payload: &[u8]) -> Offset {
        self.records.lock().push((time_ms, payload.to_vec()));
        self.beside.append(time_ms, payload)
    }

    fn end(&self) -> Offset {
        self.beside.end()
    }

    fn committed(&self) -> Offset {
        self.beside.committed()
    }

    fn refusal(&self) -> Option<Failure> {
        self.beside.refusal()
    }
}
