//! One file of the log: a header, then records back to back.
//!
//! Header, 48 bytes, little endian: magic `BOTLOG\r\n`, format version u32, crc32 of the rest u32,
//! base offset u64, epoch at base u64, time of the record before base u64, crc at base u32, zero u32.

use super::LogError;
use super::disk::{self, Disk, DiskFile};
use crate::replication::position::{Offset, Position};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const HEADER_BYTES: u64 = 48;
const MAGIC: [u8; 8] = *b"BOTLOG\r\n";
const FORMAT: u32 = 1;

/// An open segment file.
#[derive(Clone)]
pub struct Segment {
    pub base: Position,
    /// Time of the record before base.
    pub base_time_ms: u64,
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
}

/// Why a file does not start as a segment.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("its header is cut short")]
    Short,
    #[error("its header is damaged")]
    Damaged,
    #[error("it has format {0}, which is newer than this program")]
    Newer(u32),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub fn file_name(base: Offset) -> String {
    format!("{base:020}.log")
}

/// The base offset in a segment's name.
pub fn parse_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(".log")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

impl Segment {
    /// Makes the file that follows `base`. Its name lasts once the directory is synced.
    pub fn create(disk: &dyn Disk, dir: &Path, base: Position, base_time_ms: u64) -> io::Result<Self> {
        let path = dir.join(file_name(base.offset));
        let file = disk.create(&path)?;
        let header = encode(base, base_time_ms);
        disk::write_all(&*file, 0, &header, &mut 0)?;
        Ok(Self { base, base_time_ms, file, path })
    }

    pub fn open(disk: &dyn Disk, path: PathBuf) -> Result<Self, HeaderError> {
        let file = disk.open(&path)?;
        let mut header = [0; HEADER_BYTES as usize];
        let read = disk::read_full(&*file, 0, &mut header)?;
        if read < header.len() {
            return Err(HeaderError::Short);
        }
        let (base, base_time_ms) = decode(&header)?;
        Ok(Self { base, base_time_ms, file, path })
    }

    /// Where in the file the stream's byte `offset` is.
    pub fn place(&self, offset: Offset) -> u64 {
        HEADER_BYTES + (offset - self.base.offset)
    }

    pub fn error(&self, doing: &'static str) -> impl FnOnce(io::Error) -> LogError + use<> {
        LogError::io(doing, &self.path)
    }
}

fn encode(base: Position, time_ms: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..24].copy_from_slice(&base.offset.to_le_bytes());
    header[24..32].copy_from_slice(&base.epoch.to_le_bytes());
    header[32..40].copy_from_slice(&time_ms.to_le_bytes());
    header[40..44].copy_from_slice(&base.crc.to_le_bytes());
    let crc = header_crc(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

fn header_crc(header: &[u8; HEADER_BYTES as usize]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..12]);
    hasher.update(&header[16..]);
    hasher.finalize()
}

fn decode(header: &[u8; HEADER_BYTES as usize]) -> Result<(Position, u64), HeaderError> {
    let long = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&header[at..at + 8]);
        u64::from_le_bytes(word)
    };
    if header[0..8] != MAGIC {
        return Err(HeaderError::Damaged);
    }
    let format = long(8) as u32;
    if format > FORMAT && !crate::mutant::is_planted(28) {
        return Err(HeaderError::Newer(format));
    }
    if header_crc(header) != (long(8) >> 32) as u32 {
        return Err(HeaderError::Damaged);
    }
    let base = Position { offset: long(16), epoch: long(24), crc: long(40) as u32 };
    Ok((base, long(32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_show_damage() {
        let base = Position { epoch: 7, offset: 1 << 40, crc: 0xdead_beef };
        let header = encode(base, 12345);
        assert_eq!(decode(&header).unwrap(), (base, 12345));
        for bit in 0..header.len() * 8 {
            let mut bad = header;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_are_offsets() {
        assert_eq!(parse_name(&file_name(42)), Some(42));
        assert_eq!(parse_name("42.log"), None);
        assert_eq!(parse_name("synced"), None);
    }
}
