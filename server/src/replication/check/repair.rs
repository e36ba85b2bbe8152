//! What is safe to make good, in the order in which a start would.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{CheckError, say};
use crate::replication::log::disk::OsDisk;
use crate::replication::log::{Fsync, Options};
use crate::replication::storage::{ASIDE_NAME, Storage, Surroundings};

/// Opens the directory as a server alone would, which cuts a torn end, removes what is unfinished, and puts an arrived
/// copy in its place; then each snapshot that is damaged where something stands in for it goes aside. Closing it in
/// order says no more than is true: what made the end of the log doubtful stays noted.
pub fn repair(dir: &Path, out: &mut dyn Write) -> Result<(), CheckError> {
    let mut options = Options::new(dir.join("log").exists().then(|| dir.to_owned()));
    options.disk = Arc::new(OsDisk);
    options.fsync = Fsync::Everysec;
    options.background = false;
    options.hooks.fatal = Box::new(|_| {});
    let (mut storage, found) = Storage::open(dir, options, Surroundings::of(dir)?)?;
    if let Some(cut) = &found.recovered.cut {
        let (file, at, bytes) = (cut.path.display(), cut.at, cut.bytes);
        say(out, &format!("repaired: cut {bytes} bytes off {file} at byte {at}"))?;
    }
    for info in storage.snapshots.list()?.into_iter().rev() {
        let Err(error) = storage.snapshots.verify(&info) else { continue };
        storage.stand_in(&info, error)?;
        let name = info.path.display();
        say(out, &format!("repaired: moved {name} to {}", dir.join(ASIDE_NAME).display()))?;
    }
    storage.close()?;
    Ok(())
}
