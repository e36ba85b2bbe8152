//! `botellier-server check DIR`: what a data directory holds and what of it is damaged, while no server has it open.
//!
//! Without `--repair` nothing is written: the disk that everything is read through can't. With it only what a start would
//! do as well, or what costs nothing: a torn end is cut off, what was left unfinished is removed, a snapshot that others
//! stand in for is moved to `damaged/`. Damage in the middle, and of `meta.json`, is explained and left as it is.
//!
//! Deliberately absent: what the records and entries mean. Their checksums are right or they are damaged.

mod log;
mod read_only;
mod repair;
mod snapshots;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::log::disk::Disk;
use super::meta::{LOCK_NAME, Meta, MetaError, MetaFile};
use super::storage::ASIDE_NAME;
use read_only::ReadOnly;

/// What came of it: the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Whole = 0,
    Damaged = 1,
    /// It could not be examined.
    Unknown = 2,
}

/// Something that is not as it should be.
#[derive(Debug)]
pub struct Finding {
    /// The file, and the byte at which it stops being good.
    pub place: String,
    pub what: String,
    pub cure: Cure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cure {
    /// A start would do the same, or nothing is lost by it: `--repair` does it.
    Safe,
    /// Only a peer or a backup has what is missing.
    Peer,
    /// Who the node is can't be read. The data may be good, but nobody could say whose it is.
    Identity,
}

impl Finding {
    fn identity(path: &Path, what: String) -> Self {
        Self { place: path.display().to_string(), what, cure: Cure::Identity }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Why a directory can't be examined.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("can't {doing} {path}: {source}")]
    Io { doing: &'static str, path: String, source: io::Error },
    #[error("{0} is in use by a server that runs")]
    InUse(String),
    #[error("{0} is no data directory: it has no meta.json")]
    NoData(String),
    #[error(transparent)]
    Log(#[from] super::log::LogError),
    #[error(transparent)]
    Snapshot(#[from] super::snapshot::SnapshotError),
    #[error(transparent)]
    Meta(#[from] super::meta::MetaError),
    #[error(transparent)]
    Storage(#[from] super::storage::StorageError),
}

impl CheckError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        move |source| Self::Io { doing, path, source }
    }
}

/// Examines `dir`, with `repair` makes good what can be made good without loss, and says so line by line.
pub fn run(dir: &Path, repair: bool, out: &mut dyn Write) -> Verdict {
    match examine(dir, repair, out) {
        Ok(verdict) => verdict,
        Err(error) => {
            // Whoever reads it is gone if this fails.
            let _ = writeln!(out, "can't be examined: {error}");
            Verdict::Unknown
        }
    }
}

fn examine(dir: &Path, repair: bool, out: &mut dyn Write) -> Result<Verdict, CheckError> {
    let lock = lock(dir)?;
    let findings = look(dir, &(Arc::new(ReadOnly) as Arc<dyn Disk>), out)?;
    if findings.is_empty() {
        say(out, "whole")?;
        return Ok(Verdict::Whole);
    }
    for finding in &findings {
        say(out, &format!("damage: {finding}"))?;
    }
    let worst = findings.iter().map(|finding| finding.cure).max();
    if !repair || worst != Some(Cure::Safe) {
        say(out, advice(worst))?;
        return Ok(Verdict::Damaged);
    }
    // The repair takes the lock as a server does.
    drop(lock);
    repair::repair(dir, out)?;
    let left = look(dir, &(Arc::new(ReadOnly) as Arc<dyn Disk>), &mut io::sink())?;
    for finding in &left {
        say(out, &format!("damage: {finding}"))?;
    }
    say(out, if left.is_empty() { "whole now" } else { "still damaged" })?;
    Ok(if left.is_empty() { Verdict::Whole } else { Verdict::Damaged })
}

fn advice(worst: Option<Cure>) -> &'static str {
    match worst {
        Some(Cure::Identity) => {
            "not repaired: the node does not know who it is, and will not start. In a cluster, empty the directory: it \
             then starts as a new node and has a copy from the leader. A server alone starts without meta.json, with \
             the data that is here."
        }
        Some(Cure::Peer) => {
            "not repaired: what is damaged can't be had from this directory. Start the node in its cluster: it keeps \
             what is good, does not lead, and is healed by a copy from the leader. A server alone needs a backup."
        }
        _ => "damaged, and nothing that is needed is lost: --repair makes it good, and so does a start",
    }
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), CheckError> {
    writeln!(out, "{line}").map_err(|source| CheckError::Io {
        doing: "write to",
        path: "the output".into(),
        source,
    })
}

/// Keeps servers away meanwhile. The file is not made: without it no server ever was here.
fn lock(dir: &Path) -> Result<Option<File>, CheckError> {
    std::fs::read_dir(dir).map_err(CheckError::io("read", dir))?;
    let path = dir.join(LOCK_NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CheckError::io("open", &path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(CheckError::InUse(dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(CheckError::io("lock", &path)(error)),
    }
}

/// Reads everything, tells of each file, and returns what is wrong.
fn look(dir: &Path, disk: &Arc<dyn Disk>, out: &mut dyn Write) -> Result<Vec<Finding>, CheckError> {
    let mut findings = Vec::new();
    let meta = match MetaFile::peek(&**disk, dir) {
        Ok(Some(meta)) => Some(meta),
        Ok(None) => return Err(CheckError::NoData(dir.display().to_string())),
        Err(MetaError::Damaged { path, source }) => {
            findings.push(Finding::identity(&path, format!("it can't be read: {source}")));
            None
        }
        Err(MetaError::Corrupt { path, what }) => {
            findings.push(Finding::identity(&path, what));
            None
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(meta) = &meta {
        tell_meta(meta, out)?;
    }
    let found = snapshots::look(dir, disk, out)?;
    let log = log::look(dir, disk, found.newest_whole(), out)?;
    let replaced = found.replaces_all();
    findings.extend(found.findings(&log));
    if !replaced {
        findings.extend(log.findings);
    }
    let aside = disk.list(&dir.join(ASIDE_NAME)).unwrap_or_default();
    if !aside.is_empty() {
        say(out, &format!("{ASIDE_NAME}/: {} file(s) that were moved out of the way", aside.len()))?;
    }
    if let Some(damage) = meta.and_then(|meta| meta.damage) {
        let what = format!("{damage}; it waits for a copy from the leader");
        findings.push(Finding { place: "meta.json".into(), what, cure: Cure::Peer });
    }
    Ok(findings)
}

fn tell_meta(meta: &Meta, out: &mut dyn Write) -> Result<(), CheckError> {
    let cluster = meta.cluster.as_deref().unwrap_or("none");
    say(
        out,
        &format!("meta.json: incarnation {}, cluster {cluster}, format {}", meta.incarnation, meta.format),
    )?;
    if let Some(config) = &meta.config {
        let name = |role: &str| config[role]["id"].as_str().unwrap_or("nobody").to_owned();
        let (epoch, version) = (config["epoch"].as_u64(), config["version"].as_u64());
        say(
            out,
            &format!(
                "  last configuration: epoch {}, version {}, leader {}, synced {}",
                epoch.unwrap_or_default(),
                version.unwrap_or_default(),
                name("leader"),
                name("synced")
            ),
        )?;
    }
    let ended = if meta.clean { "in order" } else { "by a crash, or it was never closed" };
    let trust = if meta.doubt { "may miss its end until a leader says otherwise" } else { "can be trusted" };
    say(out, &format!("  it ended {ended}; the log {trust}"))
}
