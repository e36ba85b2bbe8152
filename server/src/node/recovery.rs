//! The data directory back into memory: the newest snapshot, then the log after it.

use std::path::PathBuf;

use crate::keyspace::{EffectError, Keyspace};
use crate::replication::log::{Log, ReadError};
use crate::replication::position::Offset;
use crate::replication::snapshot::{Info, Kind, SnapshotError, Snapshots};
use crate::value::Forms;
use crate::value::rdb::RdbError;

#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("{}: entry {number} can't be read: {source}", path.display())]
    Entry { path: PathBuf, number: u64, source: RdbError },
    #[error("the log can't be read: {0}")]
    Log(#[from] ReadError),
    #[error("the record at log offset {offset} can't be applied: {source}")]
    Record { offset: Offset, source: EffectError },
}

/// How key spaces of this server are made.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub databases: usize,
    pub forms: Forms,
}

impl Shape {
    pub fn empty(self) -> Keyspace {
        Keyspace::new(self.databases, self.forms)
    }
}

/// The key space that a snapshot shows.
pub fn load(snapshots: &Snapshots, info: &Info, shape: Shape) -> Result<Keyspace, RecoveryError> {
    let mut keyspace = shape.empty();
    let mut loader = snapshots.load(info)?;
    keyspace.now = loader.header().time_ms;
    let mut number = 0;
    while let Some(block) = loader.next_block()? {
        if block.kind == Kind::FUNCTIONS {
            for entry in block.entries() {
                if !keyspace.functions.restore(&entry) {
                    let source = RdbError::Damaged;
                    return Err(RecoveryError::Entry { path: info.path.clone(), number, source });
                }
            }
            continue;
        }
        if !matches!(block.kind, Kind::KEYS | Kind::USERS) {
            let source = RdbError::Unknown(block.kind.0);
            return Err(RecoveryError::Entry { path: info.path.clone(), number, source });
        }
        for entry in block.entries() {
            let fail = |source| RecoveryError::Entry { path: info.path.clone(), number, source };
            if block.kind == Kind::USERS {
                keyspace.users.restore(&entry).map_err(fail)?;
            } else {
                keyspace.restore(&entry).map_err(fail)?;
            }
            number += 1;
        }
    }
    Ok(keyspace)
}

/// Apply the log from `from` up to `upto`; returns how far that came.
pub fn replay(
    keyspace: &mut Keyspace,
    log: &Log,
    from: Offset,
    upto: Offset,
) -> Result<Offset, RecoveryError> {
    let mut records = log.records(from)?;
    while let Some(record) = records.next_until(upto)? {
        let fail = |source| RecoveryError::Record { offset: record.start, source };
        keyspace.replay(record.time_ms, &record.payload).map_err(fail)?;
    }
    Ok(records.position().offset)
}

/// The key space as it stood at `upto`: the newest snapshot and the log from there.
pub fn rebuild(
    snapshots: &Snapshots,
    log: &Log,
    shape: Shape,
    upto: Offset,
) -> Result<Keyspace, RecoveryError> {
    let (mut keyspace, from) = match snapshots.newest()? {
        Some(info) => (load(snapshots, &info, shape)?, info.offset),
        None => (shape.empty(), log.start()),
    };
    replay(&mut keyspace, log, from, upto)?;
    Ok(keyspace)
}
