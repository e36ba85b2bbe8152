//! Taking snapshots: of this node's own data, without a pause, never past what is committed.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::SharedEngine;
use super::applied::Applied;
use crate::replication::gate::{Gate, Pass};
use crate::replication::log::Log;
use crate::replication::position::Position;
use crate::replication::snapshot::{Header, Info, Kind, SnapshotError};
use crate::replication::storage::{Storage, StorageError};

/// Bytes of entries captured under one hold of the engine's lock: some hundred microseconds.
const STEP_BYTES: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the data of the snapshot was replaced or undone before it was committed")]
    Void,
    #[error("a snapshot is being taken already")]
    Busy,
}

/// What is kept beside the keys.
type Sides = Vec<(Kind, Vec<u8>)>;

/// What a snapshot is taken of and where it goes. Clones share it.
#[derive(Clone)]
pub struct Taker {
    pub engine: SharedEngine,
    pub storage: Arc<Mutex<Storage>>,
    pub log: Log,
    pub gate: Arc<Gate>,
    pub applied: Applied,
    /// Held while a snapshot is being taken.
    pub busy: Arc<Mutex<()>>,
    pub runtime: tokio::runtime::Handle,
}

impl Taker {
    /// Take one. Blocks for as long as that takes: not for async tasks.
    pub fn take(&self) -> Result<Info, TakeError> {
        let Some(_busy) = self.busy.try_lock() else { return Err(TakeError::Busy) };
        let started = Instant::now();
        let (header, term, sides) = self.begin().ok_or(TakeError::Void)?;
        let result = self.write(&header, term, &sides);
        if result.is_err() {
            self.engine.lock().keyspace.end_walk();
        }
        let info = result?;
        let retention = self.engine.lock().server.config.log_retention_bytes;
        self.storage.lock().retain(&info, retention)?;
        tracing::info!(offset = info.offset, bytes = info.bytes, took = ?started.elapsed(), "took a snapshot");
        Ok(info)
    }

    /// The moment: everything that the engine holds now, and where the log stands at it; `None` if these do not belong
    /// together.
    fn begin(&self) -> Option<(Header, u64, Sides)> {
        let mut engine = self.engine.lock();
        if engine.is_torn() {
            return None;
        }
        engine.keyspace.begin_walk();
        let position = self.position(engine.server.status.role.leads());
        let epochs = self.log.epochs().into_iter().filter(|epoch| epoch.start <= position.offset).collect();
        let time_ms = engine.keyspace.now;
        let users = engine.keyspace.users.entries().into_iter().map(|entry| (Kind::USERS, entry));
        let libraries = engine.keyspace.functions.entries().into_iter().map(|entry| (Kind::FUNCTIONS, entry));
        let sides = users.chain(libraries).collect();
        let seed = Some(engine.keyspace.forms.seed);
        Some((Header { cluster: None, position, time_ms, epochs, seed }, self.gate.term(), sides))
    }

    /// Ask under the engine's lock. A leader executed everything in its log; a follower what was applied.
    fn position(&self, leads: bool) -> Position {
        if leads { self.log.end() } else { self.applied.position() }
    }

    fn write(&self, header: &Header, term: u64, sides: &[(Kind, Vec<u8>)]) -> Result<Info, TakeError> {
        let snapshots = self.storage.lock().snapshots.clone();
        let mut writer = snapshots.write(header)?;
        for (kind, entry) in sides {
            writer.add(*kind, entry)?;
        }
        let mut captured = Vec::new();
        loop {
            // The data may be replaced by other data meanwhile, and the walk goes with the old.
            let more =
                self.engine.lock().keyspace.step_walk(STEP_BYTES, &mut captured).ok_or(TakeError::Void)?;
            let mut rest = captured.as_slice();
            while let Some((length, tail)) = rest.split_first_chunk::<4>() {
                let (entry, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
                writer.add(Kind::KEYS, entry)?;
                rest = tail;
            }
            captured.clear();
            if !more {
                break;
            }
        }
        // Trap 11: what could still be undone must not outlive its undoing.
        match self.runtime.block_on(self.gate.wait(term, header.position.offset)) {
            Pass::Void => Err(TakeError::Void),
            Pass::Leave | Pass::Wait => Ok(writer.finish()?),
        }
    }
}
