//! What a log directory holds, without bringing it in order: for whoever wants to know and must not change anything.

use super::LogError;
use super::disk::Disk;
use super::mark::{self, Mark};
use super::recover::{self, Tear};
use super::scan;
use super::segment::{self, HeaderError};
use crate::replication::position::{Epoch, Offset, Position};
use std::path::{Path, PathBuf};

/// One file.
pub struct Segment {
    pub name: String,
    /// `None`: its header can't be read.
    pub base: Option<Position>,
    /// Where its good records end.
    pub end: Position,
    pub records: u64,
    pub bytes: u64,
    /// Of its first and its last good record.
    pub epochs: Option<(Epoch, Epoch)>,
    /// All of it is good.
    pub good: bool,
}

pub struct Examined {
    /// Below it everything is known to have been fsynced.
    pub mark: Offset,
    pub start: Position,
    /// Where the records end that follow each other without damage.
    pub end: Position,
    /// Up to where the files reach, as their names and sizes say.
    pub claimed: Offset,
    pub segments: Vec<Segment>,
    pub tear: Option<Tear>,
    /// The log went through the position that was asked for.
    pub went_through: bool,
}

/// Reads all segments. A log without any stands at `wanted`.
pub fn examine(disk: &dyn Disk, dir: &Path, wanted: Position) -> Result<Examined, LogError> {
    let mark = Mark::peek(disk, dir).map_err(LogError::io("read", &dir.join(mark::FILE_NAME)))?;
    let mut found = Examined {
        mark,
        start: wanted,
        end: wanted,
        claimed: 0,
        segments: Vec::new(),
        tear: None,
        went_through: true,
    };
    for (i, base) in recover::bases(disk, dir)?.into_iter().enumerate() {
        if i == 0 {
            found.went_through = false;
        }
        let path = dir.join(segment::file_name(base));
        found.take(disk, path, base, i == 0, wanted)?;
    }
    Ok(found)
}

impl Examined {
    fn take(
        &mut self,
        disk: &dyn Disk,
        path: PathBuf,
        base: Offset,
        first: bool,
        wanted: Position,
    ) -> Result<(), LogError> {
        let file = disk.open(&path).map_err(LogError::io("open", &path))?;
        let bytes = file.size().map_err(LogError::io("read", &path))?;
        self.claimed = self.claimed.max(base + bytes.saturating_sub(segment::HEADER_BYTES));
        let mut seen = Segment {
            name: segment::file_name(base),
            base: None,
            end: Position::START,
            records: 0,
            bytes,
            epochs: None,
            good: false,
        };
        let opened = match segment::Segment::open(disk, path.clone()) {
            Ok(opened) if opened.base.offset == base => opened,
            Ok(_) | Err(HeaderError::Damaged) => {
                self.unreadable(seen, path, base, &HeaderError::Damaged);
                return Ok(());
            }
            Err(HeaderError::Short) => {
                self.unreadable(seen, path, base, &HeaderError::Short);
                return Ok(());
            }
            Err(HeaderError::Newer(format)) => return Err(LogError::Newer { path, format }),
            Err(HeaderError::Io(source)) => return Err(LogError::Io { doing: "read", path, source }),
        };
        if first {
            (self.start, self.end) = (opened.base, opened.base);
        }
        let chained = self.tear.is_none() && opened.base == self.end;
        self.went_through |= chained && opened.base == wanted;
        let mut passed = false;
        let scanned = scan::scan_with(&opened, |end| {
            seen.records += 1;
            let first = seen.epochs.map_or(end.epoch, |(first, _)| first);
            seen.epochs = Some((first, end.epoch));
            passed |= end == wanted;
        })?;
        (seen.base, seen.end, seen.good) = (Some(opened.base), scanned.end, scanned.stop.is_none());
        self.segments.push(seen);
        if self.tear.is_some() {
            return Ok(());
        }
        if !chained {
            let what = format!("it follows {}, but the one before ends at {}", opened.base, self.end);
            let offset = self.end.offset.min(base);
            self.tear = Some(Tear { path, at: 0, offset, what, suspect: true });
            return Ok(());
        }
        self.went_through |= passed;
        self.end = scanned.end;
        if let Some(stop) = scanned.stop {
            let (at, offset) = (opened.place(scanned.end.offset), scanned.end.offset);
            self.tear = Some(Tear { path, at, offset, what: stop.what, suspect: !stop.at_end_of_file });
        }
        Ok(())
    }

    fn unreadable(&mut self, seen: Segment, path: PathBuf, base: Offset, error: &HeaderError) {
        self.segments.push(seen);
        if self.tear.is_none() {
            let what = error.to_string();
            self.tear = Some(Tear { path, at: 0, offset: base, what, suspect: true });
        }
    }
}
