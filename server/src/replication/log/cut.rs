//! Making the log shorter: at its end, at its start, or altogether. And closing it.
//!
//! Files go one at a time, the directory synced after each, in the order that leaves no gap: a crash in between
//! leaves a longer log, never one with a hole.

use super::disk::Disk;
use super::mark::{self, Mark};
use super::segment::{self, Segment};
use super::write::Writer;
use super::{Core, LogError, STATE_FULL, STATE_WELL, read};
use crate::replication::position::{EpochStart, Offset, Position};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Core {
    pub(super) fn truncate(self: &Arc<Self>, to: Position) -> Result<(), LogError> {
        let mut mark = self.syncing.lock();
        let mut writer = self.writer.lock();
        self.tail.lock().forget_partial();
        if let Err(error) = self.write_tail(&mut writer)
            && (!matches!(error, LogError::Full) || to.offset > writer.written.offset)
        {
            return Err(error);
        }
        if !read::position_at(self, to.offset).is_ok_and(|at| at == to) {
            return Err(LogError::NotContained(to));
        }
        let segments = self.view.lock().segments().to_vec();
        let (keep, drop) = segments.split_at(segments.partition_point(|s| s.base.offset <= to.offset));
        self.rewind(&mut writer, keep.to_vec(), to);
        Self::lower_mark(&mut mark, to.offset)
            .and_then(|()| self.remove_files(&writer, drop.iter().rev()))
            .and_then(|()| match keep.last() {
                Some(last) => {
                    last.file.truncate(last.place(to.offset)).map_err(last.error("cut"))?;
                    last.file.sync().map_err(last.error("sync"))
                }
                None => Ok(()),
            })
            .map_err(|e| self.fail(e))
    }

    pub(super) fn reset(self: &Arc<Self>, to: Position) -> Result<(), LogError> {
        let mut mark = self.syncing.lock();
        let mut writer = self.writer.lock();
        let segments = self.view.lock().segments().to_vec();
        self.rewind(&mut writer, Vec::new(), to);
        {
            let mut tail = self.tail.lock();
            let epoch = EpochStart { epoch: to.epoch, start: to.offset };
            tail.set_epochs(if to.epoch > 0 { vec![epoch] } else { Vec::new() });
        }
        Self::lower_mark(&mut mark, 0)
            .and_then(|()| self.remove_files(&writer, segments.iter().rev()))
            .and_then(|()| self.begin_at(&mut writer, to))
            .map_err(|e| self.fail(e))?;
        // All before `to` is in the snapshot, which is safe.
        let _order = self.order.lock();
        self.synced.store(to.offset, Ordering::Release);
        self.held.store(to.offset, Ordering::Release);
        Ok(())
    }

    /// Makes the first segment of an emptied log, so that where it starts is known after a crash.
    fn begin_at(&self, writer: &mut Writer, to: Position) -> Result<(), LogError> {
        let Some(dir) = writer.dir.clone() else { return Ok(()) };
        let segment = Segment::create(&*self.disk, &dir, to, writer.written_time_ms)
            .map_err(LogError::io("create a segment in", &dir))?;
        segment.file.sync().map_err(segment.error("sync"))?;
        self.disk.sync_dir(&dir).map_err(LogError::io("sync", &dir))?;
        self.view.lock().add_segment(segment.clone());
        writer.active = Some(segment);
        Ok(())
    }

    /// Sets memory back to `to`.
    fn rewind(&self, writer: &mut Writer, segments: Vec<Segment>, to: Position) {
        let mut tail = self.tail.lock();
        tail.rewind(to);
        writer.stuck = None;
        // Nothing waits for room any more; the next write finds out anew.
        self.state.compare_exchange(STATE_FULL, STATE_WELL, Ordering::AcqRel, Ordering::Acquire).ok();
        writer.written = to;
        writer.unsynced.retain(|s| segments.iter().any(|kept| kept.base == s.base));
        writer.active = segments.last().cloned();
        self.view.lock().cut(segments, to);
        let _order = self.order.lock();
        self.appended.store(to.offset, Ordering::Release);
        self.written.store(to.offset, Ordering::Release);
        self.synced.store(self.synced.load(Ordering::Acquire).min(to.offset), Ordering::Release);
        self.held.store(self.held.load(Ordering::Acquire).min(to.offset), Ordering::Release);
    }

    fn lower_mark(mark: &mut Option<Mark>, to: Offset) -> Result<(), LogError> {
        match mark {
            Some(mark) => mark.lower(to).map_err(LogError::io("write", mark::FILE_NAME.as_ref())),
            None => Ok(()),
        }
    }

    fn remove_files<'a>(
        &self,
        writer: &Writer,
        segments: impl Iterator<Item = &'a Segment>,
    ) -> Result<(), LogError> {
        let Some(dir) = &writer.dir else { return Ok(()) };
        for segment in segments {
            match self.disk.remove(&segment.path) {
                // It was moved away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(segment.error("remove"))?,
            }
            self.disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
        }
        Ok(())
    }

    pub(super) fn abandon(self: &Arc<Self>, aside: &Path, to: Position) -> Result<(), LogError> {
        let segments = self.view.lock().segments().to_vec();
        for segment in segments.iter().rev() {
            super::aside::move_file(&*self.disk, &segment.path, aside)?;
        }
        self.reset(to)
    }

    pub(super) fn trim(&self, before: Offset) -> Result<u64, LogError> {
        let _syncing = self.syncing.lock();
        let (gone, start) = {
            let mut view = self.view.lock();
            let before = before.min(view.kept_from());
            let segments = view.segments();
            // The segment that is to be the first must be on disk, its name too, before the last one before it goes.
            let synced = self.synced.load(Ordering::Acquire);
            let droppable = |base: Offset| base <= before && base < synced;
            let gone = segments.windows(2).take_while(|pair| droppable(pair[1].base.offset)).count();
            let gone = segments[..gone].to_vec();
            view.trim(gone.len());
            (gone, view.start())
        };
        let Some(first) = gone.first() else { return Ok(0) };
        self.tail.lock().trim(start.offset);
        let dir = self.writer.lock().dir.clone();
        for segment in &gone {
            self.disk.remove(&segment.path).map_err(segment.error("remove"))?;
            if let Some(dir) = &dir {
                self.disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
            }
        }
        Ok(start.offset - first.base.offset)
    }

    pub(super) fn close(&self) -> Result<Position, LogError> {
        self.write_out()?;
        let mut mark = self.syncing.lock();
        self.sync_locked(&mut mark)?;
        if let Some(mark) = &*mark {
            mark.sync().map_err(LogError::io("sync", mark::FILE_NAME.as_ref()))?;
        }
        Ok(self.writer.lock().written)
    }
}

pub fn wipe(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    disk.create_dir(dir).map_err(LogError::io("create", dir))?;
    Mark::open(disk, dir)
        .and_then(|mut mark| mark.lower(0))
        .map_err(LogError::io("lower the mark in", dir))?;
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let mut bases: Vec<Offset> = names.iter().filter_map(|name| segment::parse_name(name)).collect();
    bases.sort_unstable();
    for base in bases.iter().rev() {
        let path = dir.join(segment::file_name(*base));
        disk.remove(&path).map_err(LogError::io("remove", &path))?;
        disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
    }
    Ok(())
}
