//! Getting damage out of the way: what a log can't be read past is moved beside it, never removed, and the log ends
//! before it. Only for a node that has others to heal from; see [`crate::replication::storage`].

use super::LogError;
use super::disk::{self, Disk};
use super::mark::{self, Mark};
use super::recover::{self, Found};
use crate::replication::position::Position;
use std::path::{Path, PathBuf};

/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;
/// The good part of a damaged segment, while it is being copied.
const PART_NAME: &str = "part";

pub fn set_aside(disk: &dyn Disk, dir: &Path, aside: &Path, base: Position) -> Result<(), LogError> {
    let bases = recover::bases(disk, dir)?;
    let mut found = Found::empty(base);
    if let Some((i, tear)) = recover::read_all(disk, dir, &mut found, &bases)? {
        // The last one first, so that a crash in between leaves a log without a gap.
        for base in bases[i + 1..].iter().rev() {
            move_file(disk, &dir.join(super::segment::file_name(*base)), aside)?;
        }
        if tear.at > 0 {
            keep_part(disk, &tear.path, tear.at, aside)?;
        } else {
            move_file(disk, &tear.path, aside)?;
        }
    }
    let path = dir.join(mark::FILE_NAME);
    let mut mark = Mark::open(disk, dir).map_err(LogError::io("open", &path))?;
    mark.lower(found.end.offset).map_err(LogError::io("write", &path))
}

/// Puts a file under a name that is free into `aside`.
pub fn move_file(disk: &dyn Disk, path: &Path, aside: &Path) -> Result<(), LogError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    let to = free_name(disk, aside, name)?;
    disk.rename(path, &to).map_err(LogError::io("move", path))?;
    disk.sync_dir(aside).map_err(LogError::io("sync", aside))?;
    disk.sync_dir(dir).map_err(LogError::io("sync", dir))
}

fn free_name(disk: &dyn Disk, aside: &Path, name: &str) -> Result<PathBuf, LogError> {
    disk.create_dir(aside).map_err(LogError::io("create", aside))?;
    let taken = disk.list(aside).map_err(LogError::io("list", aside))?;
    let free = |name: &String| !taken.contains(name);
    let again = (2u32..).map(|number| format!("{name}.{number}"));
    let name = std::iter::once(name.to_owned()).chain(again).find(free);
    Ok(aside.join(name.unwrap_or_default()))
}

/// Moves a segment, and leaves a copy of its first `bytes` in its place.
fn keep_part(disk: &dyn Disk, path: &Path, bytes: u64, aside: &Path) -> Result<(), LogError> {
    disk.create_dir(aside).map_err(LogError::io("create", aside))?;
    let part = aside.join(PART_NAME);
    let copy = || {
        let (from, to) = (disk.open(path)?, disk.create(&part)?);
        let (mut at, mut buffer) = (0, vec![0; COPY_BYTES]);
        while at < bytes {
            let want = (bytes - at).min(COPY_BYTES as u64) as usize;
            let read = disk::read_full(&*from, at, &mut buffer[..want])?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            disk::write_all(&*to, at, &buffer[..read], &mut 0)?;
            at += read as u64;
        }
        to.sync()
    };
    copy().map_err(LogError::io("copy the good part of", path))?;
    move_file(disk, path, aside)?;
    disk.rename(&part, path).map_err(LogError::io("move", &part))?;
    match path.parent() {
        Some(dir) => disk.sync_dir(dir).map_err(LogError::io("sync", dir)),
        None => Ok(()),
    }
}
