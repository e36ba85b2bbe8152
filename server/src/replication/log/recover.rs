//! Opening what an earlier process left: verify everything, cut a torn tail, refuse damage before it.

use super::LogError;
use super::disk::Disk;
use super::mark::{self, Mark};
use super::scan::{self, Scanned};
use super::segment::{self, HeaderError, Segment};
use crate::replication::position::{EpochStart, Offset, Position};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The first position of the log.
    pub start: Position,
    /// Where it ends now.
    pub end: Position,
    pub segments: usize,
    /// Time of its last record, 0 if none is known.
    pub last_time_ms: u64,
    /// The torn tail that was cut off, if there was one.
    pub cut: Option<Cut>,
}

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub path: PathBuf,
    /// Byte in the file from which it was cut.
    pub at: u64,
    pub offset: Offset,
    /// How many bytes were dropped, of this and later segments.
    pub bytes: u64,
    pub what: String,
    /// It is not the mere begin of a write: a machine that crashed before it synced leaves this, or a damaged disk.
    /// Records that this node held may be among what is gone, so it must not lead on its own word.
    pub suspect: bool,
}

pub struct Found {
    pub segments: Vec<Segment>,
    pub index: VecDeque<Position>,
    pub epochs: Vec<EpochStart>,
    pub start: Position,
    pub end: Position,
    pub time_ms: u64,
    pub cut: Option<Cut>,
    pub mark: Option<Mark>,
}

impl Found {
    pub fn empty(base: Position) -> Self {
        let mut found = Self {
            segments: Vec::new(),
            index: VecDeque::new(),
            epochs: Vec::new(),
            start: base,
            end: base,
            time_ms: 0,
            cut: None,
            mark: None,
        };
        found.start_at(base);
        found
    }

    fn start_at(&mut self, base: Position) {
        self.start = base;
        self.end = base;
        self.epochs.clear();
        if base.epoch > 0 {
            self.epochs.push(EpochStart { epoch: base.epoch, start: base.offset });
        }
    }

    pub fn report(&self) -> Recovered {
        Recovered {
            start: self.start,
            end: self.end,
            segments: self.segments.len(),
            last_time_ms: self.time_ms,
            cut: self.cut.clone(),
        }
    }
}

/// Where the good part of the log stops, and why.
pub struct Tear {
    pub path: PathBuf,
    /// Byte in the file; 0: the whole file is of no use.
    pub at: u64,
    pub offset: Offset,
    pub what: String,
    pub suspect: bool,
}

/// Reads all that is in `dir` and brings it in order; afterwards everything in it is synced. `doubt` is called before
/// a suspect tail is cut.
pub fn recover(
    disk: &dyn Disk,
    dir: &Path,
    base: Position,
    doubt: &mut dyn FnMut() -> Result<(), LogError>,
) -> Result<Found, LogError> {
    let io = LogError::io;
    disk.create_dir(dir).map_err(io("create", dir))?;
    let mut mark = Mark::open(disk, dir).map_err(io("open", &dir.join(mark::FILE_NAME)))?;
    let bases = bases(disk, dir)?;
    let mut found = Found::empty(base);
    if let Some((i, mut torn)) = read_all(disk, dir, &mut found, &bases)? {
        refuse_newer(disk, dir, &bases[i..])?;
        refuse_below(&mark, &torn)?;
        torn.suspect |= bases.len() > i + 1;
        if torn.suspect {
            doubt()?;
        }
        cut(disk, dir, &mut found, torn, &bases[i..])?;
    }
    let last = found.segments.last();
    refuse_below(
        &mark,
        &Tear {
            path: last.map_or_else(|| dir.to_owned(), |s| s.path.clone()),
            at: last.map_or(0, |s| s.place(found.end.offset)),
            offset: found.end.offset,
            what: "it ends before what was synced".to_owned(),
            suspect: true,
        },
    )?;
    settle(disk, dir, &found, &mut mark)?;
    found.mark = Some(mark);
    Ok(found)
}

/// The segments in `dir`, by their names.
pub fn bases(disk: &dyn Disk, dir: &Path) -> Result<Vec<Offset>, LogError> {
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let mut bases: Vec<Offset> = names.iter().filter_map(|name| segment::parse_name(name)).collect();
    bases.sort_unstable();
    Ok(bases)
}

/// Reads segments one after the other, up to the one that stops being good: which that is, and where.
pub fn read_all(
    disk: &dyn Disk,
    dir: &Path,
    found: &mut Found,
    bases: &[Offset],
) -> Result<Option<(usize, Tear)>, LogError> {
    for (i, base) in bases.iter().enumerate() {
        let path = dir.join(segment::file_name(*base));
        if let Some(torn) = take_segment(disk, found, path, *base, i == 0)? {
            return Ok(Some((i, torn)));
        }
    }
    Ok(None)
}

/// Damage below the mark is corruption, never a torn tail.
fn refuse_below(mark: &Mark, tear: &Tear) -> Result<(), LogError> {
    let Tear { path, at, offset, what, .. } = tear;
    if *offset >= mark.offset() {
        return Ok(());
    }
    Err(LogError::Corrupt { path: path.clone(), at: *at, offset: *offset, what: what.clone() })
}

/// What a newer program wrote after a tear is not for this one to throw away.
fn refuse_newer(disk: &dyn Disk, dir: &Path, bases: &[Offset]) -> Result<(), LogError> {
    for base in bases {
        let path = dir.join(segment::file_name(*base));
        if let Err(HeaderError::Newer(format)) = Segment::open(disk, path.clone()) {
            return Err(LogError::Newer { path, format });
        }
    }
    Ok(())
}

/// Adds one segment's records to `found`, up to where they stop being good.
fn take_segment(
    disk: &dyn Disk,
    found: &mut Found,
    path: PathBuf,
    base: Offset,
    first: bool,
) -> Result<Option<Tear>, LogError> {
    let torn = |path: &Path, at, offset, what, suspect| {
        Ok(Some(Tear { path: path.to_owned(), at, offset, what, suspect }))
    };
    let segment = match Segment::open(disk, path.clone()) {
        Ok(segment) if segment.base.offset == base => segment,
        Ok(_) | Err(HeaderError::Damaged) => {
            return torn(&path, 0, base, HeaderError::Damaged.to_string(), true);
        }
        // The process ended while it made the file.
        Err(HeaderError::Short) => return torn(&path, 0, base, HeaderError::Short.to_string(), false),
        Err(HeaderError::Newer(format)) => return Err(LogError::Newer { path, format }),
        Err(HeaderError::Io(source)) => return Err(LogError::Io { doing: "read", path, source }),
    };
    if first {
        found.start_at(segment.base);
        found.time_ms = segment.base_time_ms;
    } else if segment.base != found.end {
        let what = format!("it follows {}, but the one before ends at {}", segment.base, found.end);
        return torn(&path, 0, found.end.offset.min(base), what, true);
    }
    let Scanned { end, time_ms, epochs, index, stop } = scan::scan(&segment)?;
    let at = segment.place(end.offset);
    found.end = end;
    found.time_ms = found.time_ms.max(time_ms);
    found.epochs.extend(epochs);
    found.index.extend(index);
    found.segments.push(segment);
    match stop {
        None => Ok(None),
        Some(stop) => torn(&path, at, end.offset, stop.what, !stop.at_end_of_file),
    }
}

/// Cuts the log at `tear`, found in the first of `bases`, and drops the segments after it, the last one first, so
/// that a crash in between leaves a log without a gap.
fn cut(disk: &dyn Disk, dir: &Path, found: &mut Found, tear: Tear, bases: &[Offset]) -> Result<(), LogError> {
    let mut bytes = 0;
    for base in bases.iter().rev() {
        let path = dir.join(segment::file_name(*base));
        let file = disk.open(&path).map_err(LogError::io("open", &path))?;
        let size = file.size().map_err(LogError::io("read", &path))?;
        if path == tear.path && tear.at > 0 {
            bytes += size - tear.at;
            file.truncate(tear.at).map_err(LogError::io("cut", &path))?;
            file.sync().map_err(LogError::io("sync", &path))?;
        } else {
            bytes += size.saturating_sub(segment::HEADER_BYTES);
            disk.remove(&path).map_err(LogError::io("remove", &path))?;
            disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
        }
    }
    let Tear { path, at, offset, what, suspect } = tear;
    tracing::warn!(file = %path.display(), at, offset, bytes, suspect, what, "cut the log's torn tail");
    found.cut = Some(Cut { path, at, offset, bytes, what, suspect });
    Ok(())
}

/// Syncs what an earlier process may have only written, or only cut: what this one serves must outlast a crash, and
/// what was cut must not come back.
fn settle(disk: &dyn Disk, dir: &Path, found: &Found, mark: &mut Mark) -> Result<(), LogError> {
    let end = found.end.offset;
    disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
    if found.segments.is_empty() {
        return Ok(());
    }
    let ends = found.segments.iter().skip(1).map(|s| s.base.offset).chain([end]);
    for (segment, end) in found.segments.iter().zip(ends) {
        if end >= mark.offset() {
            segment.file.sync().map_err(segment.error("sync"))?;
        }
    }
    let noted = mark.note(end).and_then(|()| mark.sync());
    noted.map_err(LogError::io("write", &dir.join(mark::FILE_NAME)))
}
