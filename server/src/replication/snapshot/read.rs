//! Reading a snapshot: block by block to load it, or its bytes to send them.

use super::super::log::disk::{self, Disk, DiskFile};
use super::{BLOCK_HEADER_BYTES, FORMAT, Header, Info, Kind, MAGIC, PREAMBLE_BYTES, SnapshotError};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One block of entries, verified.
#[derive(Clone, Debug)]
pub struct Block {
    pub kind: Kind,
    /// Where it starts in the file.
    pub at: u64,
    payload: Bytes,
}

/// Checksum of kind and payload of the block at byte `at`.
pub fn block_crc(at: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(at as u32);
    hasher.update(body);
    hasher.finalize()
}

impl Block {
    /// Its entries, without a copy. An entry that does not fit the block ends them; [`Loader`] has ruled that out.
    pub fn entries(&self) -> Entries {
        Entries { rest: self.payload.clone() }
    }
}

/// The entries of one block.
pub struct Entries {
    rest: Bytes,
}

impl Iterator for Entries {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let len = u32::from_le_bytes(*self.rest.first_chunk::<4>()?) as usize;
        if self.rest.len() < 4 + len {
            return None;
        }
        let mut entry = self.rest.split_to(4 + len);
        Some(entry.split_off(4))
    }
}

/// A block as it was read: other threads may verify it.
pub struct Unverified {
    path: Arc<Path>,
    at: u64,
    crc: u32,
    body: Bytes,
}

impl Unverified {
    /// The block, if its checksum is right and its entries fit; and how many these are.
    pub fn verify(self) -> Result<(Block, u64), SnapshotError> {
        let corrupt = |what: &str| SnapshotError::Corrupt {
            path: self.path.to_path_buf(),
            at: self.at,
            what: what.to_owned(),
        };
        if block_crc(self.at, &self.body) != self.crc {
            return Err(corrupt("a block's checksum does not match"));
        }
        let mut payload = self.body.clone();
        let kind = Kind(payload.split_to(1)[0]);
        let block = Block { kind, at: self.at, payload };
        if matches!(kind, Kind::HEADER | Kind::FOOTER) {
            return Ok((block, 0));
        }
        let mut all = block.entries();
        let count = all.by_ref().count() as u64;
        if !all.rest.is_empty() {
            return Err(corrupt("an entry does not fit its block"));
        }
        Ok((block, count))
    }
}

/// Loads a snapshot, a block at a time, each verified. Blocks may be verified and decoded by other threads.
pub struct Loader {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    header: Header,
    at: u64,
    size: u64,
    blocks: u64,
    entries: u64,
    /// Blocks and entries by the footer, and where that is.
    footer: Option<(Bytes, u64)>,
    shared_path: Arc<Path>,
}

impl Loader {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, SnapshotError> {
        let file = disk.open(path).map_err(SnapshotError::io("open", path))?;
        let size = file.size().map_err(SnapshotError::io("read", path))?;
        let mut preamble = [0; PREAMBLE_BYTES as usize];
        disk::read_full(&*file, 0, &mut preamble).map_err(SnapshotError::io("read", path))?;
        let mut loader = Self {
            path: path.to_owned(),
            file,
            header: Header::default(),
            at: 0,
            size,
            blocks: 0,
            entries: 0,
            footer: None,
            shared_path: path.into(),
        };
        let (magic, versions) = preamble.split_at(MAGIC.len());
        if magic != MAGIC || versions[4..] != [0; 4] {
            return Err(loader.corrupt(0, "it does not start as a snapshot"));
        }
        let format = versions.first_chunk().map_or(0, |v| u32::from_le_bytes(*v));
        if format > FORMAT {
            return Err(SnapshotError::Newer { path: path.to_owned(), format });
        }
        if format < FORMAT {
            return Err(loader.corrupt(8, "a format that never was"));
        }
        loader.at = PREAMBLE_BYTES;
        let (first, _) = loader.read_unverified()?.verify()?;
        loader.header = match serde_json::from_slice(&first.payload) {
            Ok(header) if first.kind == Kind::HEADER => header,
            _ => return Err(loader.corrupt(first.at, "its header can't be read")),
        };
        Ok(loader)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes read and bytes in all, to show progress.
    pub fn progress(&self) -> (u64, u64) {
        (self.at, self.size)
    }

    /// The next block of entries; `None` once the footer confirmed that all were there.
    pub fn next_block(&mut self) -> Result<Option<Block>, SnapshotError> {
        match self.next_unverified()? {
            Some(read) => {
                let (block, entries) = read.verify()?;
                self.entries += entries;
                Ok(Some(block))
            }
            None => self.confirm(self.entries).map(|()| None),
        }
    }

    /// The next block of entries, to be verified elsewhere; `None` after the last, when [`Loader::confirm`] is due.
    pub fn next_unverified(&mut self) -> Result<Option<Unverified>, SnapshotError> {
        if self.footer.is_some() {
            return Ok(None);
        }
        let read = self.read_unverified()?;
        if read.body[0] != Kind::FOOTER.0 {
            return Ok(Some(read));
        }
        let (footer, _) = read.verify()?;
        self.footer = Some((footer.payload, footer.at));
        Ok(None)
    }

    /// Whether so many entries are all that were written.
    pub fn confirm(&self, entries: u64) -> Result<(), SnapshotError> {
        let Some((payload, at)) = &self.footer else { return Err(self.corrupt(self.at, "it has no footer")) };
        // The footer is no block before itself.
        let expected = [(self.blocks - 1).to_le_bytes(), entries.to_le_bytes()].concat();
        if *payload != expected || self.at != self.size {
            return Err(self.corrupt(*at, "its footer does not match what is before it"));
        }
        Ok(())
    }

    fn read_unverified(&mut self) -> Result<Unverified, SnapshotError> {
        let at = self.at;
        let mut head = [0; 8];
        let read = self.read(at, &mut head)?;
        let [len, crc] = [0, 4].map(|i| head[i..].first_chunk().map_or(0, |w| u32::from_le_bytes(*w)));
        if read < head.len() || len as usize <= BLOCK_HEADER_BYTES - 8 {
            return Err(self.corrupt(at, "a block is cut short"));
        }
        if u64::from(len) > self.size.saturating_sub(at + 8) {
            return Err(self.corrupt(at, "a block goes past the end of the file"));
        }
        let mut body = vec![0; len as usize];
        if self.read(at + 8, &mut body)? < body.len() {
            return Err(self.corrupt(at, "a block is cut short"));
        }
        self.at = at + 8 + u64::from(len);
        self.blocks += 1;
        Ok(Unverified { path: Arc::clone(&self.shared_path), at, crc, body: body.into() })
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<usize, SnapshotError> {
        disk::read_full(&*self.file, at, buf).map_err(SnapshotError::io("read", &self.path))
    }

    fn corrupt(&self, at: u64, what: &str) -> SnapshotError {
        SnapshotError::Corrupt { path: self.path.clone(), at, what: what.to_owned() }
    }
}

/// A snapshot file's bytes, in order, to send them. Each block is verified when its last byte is read, so a file that is
/// damaged is never read to its end; and none of it is kept, however large a block is.
pub struct Raw {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    at: u64,
    bytes: u64,
    passing: Passing,
}

/// Verifies blocks as they pass, however they are cut.
#[derive(Default)]
struct Passing {
    /// Where the present block starts.
    at: u64,
    /// Its length and checksum, as far as they passed.
    head: Vec<u8>,
    crc: u32,
    left: usize,
    hasher: crc32fast::Hasher,
    /// Its kind, and what comes after it as far as it fits a footer.
    begin: Vec<u8>,
    blocks: u64,
    ended: bool,
}

/// The kind, how many blocks, how many entries.
const FOOTER_BYTES: usize = 1 + 8 + 8;

impl Passing {
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.ended {
                return Err("there is more after its footer");
            }
            let part = if self.left > 0 {
                let part = bytes.len().min(self.left);
                self.hasher.update(&bytes[..part]);
                let room = (FOOTER_BYTES - self.begin.len()).min(part);
                self.begin.extend_from_slice(&bytes[..room]);
                self.left -= part;
                part
            } else {
                let part = bytes.len().min(8 - self.head.len());
                self.head.extend_from_slice(&bytes[..part]);
                part
            };
            bytes = &bytes[part..];
            if self.head.len() == 8 && self.left == 0 {
                self.turn()?;
            }
        }
        Ok(())
    }

    /// The head of a block is complete, or its end is reached.
    fn turn(&mut self) -> Result<(), &'static str> {
        let [len, crc] = [0, 4].map(|i| self.head[i..].first_chunk().map_or(0, |w| u32::from_le_bytes(*w)));
        if self.begin.is_empty() {
            if len as usize <= BLOCK_HEADER_BYTES - 8 {
                return Err("a block is cut short");
            }
            (self.crc, self.left) = (crc, len as usize);
            self.hasher = crc32fast::Hasher::new_with_initial(self.at as u32);
            return Ok(());
        }
        if std::mem::take(&mut self.hasher).finalize() != self.crc {
            return Err("a block's checksum does not match");
        }
        if self.begin[0] == Kind::FOOTER.0 {
            if self.begin.get(1..9) != Some(&self.blocks.to_le_bytes()[..]) {
                return Err("its footer does not match what is before it");
            }
            self.ended = true;
        }
        self.at += 8 + u64::from(len);
        self.blocks += 1;
        self.head.clear();
        self.begin.clear();
        Ok(())
    }
}

impl Raw {
    pub(super) fn open(disk: &dyn Disk, info: &Info) -> Result<Self, SnapshotError> {
        let file = disk.open(&info.path).map_err(SnapshotError::io("open", &info.path))?;
        let passing = Passing { at: PREAMBLE_BYTES, ..Passing::default() };
        Ok(Self { path: info.path.clone(), file, at: 0, bytes: info.bytes, passing })
    }

    /// How many bytes the file has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the next chunk starts.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, at most `max`; `None` at the end.
    pub fn read(&mut self, max: usize) -> Result<Option<Bytes>, SnapshotError> {
        let want = (self.bytes - self.at).min(max as u64) as usize;
        if want == 0 {
            let ended = self.passing.ended || self.at < self.bytes;
            return if ended { Ok(None) } else { Err(self.corrupt("it has no footer")) };
        }
        let mut buf = vec![0; want];
        let read =
            disk::read_full(&*self.file, self.at, &mut buf).map_err(SnapshotError::io("read", &self.path))?;
        if read < want {
            let (path, at) = (self.path.clone(), self.at + read as u64);
            return Err(SnapshotError::Corrupt { path, at, what: "the file became shorter".to_owned() });
        }
        let skip = PREAMBLE_BYTES.saturating_sub(self.at).min(want as u64) as usize;
        self.passing.pass(&buf[skip..]).map_err(|what| self.corrupt(what))?;
        self.at += want as u64;
        Ok(Some(buf.into()))
    }

    fn corrupt(&self, what: &str) -> SnapshotError {
        SnapshotError::Corrupt { path: self.path.clone(), at: self.passing.at, what: what.to_owned() }
    }
}
