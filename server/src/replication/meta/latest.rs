//! The file `meta.latest`: what meta says since `meta.json` was last replaced.
//!
//! To replace a file waits for the disk, and a failover would wait with it: on a busy disk that takes seconds. Here a
//! change is in the operating system at once, and synced a little later.
//!
//! Two slots of 16 KiB, little endian: crc32 of all that follows u32, length u32, revision u64, JSON. The valid slot of the
//! higher revision counts, if it is higher than that of `meta.json`. The slot that was last synced is not written again
//! before the other one is synced: whatever a crash tears, something newer or the same is left.
//!
//! A damaged slot can't be told from a torn one, so the other one counts then. Were that an older one, a node could
//! forget that its log is in doubt, or who was named last, and after a wiped registry lead without what the node that it
//! forgot still holds. So what was synced is written to the other slot too, until something newer comes there.

use super::super::log::disk::{self, Disk, DiskFile};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub const FILE_NAME: &str = "meta.latest";
const SLOT_BYTES: usize = 16 << 10;
const HEAD_BYTES: usize = 16;

pub struct Latest {
    file: Arc<dyn DiskFile>,
    /// Where the next one is written.
    place: usize,
    /// The newest, and what is in its slot.
    revision: u64,
    slot: Vec<u8>,
    /// It is in that place, not synced yet.
    pending: bool,
}

impl Latest {
    /// Opens the file, making it if it is missing; also says what is in it.
    pub fn open(disk: &dyn Disk, dir: &Path) -> io::Result<(Self, Option<Vec<u8>>)> {
        let path = dir.join(FILE_NAME);
        let file = match disk.open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let file = disk.create(&path)?;
                // Room that is there already costs a change no more than its own bytes.
                disk::write_all(&*file, 0, &vec![0; 2 * SLOT_BYTES], &mut 0)?;
                file.sync()?;
                disk.sync_dir(dir)?;
                file
            }
            Err(e) => return Err(e),
        };
        // A process that ended may have left something unsynced: what is read here must stay.
        file.sync()?;
        let newest = read(&*file)?;
        let mut latest = Self { file, place: 0, revision: 0, slot: Vec::new(), pending: false };
        if let Some((place, revision, _)) = newest {
            (latest.revision, latest.place) = (revision, 1 - place);
        }
        Ok((latest, newest.map(|(_, _, text)| text)))
    }

    /// What is in it, without opening it for good.
    pub fn peek(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Vec<u8>>> {
        match disk.open(&dir.join(FILE_NAME)) {
            Ok(file) => Ok(read(&*file)?.map(|(_, _, text)| text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes it, unsynced. False: it is too long.
    pub fn write(&mut self, revision: u64, text: &[u8]) -> io::Result<bool> {
        if text.len() > SLOT_BYTES - HEAD_BYTES {
            return Ok(false);
        }
        self.slot = encode(revision, text);
        self.write_slot()?;
        (self.revision, self.pending) = (revision, true);
        Ok(true)
    }

    fn write_slot(&self) -> io::Result<()> {
        disk::write_all(&*self.file, (self.place * SLOT_BYTES) as u64, &self.slot, &mut 0)
    }

    pub fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    /// The file was synced after `revision` was written to it.
    pub fn synced(&mut self, revision: u64) {
        if revision == self.revision && std::mem::take(&mut self.pending) {
            self.place = 1 - self.place;
            // What it takes the place of is of no use any more, and what is synced is there whatever becomes of this.
            if let Err(error) = self.write_slot() {
                tracing::warn!(%error, "what this node remembers is there only once");
            }
        }
    }
}

/// The newest of the slots: its place, revision and text.
fn read(file: &dyn DiskFile) -> io::Result<Option<(usize, u64, Vec<u8>)>> {
    let mut slots = vec![0; 2 * SLOT_BYTES];
    let read = disk::read_full(file, 0, &mut slots)?;
    let slots = slots[..read].chunks_exact(SLOT_BYTES).enumerate();
    let valid =
        slots.filter_map(|(place, slot)| decode(slot).map(|(revision, text)| (place, revision, text)));
    let newest = valid.max_by_key(|(_, revision, _)| *revision);
    Ok(newest.map(|(place, revision, text)| (place, revision, text.to_vec())))
}

fn encode(revision: u64, text: &[u8]) -> Vec<u8> {
    let mut slot = vec![0; HEAD_BYTES];
    slot[4..8].copy_from_slice(&(text.len() as u32).to_le_bytes());
    slot[8..16].copy_from_slice(&revision.to_le_bytes());
    slot.extend_from_slice(text);
    let crc = crc32fast::hash(&slot[4..]);
    slot[0..4].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<(u64, &[u8])> {
    let number = |at: usize| Some(u32::from_le_bytes(*slot.get(at..at + 4)?.first_chunk()?));
    let (crc, length) = (number(0)?, number(4)? as usize);
    let revision = u64::from_le_bytes(*slot.get(8..16)?.first_chunk()?);
    let text = slot.get(HEAD_BYTES..HEAD_BYTES.checked_add(length)?)?;
    (revision > 0 && crc32fast::hash(&slot[4..HEAD_BYTES + length]) == crc).then_some((revision, text))
}
