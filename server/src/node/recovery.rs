//! The data directory back into memory: the newest snapshot, then the log after it.

use std::path::PathBuf;

use parking_lot::Mutex;

use super::loading::load;
use crate::keyspace::{EffectError, Keyspace};
use crate::replication::log::{Log, ReadError};
use crate::replication::position::Offset;
use crate::replication::snapshot::{Header, Info, SnapshotError, Snapshots};
use crate::replication::storage::{Storage, StorageError};
use crate::value::Forms;
use crate::value::rdb::RdbError;

#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{}: entry {number} can't be read: {source}", path.display())]
    Entry { path: PathBuf, number: u64, source: RdbError },
    #[error("a thread that reads a snapshot ended")]
    Decoder,
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
    /// With tables keyed as those that a snapshot was taken of.
    pub fn keyed(mut self, seed: Option<u64>) -> Self {
        self.forms.seed = seed.unwrap_or(self.forms.seed);
        self
    }

    pub fn empty(self) -> Keyspace {
        Keyspace::new(self.databases, self.forms)
    }
}

/// The key space of this snapshot, or of what stands in for it if it is damaged; `None` if that is the log alone.
pub fn restore(
    storage: &Mutex<Storage>,
    mut snapshot: Option<(Info, Header)>,
    shape: Shape,
) -> Result<Option<(Keyspace, Header)>, RecoveryError> {
    while let Some((info, header)) = snapshot {
        let snapshots = storage.lock().snapshots.clone();
        match load(&snapshots, &info, shape) {
            Ok(keyspace) => return Ok(Some((keyspace, header))),
            Err(RecoveryError::Snapshot(error @ SnapshotError::Corrupt { .. })) => {
                snapshot = storage.lock().stand_in(&info, error)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
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
    let end = replay(&mut keyspace, log, from, upto)?;
    if end == upto { Ok(keyspace) } else { Err(ReadError::NoBoundary(upto).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::keyspace::Effect;
    use crate::replication::position::Position;

    #[test]
    fn a_record_of_a_newer_program_is_named_by_its_offset_and_stays() {
        let forms = Forms::new(&Config::default(), 1);
        let shape = Shape { databases: 1, forms };
        let log = Log::in_memory(Position::START).unwrap();
        let mut payload = Vec::new();
        Effect::FunctionFlush.encode(&mut payload);
        let known = log.append(1, 1, &payload);
        log.append(1, 2, &[250, 1, 2, 3]);
        log.flush().unwrap();
        let end = log.end();
        let error = replay(&mut shape.empty(), &log, 0, end.offset).unwrap_err();
        assert!(
            matches!(error, RecoveryError::Record { offset, source: EffectError::Unknown(250) } if offset == known),
            "{error}"
        );
        assert!(error.to_string().contains(&known.to_string()), "{error}");
        assert_eq!(log.end(), end, "a newer program will find it where it is");
    }
}
