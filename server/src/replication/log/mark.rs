//! The file `synced`: up to which offset the log is known to have been fsynced.
//!
//! Two slots of 24 bytes, little endian, written in turn: sequence u64, offset u64, crc32 of both u32, zero u32. The
//! valid slot of the higher sequence counts. It is written after each fsync of the log and itself synced only with
//! each new segment, so after a crash it may be too low, never too high: it is lowered durably before a cut.

use super::disk::{self, Disk, DiskFile};
use crate::replication::position::Offset;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub const FILE_NAME: &str = "synced";
const SLOT_BYTES: usize = 24;

pub struct Mark {
    file: Arc<dyn DiskFile>,
    sequence: u64,
    offset: Offset,
}

impl Mark {
    /// Opens the mark of a log directory, making it if it is missing.
    pub fn open(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE_NAME);
        let mut mark = match disk.open(&path) {
            Ok(file) => Self { file, sequence: 0, offset: 0 },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let mark = Self { file: disk.create(&path)?, sequence: 0, offset: 0 };
                disk.sync_dir(dir)?;
                mark
            }
            Err(e) => return Err(e),
        };
        // A process that ended may have lowered it without syncing: what is read here must not rise again.
        mark.sync()?;
        (mark.sequence, mark.offset) = read(&*mark.file)?;
        Ok(mark)
    }

    /// What the mark says, without opening it for good; 0 if there is none.
    pub fn peek(disk: &dyn Disk, dir: &Path) -> io::Result<Offset> {
        match disk.open(&dir.join(FILE_NAME)) {
            Ok(file) => Ok(read(&*file)?.1),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        }
    }

    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Notes that the log is fsynced up to `offset`, without syncing the note.
    pub fn note(&mut self, offset: Offset) -> io::Result<()> {
        self.sequence += 1;
        self.offset = offset;
        let slot = encode(self.sequence, offset);
        disk::write_all(&*self.file, self.sequence % 2 * SLOT_BYTES as u64, &slot, &mut 0)
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Says, durably, that nothing after `offset` is known to be synced.
    pub fn lower(&mut self, offset: Offset) -> io::Result<()> {
        if offset < self.offset {
            // Both slots, so that damage to one can't bring the higher mark back.
            self.note(offset)?;
            self.note(offset)?;
            self.sync()?;
        }
        Ok(())
    }
}

/// The newest sequence and its offset.
fn read(file: &dyn DiskFile) -> io::Result<(u64, Offset)> {
    let mut slots = [0; 2 * SLOT_BYTES];
    let read = disk::read_full(file, 0, &mut slots)?;
    let valid = slots[..read].as_chunks::<SLOT_BYTES>().0.iter().filter_map(decode);
    Ok(valid.max().unwrap_or_default())
}

fn encode(sequence: u64, offset: Offset) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[0..8].copy_from_slice(&sequence.to_le_bytes());
    slot[8..16].copy_from_slice(&offset.to_le_bytes());
    let crc = crc32fast::hash(&slot[..16]);
    slot[16..20].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<(u64, Offset)> {
    let (mut sequence, mut offset) = ([0; 8], [0; 8]);
    sequence.copy_from_slice(&slot[0..8]);
    offset.copy_from_slice(&slot[8..16]);
    let (sequence, offset) = (u64::from_le_bytes(sequence), u64::from_le_bytes(offset));
    (encode(sequence, offset) == *slot && sequence > 0).then_some((sequence, offset))
}
