//! `<dir>/meta.json`: who this data directory is and what it remembers; and the lock that keeps it to one process.
//!
//! Replaced as a whole: written to `meta.json.tmp`, fsynced, renamed, the directory fsynced. What can't wait for that is
//! kept in `meta.latest` in between. Both have checksums. Readers ignore fields that they do not know.

mod latest;
mod seal;

use super::log::disk::{self, Disk, DiskFile};
use latest::Latest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE_NAME: &str = "meta.json";
const TEMP_NAME: &str = "meta.json.tmp";
pub const LOCK_NAME: &str = "lock";
const FORMAT: u32 = 1;

/// What a data directory knows besides its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    pub format: u32,
    /// 128 random bits in hex, made with the directory: another directory is another incarnation.
    pub incarnation: String,
    /// Counts the changes.
    #[serde(default)]
    pub revision: u64,
    /// The cluster that this data belongs to.
    pub cluster: Option<String>,
    /// The last `/config` that this node saw, as it was.
    #[serde(default)]
    pub config: Option<serde_json::Value>,
    /// The ids of all nodes ever seen.
    #[serde(default)]
    pub members: BTreeSet<String>,
    /// The machine's boot in which the directory was last opened.
    #[serde(default)]
    pub boot_id: String,
    /// It was closed in order.
    #[serde(default)]
    pub clean: bool,
    /// Every held record is fsynced: `appendfsync always` has been in force all the time.
    #[serde(default)]
    pub always: bool,
    /// The end of the log may miss records that this node once held. Stays over restarts until it is level with a
    /// leader again.
    #[serde(default)]
    pub doubt: bool,
    /// Some of what it held can't be read any more, and where: it waits for a peer's copy.
    #[serde(default)]
    pub damage: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    #[error("can't {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} can't be read: {source}", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} is corrupt: {what}", path.display())]
    Corrupt { path: PathBuf, what: String },
    #[error("{} has format {format}, which is newer than this program", path.display())]
    Newer { path: PathBuf, format: u32 },
    #[error("the data directory {} is in use by another process", .0.display())]
    InUse(PathBuf),
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MetaError + use<> {
    let path = path.to_owned();
    move |source| MetaError::Io { doing, path, source }
}

/// Keeps other processes out of a data directory as long as it lives.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock without waiting. The file stays; the lock goes with the process, however it ends.
    pub fn take(dir: &Path) -> Result<Self, MetaError> {
        std::fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let path = dir.join(LOCK_NAME);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(MetaError::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
        }
    }
}

/// The machine's boot, from `/proc/sys/kernel/random/boot_id`.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// 128 random bits in hex.
pub fn random_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// The format is looked at first: in a newer one nothing else need be as it was.
fn parse(text: &[u8], path: &Path) -> Result<Meta, MetaError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let damaged = |source| MetaError::Damaged { path: path.to_owned(), source };
    let Versioned { format } = serde_json::from_slice(text).map_err(damaged)?;
    if format > FORMAT {
        return Err(MetaError::Newer { path: path.to_owned(), format });
    }
    serde_json::from_slice(text).map_err(damaged)
}

/// The file, and what is in it.
pub struct MetaFile {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    meta: Meta,
    latest: Latest,
    fresh: bool,
}

/// A change that the operating system has, to be synced beside other work; tell [`MetaFile::synced`] of it.
#[must_use]
pub struct Unsynced {
    file: Arc<dyn DiskFile>,
    revision: u64,
}

impl Unsynced {
    /// Waits for the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl MetaFile {
    /// Reads the file, or makes it with `incarnation` if there is none.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        incarnation: impl FnOnce() -> io::Result<String>,
    ) -> Result<Self, MetaError> {
        let path = dir.join(FILE_NAME);
        disk.create_dir(dir).map_err(io_error("create", dir))?;
        let text = read(&*disk, &path)?;
        let dir = dir.to_owned();
        let (latest, newest) = Latest::open(&*disk, &dir).map_err(io_error("open the latest of", &path))?;
        if let Some(text) = text {
            let meta = settle(&path, &text, newest.as_deref())?;
            return Ok(Self { disk, dir, meta, latest, fresh: false });
        }
        let meta = Meta {
            format: FORMAT,
            incarnation: incarnation().map_err(io_error("make an incarnation for", &path))?,
            revision: 1,
            cluster: None,
            config: None,
            members: BTreeSet::new(),
            boot_id: String::new(),
            clean: true,
            always: false,
            doubt: false,
            damage: None,
        };
        let this = Self { disk, dir, meta, latest, fresh: true };
        this.save(&this.meta)?;
        Ok(this)
    }

    /// What a directory remembers, without opening it for good; `None` if it is none.
    pub fn peek(disk: &dyn Disk, dir: &Path) -> Result<Option<Meta>, MetaError> {
        let path = dir.join(FILE_NAME);
        let Some(text) = read(disk, &path)? else { return Ok(None) };
        let newest = Latest::peek(disk, dir).map_err(io_error("open the latest of", &path))?;
        settle(&path, &text, newest.as_deref()).map(Some)
    }

    pub fn get(&self) -> &Meta {
        &self.meta
    }

    /// Whether the file was made by this process.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Changes it, on disk first: what [`MetaFile::get`] says outlasts a crash. Writes only if something differs.
    pub fn update(&mut self, change: impl FnOnce(&mut Meta)) -> Result<(), MetaError> {
        let mut next = self.meta.clone();
        change(&mut next);
        if next != self.meta {
            next.revision += 1;
            self.save(&next)?;
            self.meta = next;
        }
        Ok(())
    }

    /// As [`MetaFile::update`], but only the end of the process is outlasted when this returns; that of the machine once
    /// what is returned was synced before the next change.
    pub fn update_soon(&mut self, change: impl FnOnce(&mut Meta)) -> Result<Option<Unsynced>, MetaError> {
        let mut next = self.meta.clone();
        change(&mut next);
        if next == self.meta {
            return Ok(None);
        }
        next.revision += 1;
        let path = self.dir.join(FILE_NAME);
        let text =
            serde_json::to_vec(&next).map_err(|source| MetaError::Damaged { path: path.clone(), source })?;
        let written = self.latest.write(next.revision, &text);
        if !written.map_err(io_error("write the latest of", &path))? {
            self.save(&next)?;
            self.meta = next;
            return Ok(None);
        }
        self.meta = next;
        Ok(Some(Unsynced { file: self.latest.file(), revision: self.meta.revision }))
    }

    /// What [`MetaFile::update_soon`] returned was synced.
    pub fn synced(&mut self, done: &Unsynced) {
        self.latest.synced(done.revision);
    }

    fn save(&self, meta: &Meta) -> Result<(), MetaError> {
        let (temp, path) = (self.dir.join(TEMP_NAME), self.dir.join(FILE_NAME));
        let text = serde_json::to_vec_pretty(meta)
            .map_err(|source| MetaError::Damaged { path: path.clone(), source })?;
        let text = seal::seal(text);
        let write = || {
            let file = self.disk.create(&temp)?;
            disk::write_all(&*file, 0, &text, &mut 0)?;
            file.sync()?;
            self.disk.rename(&temp, &path)?;
            self.disk.sync_dir(&self.dir)
        };
        write().map_err(io_error("write", &path))
    }
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, MetaError> {
    match disk.open(path) {
        Ok(file) => {
            let size = file.size().map_err(io_error("read", path))?;
            let mut text = vec![0; size as usize];
            disk::read_full(&*file, 0, &mut text).map_err(io_error("read", path))?;
            Ok(Some(text))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error("open", path)(e)),
    }
}

/// What the file says, or what was kept beside it since.
fn settle(path: &Path, text: &[u8], newest: Option<&[u8]>) -> Result<Meta, MetaError> {
    let meta = parse(text, path)?;
    seal::verify(text).map_err(|what| MetaError::Corrupt { path: path.to_owned(), what })?;
    let newest = newest.map(|text| parse(text, &path.with_file_name(latest::FILE_NAME))).transpose();
    let newest = if crate::mutant::is_planted(28) { newest.ok().flatten() } else { newest? };
    let later = |newest: &Meta| newest.incarnation == meta.incarnation && newest.revision > meta.revision;
    Ok(newest.filter(later).unwrap_or(meta))
}
