//! The log of a directory: every segment read to its end, also those after the first damage.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{CheckError, Cure, Finding, say};
use crate::replication::log::disk::Disk;
use crate::replication::log::examine::{self, Segment};
use crate::replication::position::{Offset, Position};

pub struct Examined {
    pub start: Offset,
    /// Where the good records end.
    pub end: Offset,
    /// It went through the position that it has to go on from.
    pub goes_on: bool,
    pub findings: Vec<Finding>,
}

pub fn look(
    dir: &Path,
    disk: &Arc<dyn Disk>,
    base: Position,
    out: &mut dyn Write,
) -> Result<Examined, CheckError> {
    let dir = dir.join("log");
    if !dir.exists() {
        say(out, "log: none is kept")?;
        let (start, end) = (base.offset, base.offset);
        return Ok(Examined { start, end, goes_on: true, findings: Vec::new() });
    }
    let log = examine::examine(&**disk, &dir, base)?;
    say(out, &format!("log/synced: everything up to offset {} is known to be fsynced", log.mark))?;
    for segment in &log.segments {
        say(out, &tell(segment))?;
    }
    let mut findings = Vec::new();
    let (start, end) = (log.start.offset, log.end.offset);
    if let Some(tear) = log.tear {
        let place = format!("{}, byte {} (log offset {})", tear.path.display(), tear.at, tear.offset);
        let torn = tear.offset >= log.mark;
        let (what, cure) = if torn {
            (format!("{}: a torn end, as a crash leaves it; a start cuts it off", tear.what), Cure::Safe)
        } else {
            let to = log.mark.max(log.claimed);
            (format!("{}: records from {} up to {to} can't be read", tear.what, tear.offset), Cure::Peer)
        };
        findings.push(Finding { place, what, cure });
    } else if end < log.mark {
        let what = format!("it ends at offset {end}, and was fsynced up to {}", log.mark);
        findings.push(Finding { place: dir.display().to_string(), what, cure: Cure::Peer });
    }
    // A snapshot may be ahead of a log that lost its end: the log then starts over from it.
    let goes_on = log.went_through || end < base.offset;
    if !goes_on {
        let what = format!("it does not go on from {base}, where the newest whole snapshot was taken");
        findings.push(Finding { place: dir.display().to_string(), what, cure: Cure::Peer });
    }
    Ok(Examined { start, end, goes_on, findings })
}

fn tell(segment: &Segment) -> String {
    let Segment { name, base, end, records, bytes, epochs, good } = segment;
    let Some(base) = base else { return format!("log/{name}: {bytes} bytes, its header can't be read") };
    let state = if *good { "checksums right" } else { "good up to there" };
    let epochs = match epochs {
        None => "no record".to_owned(),
        Some((first, last)) if first == last => format!("epoch {first}"),
        Some((first, last)) => format!("epochs {first} to {last}"),
    };
    format!(
        "log/{name}: offsets {} to {}, {epochs}, {records} records, {bytes} bytes, {state}",
        base.offset, end.offset
    )
}
