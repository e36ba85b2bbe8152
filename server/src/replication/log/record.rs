//! One record: `len u32 | crc u32 | epoch u64 | time_ms u64 | payload`, little endian.
//!
//! `len` counts epoch, time and payload. `crc` is the crc32 of those, seeded by the crc of the record before, so
//! the last crc of a log names its whole history.

use crate::replication::position::{Epoch, Offset, Position};
use bytes::Bytes;

/// Bytes of a record before its payload.
pub const HEADER_BYTES: usize = 24;
/// Bytes that `len` does not count.
pub const PREFIX_BYTES: usize = 8;
/// The largest payload: one command's effects, or one transaction's.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 31;

const FIXED_BYTES: usize = HEADER_BYTES - PREFIX_BYTES;

/// One entry of the log: the effects of one command, transaction or script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it starts in the stream, in bytes.
    pub start: Offset,
    /// Where the log stands after it.
    pub end: Position,
    pub epoch: Epoch,
    /// The leader's clock when it was made, in milliseconds since 1970.
    pub time_ms: u64,
    pub payload: Bytes,
}

/// Why bytes are not the next record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("record of impossible length {0}")]
    Length(u32),
    #[error("checksum {found:08x} where {expected:08x} was computed")]
    Checksum { expected: u32, found: u32 },
    #[error("epoch falls from {before} to {found}")]
    EpochFalls { before: Epoch, found: Epoch },
}

/// The first fields of a record.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The whole record with its header.
    pub total: usize,
    pub crc: u32,
}

impl Header {
    /// Reads length and checksum, once enough bytes are there.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, RecordError> {
        let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let both = u64::from_le_bytes(*prefix);
        let (len, crc) = (both as u32, (both >> 32) as u32);
        if (len as usize) < FIXED_BYTES || len as usize > FIXED_BYTES + PAYLOAD_BYTES_MAX {
            return Err(RecordError::Length(len));
        }
        Ok(Some(Self { total: PREFIX_BYTES + len as usize, crc }))
    }
}

/// Fills in the header of `record`, whose payload is in place, and returns its checksum.
pub fn seal(record: &mut [u8], epoch: Epoch, time_ms: u64, seed: u32) -> u32 {
    let len = (record.len() - PREFIX_BYTES) as u32;
    record[8..16].copy_from_slice(&epoch.to_le_bytes());
    record[16..24].copy_from_slice(&time_ms.to_le_bytes());
    let crc = checksum(seed, &record[PREFIX_BYTES..]);
    record[0..4].copy_from_slice(&len.to_le_bytes());
    record[4..8].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// The running checksum after `body`.
pub fn checksum(seed: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(body);
    hasher.finalize()
}

/// Epoch and time of a record of which at least the header is there.
pub fn stamp(record: &[u8]) -> (Epoch, u64) {
    let field = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&record[at..at + 8]);
        u64::from_le_bytes(word)
    };
    (field(8), field(16))
}

/// Checks one whole record that follows `before`; returns where the log then stands.
pub fn verify(record: &[u8], header: Header, before: Position) -> Result<Position, RecordError> {
    let expected = checksum(before.crc, &record[PREFIX_BYTES..header.total]);
    if expected != header.crc {
        return Err(RecordError::Checksum { expected, found: header.crc });
    }
    let (epoch, _) = stamp(record);
    if epoch < before.epoch {
        return Err(RecordError::EpochFalls { before: before.epoch, found: epoch });
    }
    Ok(Position { epoch, offset: before.offset + header.total as u64, crc: header.crc })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(payload: &[u8], epoch: Epoch, seed: u32) -> Vec<u8> {
        let mut record = vec![0; HEADER_BYTES];
        record.extend_from_slice(payload);
        seal(&mut record, epoch, 77, seed);
        record
    }

    #[test]
    fn a_sealed_record_verifies_only_after_its_own_past() {
        let record = sealed(b"effect", 3, 9);
        let header = Header::parse(&record).unwrap().unwrap();
        let before = Position { epoch: 3, offset: 100, crc: 9 };
        let end = verify(&record, header, before).unwrap();
        assert_eq!((end.epoch, end.offset), (3, 130));
        assert_eq!(stamp(&record), (3, 77));
        let other = Position { crc: 10, ..before };
        assert!(matches!(verify(&record, header, other), Err(RecordError::Checksum { .. })));
        let later = Position { epoch: 4, ..before };
        assert!(matches!(verify(&record, header, later), Err(RecordError::EpochFalls { .. })));
    }

    #[test]
    fn any_flipped_bit_after_the_length_is_seen() {
        let record = sealed(b"some payload", 1, 0);
        for bit in 32..record.len() * 8 {
            let mut bad = record.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let header = Header::parse(&bad).unwrap().unwrap();
            assert!(verify(&bad, header, Position::START).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert_eq!(Header::parse(&[0; 8]).unwrap_err(), RecordError::Length(0));
        assert!(Header::parse(&[255; 8]).is_err());
        assert!(Header::parse(&[1; 7]).unwrap().is_none());
    }
}
