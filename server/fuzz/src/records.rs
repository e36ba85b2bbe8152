//! What the log holds: any record is applied or refused, what is applied is encoded again as it was, and two nodes that
//! apply the same hold the same. A segment of any bytes is read up to its damage, or refused.

use std::sync::Arc;

use botellier_server::keyspace::{Effect, Keyspace};
use botellier_server::replication::log::disk::{Disk, write_all};
use botellier_server::replication::log::memory::MemoryDisk;
use botellier_server::replication::log::{Hooks, Log, LogError, Options};
use botellier_server::replication::position::Position;
use botellier_server::value::Forms;

const DATABASES: usize = 4;
const OFFSET_MAX: u64 = 1 << 24;
const NOW_MS: u64 = 1_700_000_000_000;

/// The first byte chooses between a payload and a segment.
pub fn run(data: &[u8]) {
    match data {
        [kind, bytes @ ..] if kind & 1 == 0 => payload(bytes),
        [_, bytes @ ..] => segment(bytes),
        [] => {}
    }
}

fn payload(bytes: &[u8]) {
    for effect in Effect::decode_all(bytes).map_while(Result::ok) {
        let (mut encoded, mut again) = (Vec::new(), Vec::new());
        effect.encode(&mut encoded);
        for effect in Effect::decode_all(&encoded) {
            effect.expect("what was encoded can be decoded").encode(&mut again);
        }
        // Not the effects themselves: a score may be no number, which equals nothing.
        assert_eq!(again, encoded, "decoded and encoded again");
        if matches!(effect, Effect::SetRange { offset, .. } if offset > OFFSET_MAX) {
            // A leader that had the memory for it wrote it.
            return;
        }
    }
    let (mut one, mut other) = (keyspace(), keyspace());
    let result = one.replay(NOW_MS, bytes);
    assert_eq!(result, other.replay(NOW_MS, bytes));
    assert_eq!(one.digest(), other.digest());
}

fn keyspace() -> Keyspace {
    Keyspace::new(DATABASES, Forms::seeded(1))
}

/// A log writes a segment of its own; then the bytes are put behind its records.
fn segment(bytes: &[u8]) {
    let disk = MemoryDisk::new(1);
    let end = {
        let log = open(&disk).expect("an empty folder is a log");
        log.append(1, NOW_MS, b"first");
        log.sync().expect("a disk in memory");
        log.end()
    };
    let mut files = disk.files().into_iter();
    let (path, size) =
        files.find(|(path, _)| path.extension() == Some("log".as_ref())).expect("it has a segment");
    let file = disk.open(&path).expect("it is there");
    write_all(&*file, size as u64, bytes, &mut 0).expect("a disk in memory");
    if let Ok(log) = open(&disk) {
        assert!(log.end().offset >= end.offset, "what was synced is kept");
    }
}

fn open(disk: &MemoryDisk) -> Result<Log, LogError> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        background: false,
        hooks: Hooks { fatal: Box::new(|_| {}), ..Hooks::default() },
        ..Options::new(Some("log".into()))
    };
    Log::open(options, Position::START).map(|(log, _)| log)
}
