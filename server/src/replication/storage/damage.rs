//! What a start does about damage: see the module above.

use super::super::log::disk::Disk;
use super::super::log::{Log, LogError, Options, Recovered};
use super::super::meta::MetaFile;
use super::super::position::Position;
use super::super::snapshot::{Header, Info, SnapshotError, Snapshots};
use super::{ASIDE_NAME, StorageError};
use std::io;
use std::path::Path;

/// The newest snapshot whose header can be read, and those after it that can't be.
pub struct Readable {
    pub snapshot: Option<(Info, Header)>,
    pub damaged: Vec<(Info, SnapshotError)>,
}

pub fn readable(snapshots: &Snapshots) -> Result<Readable, StorageError> {
    let mut damaged = Vec::new();
    for info in snapshots.list()?.into_iter().rev() {
        match snapshots.load(&info) {
            Ok(loader) => {
                let snapshot = Some((info, loader.header().clone()));
                return Ok(Readable { snapshot, damaged });
            }
            Err(error @ SnapshotError::Corrupt { .. }) => damaged.push((info, error)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Readable { snapshot: None, damaged })
}

impl Readable {
    pub fn base(&self) -> Position {
        self.snapshot.as_ref().map_or(Position::START, |(_, header)| header.position)
    }

    /// Whether the log goes on from here, and holds all that the damaged ones did.
    pub fn stands_in(&self, log: &Log) -> bool {
        log.contains(self.base()) && self.damaged.iter().all(|(info, _)| info.offset <= log.end_offset())
    }

    /// What is to be said if it does not.
    pub fn into_error(mut self) -> StorageError {
        match self.damaged.pop() {
            Some((_, error)) => error.into(),
            None => LogError::NotContained(self.base()).into(),
        }
    }
}

/// Opens the log; on a node that heals, damage in the middle is moved aside, after meta says so.
pub fn open_log(
    disk: &dyn Disk,
    options: Options,
    base: Position,
    aside: &Path,
    meta: &mut MetaFile,
) -> Result<(Log, Recovered), StorageError> {
    let dir = options.dir.clone().unwrap_or_default();
    let found = Log::find(&options, base, &mut doubt(meta, &dir));
    let found = match found {
        Err(error @ LogError::Corrupt { .. }) if options.heal => {
            note(disk, meta, aside, &error)?;
            if let Some(dir) = &options.dir {
                Log::set_aside(disk, dir, aside, base)?;
            }
            Log::find(&options, base, &mut doubt(meta, &dir))?
        }
        found => found?,
    };
    Ok(Log::begin(options, found)?)
}

/// What a cut takes must be known to be missing whatever happens next, or this node would lead without it.
fn doubt(meta: &mut MetaFile, path: &Path) -> impl FnMut() -> Result<(), LogError> {
    move || {
        let noted = meta.update(|m| m.doubt = true).map_err(io::Error::other);
        noted.map_err(|source| LogError::Io { doing: "note the damage of", path: path.to_owned(), source })
    }
}

/// Says so in the log of the process and, first of all, in meta: whatever happens next, this node does not lead.
pub fn note(
    disk: &dyn Disk,
    meta: &mut MetaFile,
    aside: &Path,
    error: &dyn std::error::Error,
) -> Result<(), StorageError> {
    tracing::error!(%error, aside = %aside.display(), "the data is damaged: it will be healed from a peer");
    let io = |source| LogError::Io { doing: "create", path: aside.to_owned(), source };
    disk.create_dir(aside).map_err(io)?;
    Ok(meta.update(|m| {
        m.doubt = true;
        m.damage = Some(error.to_string());
    })?)
}

pub fn move_snapshot(disk: &dyn Disk, info: &Info, aside: &Path) -> Result<(), StorageError> {
    Ok(Log::move_file(disk, &info.path, aside)?)
}

/// A whole copy is in the place of what was damaged.
pub fn forget(disk: &dyn Disk, dir: &Path, meta: &mut MetaFile) -> Result<(), StorageError> {
    meta.update(|m| m.damage = None)?;
    let aside = dir.join(ASIDE_NAME);
    // Without the directory there is nothing to remove.
    for name in disk.list(&aside).unwrap_or_default() {
        let path = aside.join(name);
        disk.remove(&path).map_err(|source| LogError::Io { doing: "remove", path, source })?;
    }
    Ok(())
}
