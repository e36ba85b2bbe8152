//! Snapshots: the whole data set at one position of the log, in one file.
//!
//! File `<dir>/snapshot/<offset, 20 digits>.snap`, little endian: magic `BOTSNAP\n`, format version u32, zero u32;
//! then blocks `len u32 | crc u32 | kind u8 | payload`. `len` counts kind and payload; `crc` is their crc32, seeded
//! by the block's place in the file, so blocks can be checked apart and none can change places. The first block is
//! the [`Header`] (JSON), the last the footer (blocks and entries before it, u64 each). Between them are blocks of
//! [`Kind`]s whose payload is entries, each `len u32 | bytes`; what is in an entry is the key space's matter. A block
//! ends once it has 256 KiB; only an entry larger than that makes a larger one.
//!
//! A file is written to a temporary name, fsynced, renamed, and its directory fsynced, so a `.snap` is whole or
//! damaged, never half. One that came from the leader (a full copy) gets the name `.full` first: from then on it
//! replaces all that was there, whatever crashes: see [`super::storage`].
//!
//! Absent on purpose: taking a snapshot (the key space does), and when (the node does). A snapshot's offset is never
//! past the commit index: the caller's duty.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Block, Entries, Loader, Raw, Unverified};
pub use write::{Receiver, Writer};

use super::log::disk::{self, Disk};
use super::position::{EpochStart, Offset, Position};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"BOTSNAP\n";
const FORMAT: u32 = 1;
const PREAMBLE_BYTES: u64 = 16;
/// Length, checksum and kind.
const BLOCK_HEADER_BYTES: usize = 9;
/// A block that has this much is written.
const BLOCK_BYTES: usize = 256 << 10;
/// What was written is handed to the disk this often, so that the last fsync is short.
const SYNC_EVERY_BYTES: u64 = 16 << 20;
const FULL_SUFFIX: &str = ".full";
const SNAP_SUFFIX: &str = ".snap";
const TEMP_SUFFIX: &str = ".tmp";

/// What the entries of a block are. Files may hold kinds that are not known here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u8);

impl Kind {
    const HEADER: Self = Self(0);
    /// Keys of the key space.
    pub const KEYS: Self = Self(1);
    /// Function libraries.
    pub const FUNCTIONS: Self = Self(2);
    /// Users and their rules.
    pub const USERS: Self = Self(3);
    const FOOTER: Self = Self(255);
}

/// What a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub cluster: Option<String>,
    /// The log goes on from here.
    pub position: Position,
    /// The leader's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// The epochs up to the position, as far as they are known.
    pub epochs: Vec<EpochStart>,
    /// What the hash tables were keyed by: entries come in the order of these hashes, and whoever loads them with the
    /// same key puts neighbours beside each other.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How many keys each database had, so that whoever loads them makes its tables for as many.
    #[serde(default)]
    pub keys: Vec<u64>,
}

/// A snapshot file in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub path: PathBuf,
    pub offset: Offset,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("can't {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is corrupt at byte {at}: {what}", path.display())]
    Corrupt { path: PathBuf, at: u64, what: String },
    #[error("{} has format {format}, which is newer than this program", path.display())]
    Newer { path: PathBuf, format: u32 },
    #[error("a part of the copy starts at byte {got}, where byte {expected} is due")]
    Gap { expected: u64, got: u64 },
    #[error("an entry of {0} bytes is more than a snapshot holds")]
    TooLarge(usize),
}

impl SnapshotError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// The file is not what was written to it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Io { doing, source, .. } => {
                *doing == "read" && source.kind() != std::io::ErrorKind::NotFound
            }
            _ => false,
        }
    }

    /// No room on disk: nothing is broken, what was there is untouched.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if disk::is_full(source))
    }
}

/// The directory of snapshots. Clones share it.
#[derive(Clone)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Snapshots {
    /// Opens the directory, making it if it is missing, and removes what unfinished writers left.
    pub fn open(disk: Arc<dyn Disk>, dir: PathBuf) -> Result<Self, SnapshotError> {
        disk.create_dir(&dir).map_err(SnapshotError::io("create", &dir))?;
        let this = Self { disk, dir };
        // What a process that ended had renamed or removed must not come back.
        this.sync_dir()?;
        for name in this.names()? {
            if name.ends_with(TEMP_SUFFIX) {
                this.remove(&this.dir.join(name))?;
            }
        }
        Ok(this)
    }

    /// The directory as it is, for whoever only looks.
    pub(super) fn at(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self { disk, dir }
    }

    /// The names of files that writers did not finish.
    pub(super) fn unfinished(&self) -> Result<Vec<String>, SnapshotError> {
        Ok(self.names()?.into_iter().filter(|name| name.ends_with(TEMP_SUFFIX)).collect())
    }

    /// The snapshots, oldest first.
    pub fn list(&self) -> Result<Vec<Info>, SnapshotError> {
        self.list_named(SNAP_SUFFIX)
    }

    pub fn newest(&self) -> Result<Option<Info>, SnapshotError> {
        Ok(self.list()?.pop())
    }

    /// A full copy that arrived whole and has not replaced the old data yet.
    pub(super) fn arrived(&self) -> Result<Option<Info>, SnapshotError> {
        Ok(self.list_named(FULL_SUFFIX)?.pop())
    }

    /// Starts a snapshot; it becomes one with [`Writer::finish`], and vanishes when dropped before.
    pub fn write(&self, header: &Header) -> Result<Writer, SnapshotError> {
        Writer::create(self, header)
    }

    /// Starts to receive the bytes of a leader's file, beside what is here.
    pub fn receive(&self) -> Result<Receiver, SnapshotError> {
        Receiver::create(self)
    }

    /// Opens a snapshot to load it.
    pub fn load(&self, info: &Info) -> Result<Loader, SnapshotError> {
        Loader::open(&*self.disk, &info.path)
    }

    /// Opens a snapshot to send its bytes, verified on the way. It stays readable when it is removed meanwhile.
    pub fn raw(&self, info: &Info) -> Result<Raw, SnapshotError> {
        Raw::open(&*self.disk, info)
    }

    /// Reads all of a snapshot and checks each block.
    pub fn verify(&self, info: &Info) -> Result<Header, SnapshotError> {
        let mut loader = self.load(info)?;
        while loader.next_block()?.is_some() {}
        Ok(loader.header().clone())
    }

    /// Removes snapshots older than the one at `offset`; says how many.
    pub fn remove_before(&self, offset: Offset) -> Result<usize, SnapshotError> {
        let old: Vec<Info> = self.list()?.into_iter().filter(|s| s.offset < offset).collect();
        for info in &old {
            self.remove(&info.path)?;
        }
        Ok(old.len())
    }

    /// The arrived copy becomes the only snapshot. The log must have been emptied before.
    pub(super) fn adopt(&self, arrived: &Info) -> Result<Info, SnapshotError> {
        for old in self.list()? {
            self.remove(&old.path)?;
        }
        // The old ones must not come back beside it.
        self.sync_dir()?;
        let path = self.path(arrived.offset, SNAP_SUFFIX);
        self.disk.rename(&arrived.path, &path).map_err(SnapshotError::io("rename", &arrived.path))?;
        self.sync_dir()?;
        Ok(Info { path, ..arrived.clone() })
    }

    fn path(&self, offset: Offset, suffix: &str) -> PathBuf {
        self.dir.join(format!("{offset:020}{suffix}"))
    }

    fn names(&self) -> Result<Vec<String>, SnapshotError> {
        self.disk.list(&self.dir).map_err(SnapshotError::io("list", &self.dir))
    }

    fn list_named(&self, suffix: &str) -> Result<Vec<Info>, SnapshotError> {
        let mut found = Vec::new();
        for name in self.names()? {
            let digits = name.strip_suffix(suffix).filter(|digits| digits.len() == 20);
            if let Some(offset) = digits.and_then(|digits| digits.parse().ok()) {
                let path = self.dir.join(&name);
                let size = self.disk.open(&path).and_then(|file| file.size());
                let bytes = size.map_err(SnapshotError::io("read", &path))?;
                found.push(Info { path, offset, bytes });
            }
        }
        found.sort_by_key(|info| info.offset);
        Ok(found)
    }

    fn remove(&self, path: &Path) -> Result<(), SnapshotError> {
        self.disk.remove(path).map_err(SnapshotError::io("remove", path))
    }

    fn sync_dir(&self) -> Result<(), SnapshotError> {
        self.disk.sync_dir(&self.dir).map_err(SnapshotError::io("sync", &self.dir))
    }
}
