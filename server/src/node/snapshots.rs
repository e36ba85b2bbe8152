//! Taking snapshots: of this node's own data, without a pause, never past what is committed.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::SharedEngine;
use super::applied::Applied;
use crate::keyspace::WalkEnd;
use crate::replication::gate::{Gate, Pass};
use crate::replication::log::Log;
use crate::replication::pace::{Busy, Pace};
use crate::replication::position::Position;
use crate::replication::snapshot::{Header, Info, Kind, SnapshotError, Writer};
use crate::replication::storage::{Storage, StorageError};

/// Bytes of entries captured under one hold of the engine's lock: some hundred microseconds.
const STEP_BYTES: usize = 64 << 10;

/// Bytes of entries that may wait for the disk because they were changed before their turn.
const CAPTURED_MAX: usize = 64 << 20;

/// What a snapshot may take at once.
#[derive(Debug, Clone, Copy)]
pub struct Portions {
    pub step_bytes: usize,
    pub captured_max: usize,
}

impl Default for Portions {
    fn default() -> Self {
        Self { step_bytes: STEP_BYTES, captured_max: CAPTURED_MAX }
    }
}

impl Portions {
    /// What may wait, of a server that may take `maxmemory` bytes; 0: as many as there are.
    fn captured_max(self, maxmemory: u64) -> usize {
        if maxmemory == 0 { self.captured_max } else { self.captured_max.min((maxmemory / 20) as usize) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the data of the snapshot was replaced or undone before it was committed")]
    Void,
    #[error("more was changed than the disk kept up with, or all was flushed: it is begun anew later")]
    Overrun,
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
    pub portions: Portions,
    /// What goes on beside it.
    pub others: Busy,
}

/// A snapshot that is being taken.
pub struct Taking {
    header: Header,
    term: u64,
    writer: Writer,
    captured: Vec<u8>,
}

impl Taker {
    /// Take one. Blocks for as long as that takes: not for async tasks.
    pub fn take(&self) -> Result<Info, TakeError> {
        let Some(_busy) = self.busy.try_lock() else { return Err(TakeError::Busy) };
        let started = Instant::now();
        let taken = self.begin().and_then(|mut taking| {
            let mut pace = Pace::new(self.others.clone());
            while self.step(&mut taking)? {
                pace.rest();
            }
            // Trap 11: what could still be undone must not outlive its undoing.
            match self.runtime.block_on(self.gate.wait(taking.term, taking.header.position.offset)) {
                Pass::Void => Err(TakeError::Void),
                Pass::Leave | Pass::Wait => self.finish(taking),
            }
        });
        if taken.is_err() {
            self.engine.lock().keyspace.end_walk();
        }
        let info = taken?;
        tracing::info!(offset = info.offset, bytes = info.bytes, took = ?started.elapsed(), "took a snapshot");
        Ok(info)
    }

    /// Begin one: it is of what the engine holds now.
    pub fn begin(&self) -> Result<Taking, TakeError> {
        let (header, term, sides) = self.mark().ok_or(TakeError::Void)?;
        let snapshots = self.storage.lock().snapshots.clone();
        let mut writer = snapshots.write(&header)?;
        for (kind, entry) in &sides {
            writer.add(*kind, entry)?;
        }
        Ok(Taking { header, term, writer, captured: Vec::new() })
    }

    /// Write on; false once everything is written.
    pub fn step(&self, taking: &mut Taking) -> Result<bool, TakeError> {
        let Taking { writer, captured, .. } = taking;
        // The data may be replaced by other data meanwhile, and the walk goes with the old.
        let stepped = self.engine.lock().keyspace.step_walk(self.portions.step_bytes, captured);
        let more = stepped.map_err(|end| match end {
            WalkEnd::GivenUp => TakeError::Void,
            WalkEnd::Overrun => TakeError::Overrun,
        })?;
        let mut rest = captured.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (entry, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            writer.add(Kind::KEYS, entry)?;
            rest = tail;
        }
        captured.clear();
        // The memory of a huge entry is not kept.
        captured.shrink_to(2 * self.portions.step_bytes);
        Ok(more)
    }

    /// Once everything is written, and the gate let it pass.
    fn finish(&self, taking: Taking) -> Result<Info, TakeError> {
        let info = taking.writer.finish()?;
        let retention = self.engine.lock().server.config.log_retention_bytes;
        self.storage.lock().retain(&info, retention)?;
        Ok(info)
    }

    /// As [`Taker::finish`], if it may be told now that what the snapshot shows is committed; else it is given back.
    #[cfg(feature = "simulate")]
    pub fn finish_now(&self, taking: Taking) -> Result<Result<Info, Taking>, TakeError> {
        match self.gate.pass(taking.term, taking.header.position.offset) {
            Pass::Void => Err(TakeError::Void),
            Pass::Wait => Ok(Err(taking)),
            Pass::Leave => self.finish(taking).map(Ok),
        }
    }

    /// The moment: everything that the engine holds now, and where the log stands at it; `None` if these do not belong
    /// together.
    fn mark(&self) -> Option<(Header, u64, Sides)> {
        let mut engine = self.engine.lock();
        if engine.is_torn() {
            return None;
        }
        let captured_max = self.portions.captured_max(engine.server.config.maxmemory);
        engine.keyspace.begin_walk(captured_max);
        let position = self.position(engine.server.status.role.leads());
        let epochs = self.log.epochs().into_iter().filter(|epoch| epoch.start <= position.offset).collect();
        let time_ms = engine.keyspace.now;
        let users = engine.keyspace.users.entries().into_iter().map(|entry| (Kind::USERS, entry));
        let libraries = engine.keyspace.functions.entries().into_iter().map(|entry| (Kind::FUNCTIONS, entry));
        let sides = users.chain(libraries).collect();
        let seed = Some(engine.keyspace.forms.seed);
        let keys = engine.keyspace.databases().iter().map(|database| database.len() as u64).collect();
        let header = Header { cluster: None, position, time_ms, epochs, seed, keys };
        Some((header, self.gate.term(), sides))
    }

    /// Ask under the engine's lock. A leader executed everything in its log; a follower what was applied.
    fn position(&self, leads: bool) -> Position {
        if leads { self.log.end() } else { self.applied.position() }
    }
}
