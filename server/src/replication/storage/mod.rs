//! A data directory as a whole: lock, meta, snapshots and log, opened in the order that survives any crash.
//!
//! What is replayed at a start: the newest snapshot, then the log from its position. A full copy that arrived
//! (`.full`) replaces both: the log is emptied, the old snapshots go, the copy gets its name; a crash at any point
//! of that does it again at the next start.
//!
//! *Whole* says that the end of the log can be trusted: `appendfsync always`, or closed in order, or only the
//! process died (the boot is the same). If not, records that this node held may be gone, and it must not lead on its
//! own word, over any number of restarts, until [`Storage::trust`].

use super::log::disk::Disk;
use super::log::{Fsync, Log, LogError, Options, Recovered};
use super::meta::{DirLock, MetaError, MetaFile};
use super::position::Position;
use super::snapshot::{Header, Info, SnapshotError, Snapshots};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An opened data directory.
pub struct Storage {
    pub log: Log,
    pub snapshots: Snapshots,
    pub meta: MetaFile,
    _lock: Option<DirLock>,
}

/// What a start found.
#[derive(Debug)]
pub struct Found {
    pub recovered: Recovered,
    /// Load this first, then replay the log from its position.
    pub snapshot: Option<(Info, Header)>,
    /// The end of the log can be trusted.
    pub whole: bool,
    /// There was no data directory before.
    pub fresh: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Meta(#[from] MetaError),
}

/// What the world outside says, so that a simulator can say otherwise.
pub struct Surroundings {
    pub boot_id: String,
    pub new_incarnation: Box<dyn FnOnce() -> io::Result<String>>,
    pub lock: Option<DirLock>,
}

impl Surroundings {
    /// The real ones, with the directory locked.
    pub fn of(dir: &Path) -> Result<Self, MetaError> {
        let boot = |source| MetaError::Io { doing: "read the boot id for", path: dir.to_owned(), source };
        Ok(Self {
            boot_id: super::meta::boot_id().map_err(boot)?,
            new_incarnation: Box::new(super::meta::random_id),
            lock: Some(DirLock::take(dir)?),
        })
    }
}

impl Storage {
    /// Opens `dir`. `options.dir` says whether there is a log on disk; its value is replaced by `<dir>/log`.
    pub fn open(
        dir: &Path,
        mut options: Options,
        around: Surroundings,
    ) -> Result<(Self, Found), StorageError> {
        let disk: Arc<dyn Disk> = Arc::clone(&options.disk);
        let mut meta = MetaFile::open(Arc::clone(&disk), dir, around.new_incarnation)?;
        let snapshots = Snapshots::open(Arc::clone(&disk), dir.join("snapshot"))?;
        let log_dir = dir.join("log");
        if let Some(arrived) = snapshots.arrived()? {
            Log::wipe(&*disk, &log_dir)?;
            snapshots.adopt(&arrived)?;
        }
        let snapshot = match snapshots.newest()? {
            Some(info) => {
                let header = snapshots.load(&info)?.header().clone();
                Some((info, header))
            }
            None => None,
        };
        let base = snapshot.as_ref().map_or(Position::START, |(_, header)| header.position);
        let always = options.fsync == Fsync::Always && options.dir.is_some();
        let on_disk = options.dir.take().is_some();
        options.dir = on_disk.then_some(log_dir);
        let (log, mut recovered) = Log::open(options, base)?;
        let behind = recovered.end.offset < base.offset;
        if behind {
            // The snapshot is of records that the log lost: it is ahead, and the log starts over from it.
            log.reset(base)?;
            recovered.start = base;
            recovered.end = base;
        } else if !log.contains(base) {
            return Err(LogError::NotContained(base).into());
        }
        let was = meta.get();
        let trusted = was.clean || was.always || was.boot_id == around.boot_id;
        let suspect = behind || recovered.cut.as_ref().is_some_and(|cut| cut.suspect);
        let lost_meta = meta.is_fresh() && recovered.end != Position::START;
        let doubt = was.doubt || !trusted || suspect || lost_meta;
        meta.update(|m| {
            m.boot_id = around.boot_id;
            m.clean = false;
            m.always = always;
            m.doubt = doubt;
        })?;
        let found = Found { recovered, snapshot, whole: !doubt, fresh: meta.is_fresh() };
        Ok((Self { log, snapshots, meta, _lock: around.lock }, found))
    }

    /// This node holds all that its leader has: its log is beyond doubt again.
    pub fn trust(&mut self) -> Result<(), StorageError> {
        Ok(self.meta.update(|m| m.doubt = false)?)
    }

    /// `CONFIG SET appendfsync`. What meta says is never more than what is done.
    pub fn set_fsync(&mut self, fsync: Fsync) -> Result<(), StorageError> {
        if fsync != Fsync::Always {
            self.meta.update(|m| m.always = false)?;
        }
        self.log.set_fsync(fsync);
        if fsync == Fsync::Always {
            self.log.sync()?;
            self.meta.update(|m| m.always = true)?;
        }
        Ok(())
    }

    /// The received copy replaces snapshots and log. Nothing may be appended meanwhile; load it afterwards.
    pub fn install(&mut self, arrived: &Info) -> Result<(Info, Header), StorageError> {
        let header = self.snapshots.load(arrived)?.header().clone();
        self.log.reset(header.position)?;
        Ok((self.snapshots.adopt(arrived)?, header))
    }

    /// A snapshot is complete: older ones go, and the log before it beyond `retention_bytes`.
    pub fn retain(&self, newest: &Info, retention_bytes: u64) -> Result<(), StorageError> {
        self.snapshots.remove_before(newest.offset)?;
        let kept = self.log.end_offset().saturating_sub(retention_bytes);
        self.log.trim(newest.offset.min(kept))?;
        Ok(())
    }

    /// The orderly end: everything is written and synced, and said so.
    pub fn close(&mut self) -> Result<Position, StorageError> {
        let end = self.log.close()?;
        self.meta.update(|m| m.clean = true)?;
        Ok(end)
    }
}

#[cfg(test)]
mod tests;
