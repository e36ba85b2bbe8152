//! From the tail to the disk: group commit, new segments, fsync.

use super::disk;
use super::mark::Mark;
use super::segment::{self, Segment};
use super::tail::Group;
use super::{Core, Fsync, LogError, STATE_FAILED, STATE_FULL, STATE_WELL};
use crate::replication::position::{Offset, Position};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// The writing side. Whoever holds its lock writes for all who appended before.
pub struct Writer {
    /// `None` keeps nothing on disk.
    pub dir: Option<PathBuf>,
    pub active: Option<Segment>,
    /// Files with bytes that are written and not synced, oldest first.
    pub unsynced: Vec<Segment>,
    /// Names were made that a crash would lose.
    pub dir_unsynced: bool,
    /// Where the files end.
    pub written: Position,
    pub written_time_ms: u64,
    /// A group that the disk had no room for, and how many of its bytes it took.
    pub stuck: Option<(Group, usize)>,
}

impl Writer {
    pub fn new(
        dir: Option<PathBuf>,
        active: Option<Segment>,
        written: Position,
        written_time_ms: u64,
    ) -> Self {
        Self { dir, active, unsynced: Vec::new(), dir_unsynced: false, written, written_time_ms, stuck: None }
    }
}

impl Core {
    pub(super) fn flush(&self) -> Result<(), LogError> {
        match self.policy() {
            Fsync::Always if self.background => {
                if self.synced.load(Ordering::Acquire) < self.appended.load(Ordering::Acquire) {
                    self.signal.raise();
                }
                self.usable()
            }
            Fsync::Always => {
                self.write_out()?;
                self.sync().map(drop)
            }
            Fsync::Everysec | Fsync::No => self.write_out(),
        }
    }

    fn usable(&self) -> Result<(), LogError> {
        match self.state.load(Ordering::Acquire) {
            STATE_WELL => Ok(()),
            STATE_FULL => Err(LogError::Full),
            _ => Err(LogError::Failed),
        }
    }

    /// Writes everything that was appended before the call.
    pub(super) fn write_out(&self) -> Result<(), LogError> {
        let target = self.appended.load(Ordering::Acquire);
        if self.written.load(Ordering::Acquire) >= target {
            return Ok(());
        }
        let mut writer = self.writer.lock();
        if self.written.load(Ordering::Acquire) >= target {
            // Whoever held the lock wrote our bytes too.
            return Ok(());
        }
        self.write_tail(&mut writer)
    }

    /// Writes the whole tail, under the writer's lock.
    pub(super) fn write_tail(&self, writer: &mut Writer) -> Result<(), LogError> {
        if self.state.load(Ordering::Acquire) == STATE_FAILED {
            return Err(LogError::Failed);
        }
        loop {
            let (group, mut done) = match writer.stuck.take() {
                Some(stuck) => stuck,
                None => match self.tail.lock().take() {
                    Some(group) => (group, 0),
                    None => break,
                },
            };
            match self.write_group(writer, &group, &mut done) {
                Ok(()) => self.publish(writer, group),
                Err(error) => {
                    writer.stuck = Some((group, done));
                    return Err(self.write_failed(error));
                }
            }
        }
        self.state.compare_exchange(STATE_FULL, STATE_WELL, Ordering::AcqRel, Ordering::Acquire).ok();
        Ok(())
    }

    fn write_failed(&self, error: LogError) -> LogError {
        match error {
            LogError::Io { ref source, .. } if disk::is_full(source) => {
                if self.state.swap(STATE_FULL, Ordering::AcqRel) == STATE_WELL {
                    tracing::error!(%error, "no room for the log");
                }
                LogError::Full
            }
            error => self.fail(error),
        }
    }

    fn write_group(&self, writer: &mut Writer, group: &Group, done: &mut usize) -> Result<(), LogError> {
        let Some(dir) = &writer.dir else { return Ok(()) };
        let full = |s: &Segment| group.start.offset - s.base.offset >= self.segment_bytes;
        let segment = match &writer.active {
            Some(segment) if *done > 0 || !full(segment) => segment,
            _ => {
                let path = dir.join(segment::file_name(group.start.offset));
                let segment = Segment::create(&*self.disk, dir, group.start, writer.written_time_ms)
                    .map_err(|source| LogError::Io { doing: "create", path, source })?;
                writer.dir_unsynced = true;
                self.view.lock().add_segment(segment.clone());
                writer.active.insert(segment)
            }
        };
        if writer.unsynced.last().is_none_or(|s| s.base.offset != segment.base.offset) {
            writer.unsynced.push(segment.clone());
        }
        disk::write_all(&*segment.file, segment.place(group.start.offset), &group.bytes, done)
            .map_err(segment.error("write"))
    }

    fn publish(&self, writer: &mut Writer, group: Group) {
        let end = group.end;
        writer.written = end;
        writer.written_time_ms = group.time_ms;
        self.view.lock().publish(group);
        {
            let _order = self.order.lock();
            self.written.store(end.offset, Ordering::Release);
            if writer.dir.is_none() {
                self.synced.store(end.offset, Ordering::Release);
            }
            (self.hooks.on_written)(end.offset);
        }
        self.raise_held();
    }

    /// Makes all that is written outlast a crash. Writers go on meanwhile.
    pub(super) fn sync(&self) -> Result<Offset, LogError> {
        self.sync_locked(&mut self.syncing.lock())
    }

    /// As `sync`, by a caller that holds `syncing`.
    pub(super) fn sync_locked(&self, mark: &mut Option<Mark>) -> Result<Offset, LogError> {
        if self.state.load(Ordering::Acquire) == STATE_FAILED {
            return Err(LogError::Failed);
        }
        let (segments, dir, upto) = {
            let mut writer = self.writer.lock();
            let dir = if std::mem::take(&mut writer.dir_unsynced) { writer.dir.clone() } else { None };
            let segments = std::mem::take(&mut writer.unsynced);
            (segments, dir, writer.written.offset)
        };
        self.sync_files(&segments, dir.as_deref(), mark, upto).map_err(|e| self.fail(e))?;
        {
            let _order = self.order.lock();
            self.synced.fetch_max(upto, Ordering::AcqRel);
        }
        self.raise_held();
        Ok(upto)
    }

    fn sync_files(
        &self,
        segments: &[Segment],
        dir: Option<&Path>,
        mark: &mut Option<Mark>,
        upto: Offset,
    ) -> Result<(), LogError> {
        for segment in segments {
            let synced = segment.file.sync().map_err(segment.error("sync"));
            if !crate::mutant::is_planted(30) {
                synced?;
            }
        }
        if let Some(dir) = dir {
            self.disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
        }
        if let Some(mark) = mark
            && mark.offset() < upto
            && !segments.is_empty()
        {
            let noted = mark.note(upto);
            // With each new segment the mark itself becomes durable: it is never much behind.
            let noted = if dir.is_some() { noted.and_then(|()| mark.sync()) } else { noted };
            match noted {
                // A mark that stays behind is true all the same.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
                noted => noted.map_err(LogError::io("write", Path::new(super::mark::FILE_NAME)))?,
            }
        }
        Ok(())
    }
}
