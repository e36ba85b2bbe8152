//! A data directory as a whole: lock, meta, snapshots and log, opened in the order that survives any crash.
//!
//! What is replayed at a start: the newest snapshot, then the log from its position. A full copy that arrived
//! (`.full`) replaces both: the log is emptied, the old snapshots go, the copy gets its name; a crash at any point
//! of that does it again at the next start.
//!
//! *Whole* says that the end of the log can be trusted: `appendfsync always`, or closed in order, or only the
//! process died (the boot is the same). If not, records that this node held may be gone, and it must not lead on its
//! own word, over any number of restarts, until [`Storage::trust`].
//!
//! *Damaged* says that records which this directory held can't be read any more. A server alone refuses to start; a node
//! of a cluster ([`Options::heal`]) moves what is damaged to `<dir>/damaged`, keeps what is before it, and takes part as
//! one that has nothing to say about what was acknowledged, until [`Storage::install`] has put a peer's copy in place, or
//! an operator had it lead with what it has. A snapshot that is damaged costs nothing where an older one, or a log that
//! reaches back to its start, stands in for it.

mod damage;

use super::log::disk::Disk;
use super::log::{Fsync, Log, LogError, Options, Recovered};
use super::meta::{DirLock, MetaError, MetaFile};
use super::position::Position;
use super::snapshot::{Header, Info, SnapshotError, Snapshots};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where damaged files wait for the copy that replaces them.
pub const ASIDE_NAME: &str = "damaged";

/// An opened data directory.
pub struct Storage {
    pub log: Log,
    pub snapshots: Snapshots,
    pub meta: MetaFile,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    heal: bool,
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
    /// What is damaged, and where: this node must heal from a peer.
    pub damage: Option<String>,
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
            // Whatever was damaged has been replaced.
            damage::forget(&*disk, dir, &mut meta)?;
        }
        let aside = dir.join(ASIDE_NAME);
        let readable = damage::readable(&snapshots)?;
        let (base, snapshot) = (readable.base(), readable.snapshot.clone());
        let damaged: Vec<Info> = readable.damaged.iter().map(|(info, _)| info.clone()).collect();
        let always = options.fsync == Fsync::Always && options.dir.is_some();
        let (on_disk, heal) = (options.dir.take().is_some(), options.heal);
        options.dir = on_disk.then_some(log_dir);
        let (log, mut recovered) = damage::open_log(&*disk, options, base, &aside, &mut meta)?;
        let behind = damaged.is_empty() && recovered.end.offset < base.offset;
        if behind {
            // The snapshot is of records that the log lost: it is ahead, and the log starts over from it.
            log.reset(base)?;
        } else if !readable.stands_in(&log) {
            let error = readable.into_error();
            if !heal {
                return Err(error);
            }
            damage::note(&*disk, &mut meta, &aside, &error)?;
            log.abandon(&aside, base)?;
        }
        if log.end() != recovered.end {
            (recovered.start, recovered.end) = (base, base);
        }
        for info in damaged {
            tracing::error!(file = %info.path.display(), "a snapshot is damaged");
            damage::move_snapshot(&*disk, &info, &aside)?;
        }
        let was = meta.get();
        let trusted = was.clean || was.always || was.boot_id == around.boot_id;
        let suspect = behind || recovered.cut.as_ref().is_some_and(|cut| cut.suspect);
        let lost_meta = meta.is_fresh() && recovered.end != Position::START;
        let damage = was.damage.clone();
        let doubt = was.doubt || !trusted || suspect || lost_meta || damage.is_some();
        meta.update(|m| {
            m.boot_id = around.boot_id;
            m.clean = false;
            m.always = always;
            m.doubt = doubt;
        })?;
        let found = Found { recovered, snapshot, whole: !doubt, fresh: meta.is_fresh(), damage };
        let (dir, lock) = (dir.to_owned(), around.lock);
        Ok((Self { log, snapshots, meta, disk, dir, heal, _lock: lock }, found))
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
        let info = self.snapshots.adopt(arrived)?;
        damage::forget(&*self.disk, &self.dir, &mut self.meta)?;
        Ok((info, header))
    }

    /// This snapshot could not be read when it was loaded. What stands in for it, or that nothing does: then this is the
    /// error on a server alone, and a node that heals starts with nothing.
    pub fn stand_in(
        &mut self,
        info: &Info,
        error: SnapshotError,
    ) -> Result<Option<(Info, Header)>, StorageError> {
        let aside = self.dir.join(ASIDE_NAME);
        let older = self.snapshots.list()?.into_iter().rfind(|older| {
            older.offset < info.offset
                && older.offset >= self.log.start()
                && self.log.end_offset() >= older.offset
        });
        if older.is_none() && self.log.start() > 0 {
            if !self.heal {
                return Err(error.into());
            }
            damage::note(&*self.disk, &mut self.meta, &aside, &error)?;
            self.log.abandon(&aside, Position::START)?;
        }
        tracing::error!(%error, stands_in = ?older.as_ref().map(|older| &older.path), "a snapshot is damaged");
        damage::move_snapshot(&*self.disk, info, &aside)?;
        match older {
            Some(older) => Ok(Some((older.clone(), self.snapshots.load(&older)?.header().clone()))),
            None => Ok(None),
        }
    }

    /// A snapshot turned out to be damaged when it was to be sent. This process has in memory what it is of, so the next
    /// one that is taken stands in for it.
    pub fn put_aside(&self, info: &Info, error: &SnapshotError) -> Result<(), StorageError> {
        let aside = self.dir.join(ASIDE_NAME);
        tracing::error!(%error, aside = %aside.display(), "a snapshot is damaged: it is not sent");
        damage::move_snapshot(&*self.disk, info, &aside)
    }

    /// Some of what this directory held can't be read: see the module.
    pub fn damage(&self) -> Option<&str> {
        self.meta.get().damage.as_deref()
    }

    /// A snapshot is complete: older ones go, and the log before it that is beyond `retention_bytes`, or of no use to
    /// anybody as there is damage in it.
    pub fn retain(&self, newest: &Info, retention_bytes: u64) -> Result<(), StorageError> {
        self.snapshots.remove_before(newest.offset)?;
        let kept = self.log.end_offset().saturating_sub(retention_bytes).max(self.log.sound_from());
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
