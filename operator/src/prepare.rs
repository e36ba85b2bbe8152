//! `botellier-operator prepare`: makes a ZooKeeper member's volume ready, before each of its starts.
//!
//! Written once: `myid` and the first dynamic configuration. Written anew each time: the static
//! configuration, but for the line that names the dynamic one, which is ZooKeeper's own.
//! A volume that belongs to another member is refused: two members of one id would corrupt the
//! ensemble without a word.

use std::fs;
use std::path::Path;

use crate::error::Error;

pub const STATIC_FILE: &str = "zoo.cfg";
pub const DYNAMIC_FILE: &str = "zoo.cfg.dynamic";

const POINTER: &str = "dynamicConfigFile=";

/// Prepares the volume at `to` for the pod, from the templates at `from`.
pub fn prepare(from: &Path, to: &Path, pod: &str) -> Result<(), Error> {
    let data = to.join("zookeeper");
    let conf = to.join("conf");
    for directory in [&data, &conf] {
        fs::create_dir_all(directory).map_err(|error| Error::io(directory.display().to_string(), error))?;
    }
    settle_id(&data, pod)?;

    let pointer = if let Some(known) = read(&conf.join(STATIC_FILE))?.as_deref().and_then(pointer) {
        if read(Path::new(&known))?.is_none() {
            return Err(Error::invalid(
                "BadVolume",
                format!("{known}, the configuration in force, is missing"),
            ));
        }
        known
    } else {
        let first = conf.join(DYNAMIC_FILE);
        write(&first, &required(&from.join(DYNAMIC_FILE))?)?;
        first.display().to_string()
    };
    let template = required(&from.join(STATIC_FILE))?;
    write(&conf.join(STATIC_FILE), &format!("{template}{POINTER}{pointer}\n"))
}

/// Members count from 1, pods from 0.
fn settle_id(data: &Path, pod: &str) -> Result<(), Error> {
    let ordinal: u32 = pod
        .rsplit_once('-')
        .and_then(|(_, ordinal)| ordinal.parse().ok())
        .ok_or_else(|| Error::invalid("BadPodName", format!("{pod} does not end in an ordinal")))?;
    let id = (ordinal + 1).to_string();
    let file = data.join("myid");
    match read(&file)? {
        Some(found) if found.trim() == id => Ok(()),
        Some(found) => Err(Error::invalid(
            "BadVolume",
            format!("{pod} is member {id}, but this volume belongs to member {}", found.trim()),
        )),
        None => write(&file, &format!("{id}\n")),
    }
}

fn pointer(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(POINTER)).map(|path| path.trim().to_owned())
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path.display().to_string(), error)),
    }
}

fn required(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::io(path.display().to_string(), error))
}

/// Whole or not at all, also when the node loses power in between.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error| Error::io(path.display().to_string(), error);
    let next = path.with_extension("writing");
    fs::write(&next, text).map_err(failed)?;
    fs::File::open(&next).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&next, path).map_err(failed)
}
