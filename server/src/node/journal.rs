//! The engine's records into the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::Journal;
use crate::replication::gate::Gate;
use crate::replication::log::Log;
use crate::resp::Failure;
use crate::session::Offset;

/// Writes records in the epoch that the node leads in.
pub struct LogJournal {
    pub log: Log,
    pub epoch: Arc<AtomicU64>,
    pub gate: Arc<Gate>,
}

impl Journal for LogJournal {
    fn append(&mut self, time_ms: u64, payload: &[u8]) -> Offset {
        self.log.append(self.epoch.load(Ordering::Acquire), time_ms, payload)
    }

    fn end(&self) -> Offset {
        self.log.end_offset()
    }

    fn committed(&self) -> Offset {
        self.gate.committed()
    }

    fn memory_bytes(&self) -> u64 {
        self.log.memory_bytes()
    }

    fn refusal(&self) -> Option<Failure> {
        if self.log.is_full() {
            return Some(Failure::new("MISCONF Errors writing to the AOF file: No space left on device"));
        }
        // The replies that wait for the synced replica take all the room there is for them.
        self.gate.is_crowded().then(|| Failure::new("NOREPLICAS Not enough good replicas to write."))
    }
}
