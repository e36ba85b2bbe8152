//! Writing a snapshot, and receiving one.

use super::super::log::disk::{self, DiskFile};
use super::{
    BLOCK_BYTES, BLOCK_HEADER_BYTES, FORMAT, FULL_SUFFIX, Header, Info, Kind, MAGIC, PREAMBLE_BYTES,
    SNAP_SUFFIX, SYNC_EVERY_BYTES, SnapshotError, Snapshots, TEMP_SUFFIX,
};
use crate::replication::position::Offset;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static TEMPS: AtomicU64 = AtomicU64::new(0);

/// A file under a temporary name, which goes when this is dropped before it got its own.
struct Temp {
    home: Snapshots,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Bytes written, and of those synced.
    at: u64,
    synced: u64,
    named: bool,
}

impl Temp {
    fn create(home: &Snapshots, name: &str) -> Result<Self, SnapshotError> {
        // Each its own, so that one that is given up late can't remove its successor's.
        let number = TEMPS.fetch_add(1, Ordering::Relaxed);
        let path = home.dir.join(format!("{name}.{number}{TEMP_SUFFIX}"));
        let file = home.disk.create(&path).map_err(SnapshotError::io("create", &path))?;
        Ok(Self { home: home.clone(), path, file, at: 0, synced: 0, named: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        disk::write_all(&*self.file, self.at, bytes, &mut 0)
            .map_err(SnapshotError::io("write", &self.path))?;
        self.at += bytes.len() as u64;
        if self.at - self.synced >= SYNC_EVERY_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SnapshotError> {
        self.file.sync().map_err(SnapshotError::io("sync", &self.path))?;
        self.synced = self.at;
        Ok(())
    }

    /// Gives the file its name for good.
    fn name(&mut self, offset: Offset, suffix: &str) -> Result<Info, SnapshotError> {
        self.sync()?;
        let path = self.home.path(offset, suffix);
        self.home.disk.rename(&self.path, &path).map_err(SnapshotError::io("rename", &self.path))?;
        self.named = true;
        self.home.sync_dir()?;
        Ok(Info { path, offset, bytes: self.at })
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.named {
            // If this fails, the next start removes it.
            self.home.disk.remove(&self.path).ok();
        }
    }
}

/// Writes one snapshot, an entry at a time.
pub struct Writer {
    temp: Temp,
    offset: Offset,
    kind: Kind,
    /// The block that is being filled, with room for its header.
    block: Vec<u8>,
    blocks: u64,
    entries: u64,
}

impl Writer {
    pub(super) fn create(home: &Snapshots, header: &Header) -> Result<Self, SnapshotError> {
        let offset = header.position.offset;
        let mut temp = Temp::create(home, &format!("{offset:020}"))?;
        let mut preamble = [0; PREAMBLE_BYTES as usize];
        preamble[0..8].copy_from_slice(&MAGIC);
        preamble[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        temp.write(&preamble)?;
        let mut writer = Self { temp, offset, kind: Kind::HEADER, block: Vec::new(), blocks: 0, entries: 0 };
        writer.begin(Kind::HEADER);
        let json = serde_json::to_vec(header).map_err(std::io::Error::from);
        writer.block.extend(json.map_err(SnapshotError::io("encode the header of", &writer.temp.path))?);
        writer.end_block()?;
        Ok(writer)
    }

    fn begin(&mut self, kind: Kind) {
        self.kind = kind;
        self.block.clear();
        self.block.resize(BLOCK_HEADER_BYTES, 0);
        self.block[8] = kind.0;
    }

    /// Adds an entry. Entries of one kind come back in the order in which they were added.
    pub fn add(&mut self, kind: Kind, entry: &[u8]) -> Result<(), SnapshotError> {
        let len = u32::try_from(entry.len()).ok().filter(|len| *len < u32::MAX - 64);
        let len = len.ok_or(SnapshotError::TooLarge(entry.len()))?;
        let full = self.block.len() + entry.len() > BLOCK_BYTES;
        if kind != self.kind || (full && self.block.len() > BLOCK_HEADER_BYTES) {
            self.end_block()?;
            self.begin(kind);
        }
        self.block.extend_from_slice(&len.to_le_bytes());
        self.block.extend_from_slice(entry);
        self.entries += 1;
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), SnapshotError> {
        if self.block.len() <= BLOCK_HEADER_BYTES {
            return Ok(());
        }
        let len = (self.block.len() - 8) as u32;
        let crc = super::read::block_crc(self.temp.at, &self.block[8..]);
        self.block[0..4].copy_from_slice(&len.to_le_bytes());
        self.block[4..8].copy_from_slice(&crc.to_le_bytes());
        self.temp.write(&self.block)?;
        self.blocks += 1;
        self.block.clear();
        // The memory of a huge entry is not kept.
        self.block.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.temp.at
    }

    /// Completes the file and gives it its name: afterwards it outlasts any crash.
    pub fn finish(mut self) -> Result<Info, SnapshotError> {
        self.end_block()?;
        let (blocks, entries) = (self.blocks, self.entries);
        self.begin(Kind::FOOTER);
        self.block.extend_from_slice(&blocks.to_le_bytes());
        self.block.extend_from_slice(&entries.to_le_bytes());
        self.end_block()?;
        self.temp.name(self.offset, SNAP_SUFFIX)
    }
}

/// Takes the bytes of a leader's snapshot file.
pub struct Receiver {
    temp: Temp,
}

impl Receiver {
    pub(super) fn create(home: &Snapshots) -> Result<Self, SnapshotError> {
        Ok(Self { temp: Temp::create(home, "received")? })
    }

    /// Bytes that came so far.
    pub fn bytes(&self) -> u64 {
        self.temp.at
    }

    /// Adds the bytes that start at byte `at` of the file, which must be the next ones.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        if at != self.temp.at {
            return Err(SnapshotError::Gap { expected: self.temp.at, got: at });
        }
        self.temp.write(bytes)
    }

    /// Checks the whole file, and makes it outlast a crash. From here on it replaces the old data, even if this
    /// process ends before [`crate::replication::storage::Storage::install`] did that.
    pub fn finish(mut self) -> Result<Info, SnapshotError> {
        self.temp.sync()?;
        let home = self.temp.home.clone();
        let unnamed = Info { path: self.temp.path.clone(), offset: 0, bytes: self.temp.at };
        let header = home.verify(&unnamed)?;
        self.temp.name(header.position.offset, FULL_SUFFIX)
    }
}
