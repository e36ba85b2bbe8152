//! The snapshots of a directory: each read to its end, and whether something stands in for those that are damaged.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::log::Examined as Log;
use super::{CheckError, Cure, Finding, say};
use crate::replication::log::disk::Disk;
use crate::replication::position::{Offset, Position};
use crate::replication::snapshot::{Info, Kind, SnapshotError, Snapshots};

pub struct Examined {
    /// From whole files, oldest first.
    whole: Vec<Position>,
    damaged: Vec<(Info, SnapshotError)>,
    /// Files of writers that did not finish.
    unfinished: Vec<String>,
    /// A copy that came from a leader and is to replace everything.
    arrived: Option<Result<Position, SnapshotError>>,
}

/// What one file holds.
struct Contents {
    position: Position,
    keys: u64,
    others: u64,
}

pub fn look(dir: &Path, disk: &Arc<dyn Disk>, out: &mut dyn Write) -> Result<Examined, CheckError> {
    let dir = dir.join("snapshot");
    let snapshots = Snapshots::at(Arc::clone(disk), dir.clone());
    let mut found =
        Examined { whole: Vec::new(), damaged: Vec::new(), unfinished: Vec::new(), arrived: None };
    if !dir.exists() {
        return Ok(found);
    }
    found.unfinished = snapshots.unfinished()?;
    for name in &found.unfinished {
        say(out, &format!("snapshot/{name}: was never finished, a start removes it"))?;
    }
    if let Some(info) = snapshots.arrived()? {
        let read = read(&snapshots, &info);
        say(out, &format!("{}: a full copy that replaces everything at the next start", tell(&info, &read)))?;
        found.arrived = Some(read.map(|contents| contents.position));
    }
    for info in snapshots.list()? {
        let read = read(&snapshots, &info);
        say(out, &tell(&info, &read))?;
        match read {
            Ok(contents) => found.whole.push(contents.position),
            Err(error @ SnapshotError::Corrupt { .. }) => found.damaged.push((info, error)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn tell(info: &Info, read: &Result<Contents, SnapshotError>) -> String {
    let name = info.path.file_name().unwrap_or_default().to_string_lossy();
    match read {
        Ok(Contents { position, keys, others }) => format!(
            "snapshot/{name}: {position}, {keys} keys, {others} users and libraries, {} bytes, checksums right",
            info.bytes
        ),
        Err(_) => format!("snapshot/{name}: {} bytes, damaged", info.bytes),
    }
}

fn read(snapshots: &Snapshots, info: &Info) -> Result<Contents, SnapshotError> {
    let mut loader = snapshots.load(info)?;
    let mut contents = Contents { position: loader.header().position, keys: 0, others: 0 };
    while let Some(block) = loader.next_block()? {
        let entries = block.entries().count() as u64;
        if block.kind == Kind::KEYS {
            contents.keys += entries;
        } else {
            contents.others += entries;
        }
    }
    Ok(contents)
}

impl Examined {
    /// Where the log has to go on from.
    pub fn newest_whole(&self) -> Position {
        match &self.arrived {
            Some(Ok(position)) => *position,
            _ => self.whole.last().copied().unwrap_or(Position::START),
        }
    }

    /// A whole copy is there, and nothing else counts.
    pub fn replaces_all(&self) -> bool {
        matches!(self.arrived, Some(Ok(_)))
    }

    /// What is wrong with them, given what the log holds.
    pub fn findings(self, log: &Log) -> Vec<Finding> {
        if let Some(arrived) = self.arrived {
            return arrived.err().map(|error| damage(&error, Cure::Peer)).into_iter().collect();
        }
        let base = self.whole.last().map_or(0, |position| position.offset);
        let stands_in = |lost: Offset| log.goes_on && log.start <= base && log.end >= lost;
        let damaged = self.damaged.iter().map(|(info, error)| {
            let newer = info.offset > base;
            let cure = if !newer || stands_in(info.offset) { Cure::Safe } else { Cure::Peer };
            damage(error, cure)
        });
        let unfinished = self.unfinished.iter().map(|name| Finding {
            place: format!("snapshot/{name}"),
            what: "it was never finished".into(),
            cure: Cure::Safe,
        });
        damaged.chain(unfinished).collect()
    }
}

fn damage(error: &SnapshotError, cure: Cure) -> Finding {
    let (place, what) = match error {
        SnapshotError::Corrupt { path, at, what } => (format!("{}, byte {at}", path.display()), what.clone()),
        other => ("snapshot".into(), other.to_string()),
    };
    let what = match cure {
        Cure::Safe => format!("{what}; an older snapshot or the log stands in for it"),
        Cure::Peer | Cure::Identity => format!("{what}; nothing stands in for it"),
    };
    Finding { place, what, cure }
}
