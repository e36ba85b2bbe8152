//! Raw bytes of the log for a follower, verified on the way where they come from a file; and what is done once a file
//! turns out to be damaged while this process writes on.
//!
//! This process applied every record when it made or received it: what it has in memory is right, and only what others
//! would get of it is not. So the log is not stopped. What can't be sent any more is left behind ([`Core::distrust`]):
//! nobody is fed from before its end, the next records go to a new file, and the next snapshot takes its place.
//!
//! Verified as it passes, in bounded memory: of a record that turns out to be damaged the follower may have had the begin,
//! which it drops.

use super::read::{Chunk, ReadError, Reader};
use super::record::{self, HEADER_BYTES, Header, PREFIX_BYTES, RecordError};
use super::segment::Segment;
use super::{Core, LogError};
use crate::replication::position::{Epoch, Offset, Position};
use std::sync::Arc;

/// Made by [`super::Log::sender`].
pub struct Sender {
    core: Arc<Core>,
    reader: Reader,
    /// Absent while bytes come from memory.
    check: Option<Check>,
}

impl Sender {
    pub(super) fn open(core: &Arc<Core>, offset: Offset) -> Result<Self, ReadError> {
        let start = core.view.lock().sendable_from();
        if offset < start {
            return Err(ReadError::Trimmed { wanted: offset, start });
        }
        Ok(Self { core: Arc::clone(core), reader: Reader::open(core, offset)?, check: None })
    }

    /// Where the next chunk starts.
    pub fn offset(&self) -> Offset {
        self.reader.offset()
    }

    /// As [`Reader::read`].
    pub fn read(&mut self, max: usize) -> Result<Option<Chunk>, ReadError> {
        let start = self.reader.offset();
        match self.read_checked(start, max) {
            Err(error) if error.is_damage() => Err(self.core.damaged(error, start)),
            read => read,
        }
    }

    fn read_checked(&mut self, start: Offset, max: usize) -> Result<Option<Chunk>, ReadError> {
        let Some((chunk, from_file)) = self.reader.take(max)? else { return Ok(None) };
        if !from_file {
            self.check = None;
            return Ok(Some(chunk));
        }
        if self.check.as_ref().is_none_or(|check| check.seen != start) {
            self.catch_up(start)?;
        }
        if let Some(check) = &mut self.check {
            check.feed(&self.core, &chunk.bytes)?;
        }
        Ok(Some(chunk))
    }

    /// Reads from the last place that is known up to here, which may be within a record.
    fn catch_up(&mut self, start: Offset) -> Result<(), ReadError> {
        let known = self.core.view.lock().known_before(start);
        let check = self.check.insert(Check::new(known));
        let mut before = Reader::open(&self.core, known.offset)?;
        while check.seen < start {
            let Some((chunk, _)) = before.take((start - check.seen) as usize)? else { break };
            check.feed(&self.core, &chunk.bytes)?;
        }
        Ok(())
    }
}

/// Verifies records as they pass, however they are cut.
struct Check {
    /// Where the last good record ended.
    at: Position,
    /// Where the bytes ended that passed.
    seen: Offset,
    /// A record surely ends here, wherever else some do.
    boundary: Offset,
    head: Vec<u8>,
    body: Option<Body>,
}

/// The rest of a record, whose header passed.
struct Body {
    crc: u32,
    epoch: Epoch,
    /// The whole record, and what of it did not pass yet.
    total: usize,
    left: usize,
    hasher: crc32fast::Hasher,
}

impl Check {
    fn new(at: Position) -> Self {
        Self { at, seen: at.offset, boundary: at.offset, head: Vec::with_capacity(HEADER_BYTES), body: None }
    }

    fn feed(&mut self, core: &Core, mut bytes: &[u8]) -> Result<(), ReadError> {
        while !bytes.is_empty() {
            let offset = self.at.offset;
            let used = self.step(core, bytes).map_err(|source| ReadError::Record { offset, source })?;
            self.seen += used as u64;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// Takes what belongs to one header or one body; says how much that was.
    fn step(&mut self, core: &Core, bytes: &[u8]) -> Result<usize, RecordError> {
        if let Some(body) = &mut self.body {
            let part = bytes.len().min(body.left);
            body.hasher.update(&bytes[..part]);
            body.left -= part;
            self.end_record()?;
            return Ok(part);
        }
        let part = bytes.len().min(HEADER_BYTES - self.head.len());
        self.head.extend_from_slice(&bytes[..part]);
        if let Some(header) = Header::parse(&self.head)?.filter(|_| self.head.len() == HEADER_BYTES) {
            self.fits(core, header)?;
            let mut hasher = crc32fast::Hasher::new_with_initial(self.at.crc);
            hasher.update(&self.head[PREFIX_BYTES..]);
            let (epoch, _) = record::stamp(&self.head);
            let (crc, total) = (header.crc, header.total);
            self.body = Some(Body { crc, epoch, total, left: total - HEADER_BYTES, hasher });
            self.end_record()?;
        }
        Ok(part)
    }

    /// A length that is damaged would have the rest of the log pass as one record.
    fn fits(&mut self, core: &Core, header: Header) -> Result<(), RecordError> {
        if self.boundary <= self.at.offset {
            self.boundary = core.view.lock().known_after(self.at.offset);
        }
        let total = header.total as u64;
        if self.at.offset + total > self.boundary {
            return Err(RecordError::Length((total - PREFIX_BYTES as u64) as u32));
        }
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), RecordError> {
        let Some(body) = self.body.take_if(|body| body.left == 0) else { return Ok(()) };
        let expected = body.hasher.finalize();
        if expected != body.crc {
            return Err(RecordError::Checksum { expected, found: body.crc });
        }
        if body.epoch < self.at.epoch {
            return Err(RecordError::EpochFalls { before: self.at.epoch, found: body.epoch });
        }
        let offset = self.at.offset + body.total as u64;
        self.at = Position { epoch: body.epoch, offset, crc: body.crc };
        self.head.clear();
        Ok(())
    }
}

impl ReadError {
    /// The file is not what was written to it.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Record { .. } | Self::Log(LogError::Io { .. } | LogError::Corrupt { .. }))
    }
}

impl Core {
    /// Says which file is damaged and where, and leaves it behind. `offset` is where it was read.
    pub(super) fn damaged(&self, error: ReadError, offset: Offset) -> ReadError {
        let (offset, what) = match &error {
            ReadError::Record { offset, source } => (*offset, source.to_string()),
            ReadError::Log(LogError::Io { source, .. }) => (offset, source.to_string()),
            _ => return error,
        };
        let segment = self.view.lock().segment_of(offset).cloned();
        let Some(segment) = segment else { return error };
        self.distrust(offset);
        let error = LogError::Corrupt { at: segment.place(offset), path: segment.path, offset, what };
        tracing::error!(%error, "the log is damaged: it is not sent any more, and the next snapshot takes its place");
        error.into()
    }

    /// What is at `offset` can't be read. Nothing is sent any more from before the end of its file, which is ended here if
    /// it is the one that is written.
    fn distrust(&self, offset: Offset) {
        let mut writer = self.writer.lock();
        let next = {
            let view = self.view.lock();
            view.segments().iter().map(|segment| segment.base.offset).find(|base| *base > offset)
        };
        if next.is_none()
            && writer.stuck.is_none()
            && let Some(dir) = writer.dir.clone()
        {
            match Segment::create(&*self.disk, &dir, writer.written, writer.written_time_ms) {
                Ok(segment) => {
                    self.view.lock().add_segment(segment.clone());
                    writer.dir_unsynced = true;
                    writer.unsynced.push(segment.clone());
                    writer.active = Some(segment);
                }
                // What is written next goes where the damage is, and a later snapshot is needed to be rid of it.
                Err(error) => tracing::warn!(%error, "can't begin a new file of the log"),
            }
        }
        let sound = next.unwrap_or(writer.written.offset);
        self.view.lock().distrust_before(sound);
    }
}
