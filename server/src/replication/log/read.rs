//! Reading the log while it is written: from the backlog in memory, or else from the segments.

use super::disk::{self, DiskFile};
use super::record::{self, Header, PREFIX_BYTES, Record, RecordError};
use super::segment::Segment;
use super::tail::Group;
use super::{Core, INDEX_EVERY_BYTES, LogError};
use crate::replication::position::{Offset, Position};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

/// What one read takes from a file.
const FILE_READ_BYTES: usize = 256 << 10;
/// What a chunk of the backlog costs besides its bytes.
const CHUNK_COST_BYTES: usize = 64;

/// What readers see, under a lock that is held for moments only.
pub struct View {
    segments: Vec<Segment>,
    /// Positions in the log, ascending, one for about each 256 KiB.
    index: VecDeque<Position>,
    chunks: VecDeque<(Position, Bytes)>,
    chunk_bytes: usize,
    chunk_bytes_max: usize,
    /// Where what is readable ends.
    written: Position,
    /// Rises with each cut, so that readers notice.
    cuts: u64,
    /// What must not be trimmed, and for how many.
    keeps: BTreeMap<Offset, usize>,
    /// There is damage before this: what is read from before it may not be sent.
    sound_from: Offset,
}

/// Bytes of the stream, starting at `start`, cut anywhere.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub start: Offset,
    pub bytes: Bytes,
}

/// Why a reader can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the log starts at {start}, after {wanted}")]
    Trimmed { wanted: Offset, start: Offset },
    #[error("the log ends at {end}, before {wanted}")]
    Beyond { wanted: Offset, end: Offset },
    #[error("the log was cut while it was read")]
    Cut,
    #[error("no record ends at {0}")]
    NoBoundary(Offset),
    #[error("record at offset {offset}: {source}")]
    Record { offset: Offset, source: RecordError },
    #[error(transparent)]
    Log(#[from] LogError),
}

/// While this is there the log is not trimmed beyond an offset.
pub struct Keep {
    core: Arc<Core>,
    offset: Offset,
}

impl Keep {
    /// `None` if the log does not reach back to it any more.
    pub(super) fn new(core: &Arc<Core>, offset: Offset) -> Option<Self> {
        let mut view = core.view.lock();
        if view.sound_from() > offset {
            return None;
        }
        *view.keeps.entry(offset).or_default() += 1;
        Some(Self { core: Arc::clone(core), offset })
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let mut view = self.core.view.lock();
        if let Some(count) = view.keeps.get_mut(&self.offset) {
            *count -= 1;
            if *count == 0 {
                view.keeps.remove(&self.offset);
            }
        }
    }
}

impl View {
    pub fn new(
        chunk_bytes_max: usize,
        segments: Vec<Segment>,
        index: VecDeque<Position>,
        written: Position,
    ) -> Self {
        let chunks = VecDeque::new();
        Self {
            segments,
            index,
            chunks,
            chunk_bytes: 0,
            chunk_bytes_max,
            written,
            cuts: 0,
            keeps: BTreeMap::new(),
            sound_from: 0,
        }
    }

    pub fn memory_bytes(&self) -> u64 {
        self.chunk_bytes as u64
    }

    /// Where the log starts that can still be read.
    pub fn start(&self) -> Position {
        match (self.segments.first(), self.chunks.front()) {
            (Some(segment), _) => segment.base,
            (None, Some((start, _))) => *start,
            (None, None) => self.written,
        }
    }

    /// From where on it can be sent.
    pub fn sound_from(&self) -> Offset {
        self.start().offset.max(self.sound_from)
    }

    /// From where on it can be sent now: what is in memory is right, whatever became of its file.
    pub fn sendable_from(&self) -> Offset {
        let remembered = self.chunks.front().map_or(self.written.offset, |(start, _)| start.offset);
        self.start().offset.max(self.sound_from.min(remembered))
    }

    pub fn distrust_before(&mut self, offset: Offset) {
        self.sound_from = self.sound_from.max(offset);
    }

    pub fn written(&self) -> Position {
        self.written
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub fn add_segment(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// A group is written: readers may have it.
    pub fn publish(&mut self, group: Group) {
        self.chunk_bytes += group.bytes.len() + CHUNK_COST_BYTES;
        self.chunks.push_back((group.start, group.bytes));
        self.written = group.end;
        let last = self.index.back().map_or(0, |p| p.offset);
        if group.end.offset >= last + INDEX_EVERY_BYTES {
            self.index.push_back(group.end);
        }
        while self.chunk_bytes > self.chunk_bytes_max
            && let Some((_, bytes)) = self.chunks.pop_front()
        {
            self.chunk_bytes -= bytes.len() + CHUNK_COST_BYTES;
        }
        if self.segments.is_empty() {
            self.forget_index();
        }
    }

    /// From where on somebody needs the log.
    pub fn kept_from(&self) -> Offset {
        self.keeps.first_key_value().map_or(Offset::MAX, |(offset, _)| *offset)
    }

    /// Drops the first `count` segments.
    pub fn trim(&mut self, count: usize) {
        self.segments.drain(..count);
        self.forget_index();
        let start = self.start().offset;
        while self.chunks.front().is_some_and(|(at, bytes)| at.offset + bytes.len() as u64 <= start) {
            let bytes = self.chunks.pop_front().map_or(0, |(_, bytes)| bytes.len());
            self.chunk_bytes -= bytes + CHUNK_COST_BYTES;
        }
    }

    fn forget_index(&mut self) {
        let start = self.start().offset;
        while self.index.front().is_some_and(|p| p.offset < start) {
            self.index.pop_front();
        }
    }

    /// Ends the readable log at `to`, with `segments` left.
    pub fn cut(&mut self, segments: Vec<Segment>, to: Position) {
        self.segments = segments;
        self.written = to;
        self.cuts += 1;
        self.chunks.clear();
        self.chunk_bytes = 0;
        self.sound_from = self.sound_from.min(to.offset);
        self.index.retain(|p| p.offset <= to.offset);
        self.forget_index();
    }

    /// The last known position at or before `offset`.
    pub fn known_before(&self, offset: Offset) -> Position {
        let mut best = self.start();
        let mut consider = |p: Position| {
            if p.offset <= offset && p.offset > best.offset {
                best = p;
            }
        };
        let next = self.index.partition_point(|p| p.offset <= offset);
        if let Some(p) = next.checked_sub(1).and_then(|i| self.index.get(i)) {
            consider(*p);
        }
        let next = self.chunks.partition_point(|(p, _)| p.offset <= offset);
        if let Some((p, _)) = next.checked_sub(1).and_then(|i| self.chunks.get(i)) {
            consider(*p);
        }
        let next = self.segments.partition_point(|s| s.base.offset <= offset);
        if let Some(segment) = next.checked_sub(1).and_then(|i| self.segments.get(i)) {
            consider(segment.base);
        }
        if self.written.offset <= offset {
            consider(self.written);
        }
        best
    }

    /// The first known end of a record after `offset`.
    pub fn known_after(&self, offset: Offset) -> Offset {
        let index = self.index.get(self.index.partition_point(|p| p.offset <= offset)).copied();
        let chunk =
            self.chunks.get(self.chunks.partition_point(|(p, _)| p.offset <= offset)).map(|(p, _)| *p);
        let segment =
            self.segments.get(self.segments.partition_point(|s| s.base.offset <= offset)).map(|s| s.base);
        let known = [index, chunk, segment].into_iter().flatten().map(|p| p.offset).min();
        known.unwrap_or(self.written.offset)
    }

    /// The file that holds what is at `offset`.
    pub fn segment_of(&self, offset: Offset) -> Option<&Segment> {
        let next = self.segments.partition_point(|s| s.base.offset <= offset);
        self.segments.get(next.checked_sub(1)?)
    }

    fn check(&self, wanted: Offset) -> Result<(), ReadError> {
        let (start, end) = (self.start().offset, self.written.offset);
        if wanted < start {
            Err(ReadError::Trimmed { wanted, start })
        } else if wanted > end {
            Err(ReadError::Beyond { wanted, end })
        } else {
            Ok(())
        }
    }
}

/// Raw bytes of the log, in order. Made by [`super::Log::reader`].
pub struct Reader {
    core: Arc<Core>,
    offset: Offset,
    cuts: u64,
}

enum Source {
    Memory(Bytes),
    File { file: Arc<dyn DiskFile>, segment: Segment, bytes: usize },
}

impl Reader {
    pub(super) fn open(core: &Arc<Core>, offset: Offset) -> Result<Self, ReadError> {
        let view = core.view.lock();
        view.check(offset)?;
        Ok(Self { core: Arc::clone(core), offset, cuts: view.cuts })
    }

    /// Where the next chunk starts.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The next bytes, at most `max`; `None` if there are no more for now: wait for [`super::Hooks::on_written`].
    /// From memory they are shared, not copied; from a file a read is at most 256 KiB.
    pub fn read(&mut self, max: usize) -> Result<Option<Chunk>, ReadError> {
        Ok(self.take(max)?.map(|(chunk, _)| chunk))
    }

    /// The same, and whether it came from a file.
    pub(super) fn take(&mut self, max: usize) -> Result<Option<(Chunk, bool)>, ReadError> {
        let Some(source) = self.find(max)? else { return Ok(None) };
        let from_file = matches!(source, Source::File { .. });
        let bytes = match source {
            Source::Memory(bytes) => bytes,
            Source::File { file, segment, bytes } => {
                let mut buf = vec![0; bytes];
                let read = disk::read_full(&*file, segment.place(self.offset), &mut buf)
                    .map_err(segment.error("read"))?;
                if self.is_cut() {
                    return Err(ReadError::Cut);
                }
                if read < bytes {
                    let short = io::ErrorKind::UnexpectedEof.into();
                    return Err(segment.error("read")(short).into());
                }
                buf.into()
            }
        };
        let start = self.offset;
        self.offset += bytes.len() as u64;
        Ok(Some((Chunk { start, bytes }, from_file)))
    }

    /// Whether the log was cut since this reader was opened.
    fn is_cut(&self) -> bool {
        self.core.view.lock().cuts != self.cuts
    }

    fn find(&self, max: usize) -> Result<Option<Source>, ReadError> {
        let view = self.core.view.lock();
        if view.cuts != self.cuts {
            return Err(ReadError::Cut);
        }
        view.check(self.offset)?;
        let left = view.written.offset - self.offset;
        if left == 0 || max == 0 {
            return Ok(None);
        }
        let next = view.chunks.partition_point(|(p, _)| p.offset <= self.offset);
        if let Some((start, bytes)) = next.checked_sub(1).and_then(|i| view.chunks.get(i)) {
            let skip = (self.offset - start.offset) as usize;
            let until = bytes.len().min(skip.saturating_add(max));
            return Ok(Some(Source::Memory(bytes.slice(skip..until))));
        }
        let next = view.segments.partition_point(|s| s.base.offset <= self.offset);
        let end = view.segments.get(next).map_or(view.written.offset, |s| s.base.offset);
        // Where memory begins a record does: what is read of a file is whole records, which can be verified.
        let end = view.chunks.front().map_or(end, |(start, _)| end.min(start.offset));
        let Some(segment) = view.segment_of(self.offset) else {
            return Err(ReadError::Trimmed { wanted: self.offset, start: view.start().offset });
        };
        let bytes = ((end - self.offset) as usize).min(max).min(FILE_READ_BYTES);
        Ok(Some(Source::File { file: Arc::clone(&segment.file), segment: segment.clone(), bytes }))
    }
}

/// Verified records, in order. Made by [`super::Log::records`].
pub struct Records {
    reader: Reader,
    at: Position,
    /// Bytes from `at` on.
    ahead: Bytes,
    /// A record surely ends here, wherever else some do.
    boundary: Offset,
}

impl Records {
    pub(super) fn open(core: &Arc<Core>, offset: Offset) -> Result<Self, ReadError> {
        let known = {
            let view = core.view.lock();
            view.check(offset)?;
            view.known_before(offset)
        };
        let reader = Reader::open(core, known.offset)?;
        let mut records = Self { reader, at: known, ahead: Bytes::new(), boundary: known.offset };
        while records.at.offset < offset {
            if records.next_until(Offset::MAX)?.is_none() {
                break;
            }
        }
        if records.at.offset == offset { Ok(records) } else { Err(ReadError::NoBoundary(offset)) }
    }

    /// Where the log stands before the next record.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The next record that ends at or before `limit`; `None` if there is none for now. Nothing that was cut: after a cut
    /// the records are opened anew.
    pub fn next_until(&mut self, limit: Offset) -> Result<Option<Record>, ReadError> {
        let start = self.at.offset;
        let bad = |source| ReadError::Record { offset: start, source };
        // What was read ahead may have been cut since, and another record may be in its place.
        if self.reader.is_cut() {
            return Err(ReadError::Cut);
        }
        if start >= limit || !self.gather(PREFIX_BYTES)? {
            return Ok(None);
        }
        let Some(header) = Header::parse(&self.ahead).map_err(bad)? else { return Ok(None) };
        self.fits(header)?;
        if start + header.total as u64 > limit || !self.gather(header.total)? {
            return Ok(None);
        }
        let end = record::verify(&self.ahead, header, self.at).map_err(bad)?;
        let mut payload = self.ahead.split_to(header.total);
        let (epoch, time_ms) = record::stamp(&payload);
        payload.advance(record::HEADER_BYTES);
        self.at = end;
        Ok(Some(Record { start, end, epoch, time_ms, payload }))
    }

    /// A record of damaged length would be waited for in vain, and all after it too.
    fn fits(&mut self, header: Header) -> Result<(), ReadError> {
        let offset = self.at.offset;
        if self.boundary <= offset {
            let view = self.reader.core.view.lock();
            if view.cuts != self.reader.cuts {
                return Err(ReadError::Cut);
            }
            self.boundary = view.known_after(offset);
        }
        if offset + header.total as u64 > self.boundary {
            let source = RecordError::Length((header.total - PREFIX_BYTES) as u32);
            return Err(ReadError::Record { offset, source });
        }
        Ok(())
    }

    /// Has at least `bytes` ahead, or says that they are not there yet.
    fn gather(&mut self, bytes: usize) -> Result<bool, ReadError> {
        if self.ahead.len() >= bytes {
            return Ok(true);
        }
        if self.ahead.is_empty() {
            match self.reader.read(usize::MAX)? {
                Some(chunk) => self.ahead = chunk.bytes,
                None => return Ok(false),
            }
        }
        if self.ahead.len() >= bytes {
            return Ok(true);
        }
        let mut whole = BytesMut::with_capacity(bytes);
        whole.extend_from_slice(&self.ahead);
        while whole.len() < bytes {
            match self.reader.read(usize::MAX)? {
                Some(chunk) => whole.extend_from_slice(&chunk.bytes),
                None => break,
            }
        }
        self.ahead = whole.freeze();
        Ok(self.ahead.len() >= bytes)
    }
}

pub fn position_at(core: &Arc<Core>, offset: Offset) -> Result<Position, ReadError> {
    {
        let view = core.view.lock();
        view.check(offset)?;
        let known = view.known_before(offset);
        if known.offset == offset {
            return Ok(known);
        }
    }
    Ok(Records::open(core, offset)?.position())
}
