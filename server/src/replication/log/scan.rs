//! Reads one segment from begin to end and verifies it, in bounded memory however large a record is.

use super::disk;
use super::record::{self, HEADER_BYTES, Header, RecordError};
use super::segment::Segment;
use super::{INDEX_EVERY_BYTES, LogError};
use crate::replication::position::{EpochStart, Position};

const BUFFER_BYTES: usize = 1 << 20;

pub struct Scanned {
    /// Where the good records end.
    pub end: Position,
    /// The highest time of a record, 0 without one.
    pub time_ms: u64,
    pub epochs: Vec<EpochStart>,
    pub index: Vec<Position>,
    /// Why it ends before the file does.
    pub stop: Option<Stop>,
}

pub struct Stop {
    pub what: String,
    /// The file ends within the record, as after a write that did not finish.
    pub at_end_of_file: bool,
}

pub fn scan(segment: &Segment) -> Result<Scanned, LogError> {
    scan_with(segment, |_| {})
}

/// The same, and tells where each good record ends.
pub fn scan_with(segment: &Segment, mut each: impl FnMut(Position)) -> Result<Scanned, LogError> {
    let size = segment.file.size().map_err(segment.error("read"))?;
    let at = segment.place(segment.base.offset);
    let left = size - at;
    let buffer = vec![0; BUFFER_BYTES.min(left as usize)];
    let mut input = Input { segment, at, left, buffer, used: 0, filled: 0 };
    let mut found =
        Scanned { end: segment.base, time_ms: 0, epochs: Vec::new(), index: Vec::new(), stop: None };
    let mut indexed = segment.base.offset;
    while found.stop.is_none() && input.left > 0 {
        let start = found.end;
        match next(&mut input, start)? {
            Ok((end, time_ms)) => {
                if end.epoch != start.epoch {
                    found.epochs.push(EpochStart { epoch: end.epoch, start: start.offset });
                }
                if end.offset >= indexed + INDEX_EVERY_BYTES {
                    indexed = end.offset;
                    found.index.push(end);
                }
                each(end);
                found.end = end;
                found.time_ms = found.time_ms.max(time_ms);
            }
            Err(stop) => found.stop = Some(stop),
        }
    }
    Ok(found)
}

/// A segment's bytes, a buffer at a time.
struct Input<'a> {
    segment: &'a Segment,
    /// The byte of the file that follows the buffer.
    at: u64,
    /// Bytes of the file that are not consumed.
    left: u64,
    buffer: Vec<u8>,
    used: usize,
    filled: usize,
}

impl Input<'_> {
    /// Up to `want` bytes, fewer only where the file ends; at most a buffer of them.
    fn peek(&mut self, want: usize) -> Result<&[u8], LogError> {
        if self.filled - self.used < want {
            self.buffer.copy_within(self.used..self.filled, 0);
            self.filled -= self.used;
            self.used = 0;
            let free = &mut self.buffer[self.filled..];
            let read =
                disk::read_full(&*self.segment.file, self.at, free).map_err(self.segment.error("read"))?;
            self.at += read as u64;
            self.filled += read;
        }
        Ok(&self.buffer[self.used..self.filled])
    }

    fn consume(&mut self, bytes: usize) {
        self.used += bytes;
        self.left = self.left.saturating_sub(bytes as u64);
    }
}

/// Whether a record that seems to go on after the end of the file is in fact whole, and only its length is damaged: then
/// its checksum fits to what is there, or to a part of it.
fn is_whole(input: &mut Input, before: Position, crc: u32) -> Result<bool, LogError> {
    let mut hasher = crc32fast::Hasher::new_with_initial(before.crc);
    input.consume(record::PREFIX_BYTES);
    loop {
        let bytes = input.peek(1)?;
        let length = bytes.len();
        if length == 0 {
            return Ok(false);
        }
        for byte in bytes {
            hasher.update(std::slice::from_ref(byte));
            if hasher.clone().finalize() == crc {
                return Ok(true);
            }
        }
        input.consume(length);
    }
}

type Next = Result<(Position, u64), Stop>;

fn next(input: &mut Input, before: Position) -> Result<Next, LogError> {
    let short = || Err(Stop { what: "the file ends within a record".to_owned(), at_end_of_file: true });
    let bad = |error: RecordError| Err(Stop { what: error.to_string(), at_end_of_file: false });
    let left = input.left;
    let head = input.peek(HEADER_BYTES)?;
    let header = match Header::parse(head) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(short()),
        Err(error) => return Ok(bad(error)),
    };
    if head.len() < HEADER_BYTES {
        return Ok(short());
    }
    if header.total as u64 > left {
        let wrong = RecordError::Length((header.total - record::PREFIX_BYTES) as u32);
        return Ok(if is_whole(input, before, header.crc)? { bad(wrong) } else { short() });
    }
    let (epoch, time_ms) = record::stamp(head);
    let mut hasher = crc32fast::Hasher::new_with_initial(before.crc);
    input.consume(record::PREFIX_BYTES);
    let mut todo = header.total - record::PREFIX_BYTES;
    while todo > 0 {
        let bytes = input.peek(1)?;
        let part = bytes.len().min(todo);
        if part == 0 {
            return Ok(short());
        }
        hasher.update(&bytes[..part]);
        input.consume(part);
        todo -= part;
    }
    let expected = hasher.finalize();
    if expected != header.crc {
        return Ok(bad(RecordError::Checksum { expected, found: header.crc }));
    }
    if epoch < before.epoch {
        return Ok(bad(RecordError::EpochFalls { before: before.epoch, found: epoch }));
    }
    Ok(Ok((Position { epoch, offset: before.offset + header.total as u64, crc: header.crc }, time_ms)))
}
