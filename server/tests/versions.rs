//! What a newer program wrote or sends is refused by name and place, and nothing is cut, skipped or overwritten because of
//! it (trap 28). Each check is also run with the planted defect, which reads what is newer as if it were known.

use std::path::Path;
use std::sync::Arc;

use botellier_server::replication::Position;
use botellier_server::replication::log::disk::OsDisk;
use botellier_server::replication::log::{Fsync, Log, LogError, Options};
use botellier_server::replication::member::{Config, RegistryError, parse};
use botellier_server::replication::meta::{MetaError, MetaFile};
use botellier_server::replication::snapshot::{Header, Kind, SnapshotError, Snapshots};
use botellier_server::replication::wire::{Body, Frame, WireError};
use bytes::BytesMut;
use tempfile::TempDir;

type Check = fn() -> Result<(), String>;

const CHECKS: [(&str, Check); 7] = [
    ("a frame", frame),
    ("a segment of the log", segment),
    ("a segment after a torn one", segment_after_a_tear),
    ("meta.json", meta),
    ("meta.latest", latest),
    ("a snapshot", snapshot),
    ("the registry's configuration", config),
];

fn expect(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn frame() -> Result<(), String> {
    let mut bytes = BytesMut::new();
    Frame { epoch: 3, version: 8, body: Body::Commit { offset: 77 } }.encode(&mut bytes);
    let layout = bytes[5];
    bytes[5] = layout + 1;
    match Frame::decode(&mut bytes) {
        Err(error @ WireError::Newer { kind: 4, version }) if version == layout + 1 => {
            let text = error.to_string();
            expect(text.contains("type 4") && text.contains("newer"), text)
        }
        other => Err(format!("{other:?}")),
    }
}

fn options(dir: &Path) -> Options {
    let mut options = Options::new(Some(dir.into()));
    (options.fsync, options.background, options.segment_bytes) = (Fsync::Everysec, false, 200);
    options
}

/// A log of several segments on a real disk; returns their files in order, and where the log ends.
fn log(dir: &Path) -> (Vec<std::path::PathBuf>, Position) {
    let (log, _) = Log::open(options(dir), Position::START).expect("an empty directory");
    for number in 0..20_u64 {
        log.append(1, number, &number.to_le_bytes());
        log.flush().expect("there is room");
    }
    let end = log.end();
    // Not closed: as after a kill, nothing says how much was synced.
    drop(log);
    let files = std::fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|name| name == "log")).collect();
    files.sort();
    (files, end)
}

/// As a newer program would have written it: another format, a checksum that is right, records that are laid out anew.
fn make_newer(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).expect("it is there");
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[8..12]);
    hasher.update(&bytes[16..48]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes[48..].reverse();
    std::fs::write(path, &bytes).expect("it can be written");
    bytes
}

fn refused(dir: &Path, newer: &Path, bytes: &[u8]) -> Result<(), String> {
    let opened = Log::open(options(dir), Position::START);
    let now = std::fs::read(newer).map_err(|error| format!("{}: {error}", newer.display()))?;
    expect(now == bytes, "the file was changed")?;
    match opened {
        Err(LogError::Newer { path, format: 2 }) => expect(path == newer, path.display().to_string()),
        Err(error) => Err(error.to_string()),
        Ok((log, _)) => Err(format!("opened up to {}", log.end())),
    }
}

fn segment() -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    let (files, _) = log(dir.path());
    let last = files.last().expect("segments");
    let bytes = make_newer(last);
    refused(dir.path(), last, &bytes)
}

fn segment_after_a_tear() -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    let (files, _) = log(dir.path());
    let [.., torn, last] = &files[..] else { return Err("one segment only".into()) };
    let bytes = make_newer(last);
    let short = std::fs::metadata(torn).expect("it is there").len() - 3;
    std::fs::File::options()
        .write(true)
        .open(torn)
        .and_then(|file| file.set_len(short))
        .expect("it can be cut");
    // How much is surely synced is not what this is about.
    let _ = std::fs::remove_file(dir.path().join("synced"));
    refused(dir.path(), last, &bytes)
}

fn open_meta(dir: &Path) -> Result<MetaFile, MetaError> {
    MetaFile::open(Arc::new(OsDisk), dir, || Ok("ab".repeat(16)))
}

fn meta() -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    drop(open_meta(dir.path()).expect("an empty directory"));
    let path = dir.path().join("meta.json");
    // Of the fields of now only the format is left.
    let text = r#"{"format": 2, "incarnations": ["ab"]}"#;
    std::fs::write(&path, text).expect("it can be written");
    let opened = open_meta(dir.path()).map(|meta| meta.get().clone());
    expect(std::fs::read_to_string(&path).is_ok_and(|now| now == text), "the file was changed")?;
    match opened {
        Err(MetaError::Newer { path: named, format: 2 }) => {
            expect(named == path, named.display().to_string())
        }
        other => Err(format!("{other:?}")),
    }
}

fn latest() -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    let mut meta = open_meta(dir.path()).expect("an empty directory");
    let unsynced = meta.update_soon(|meta| meta.cluster = Some("c".into())).expect("it can be written");
    expect(unsynced.is_some(), "it went to meta.json")?;
    drop(meta);
    let path = dir.path().join("meta.latest");
    let mut bytes = std::fs::read(&path).expect("it is there");
    // A slot: crc32 of what follows, length, revision, JSON.
    let at = bytes.chunks_exact(16 << 10).position(|slot| slot[4..8] != [0; 4]).expect("a slot") * (16 << 10);
    let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
    let slot = &mut bytes[at..at + 16 + length];
    let text = String::from_utf8(slot[16..].to_vec()).expect("JSON");
    slot[16..].copy_from_slice(text.replace(r#""format":1"#, r#""format":2"#).as_bytes());
    let crc = crc32fast::hash(&slot[4..]);
    slot[..4].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).expect("it can be written");
    match open_meta(dir.path()).map(|meta| meta.get().clone()) {
        Err(MetaError::Newer { path: named, format: 2 }) => {
            expect(named == path, named.display().to_string())
        }
        other => Err(format!("{other:?}")),
    }
}

fn snapshot() -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    let snapshots = Snapshots::open(Arc::new(OsDisk), dir.path().into()).expect("an empty directory");
    let position = Position { epoch: 1, offset: 100, crc: 5 };
    let mut writer = snapshots.write(&Header { position, ..Header::default() }).expect("there is room");
    writer.add(Kind::KEYS, b"entry").expect("there is room");
    let info = writer.finish().expect("there is room");
    let mut bytes = std::fs::read(&info.path).expect("it is there");
    bytes[8] = 2;
    std::fs::write(&info.path, &bytes).expect("it can be written");
    let (loaded, verified) = (snapshots.load(&info).map(|_| ()), snapshots.verify(&info).map(|_| ()));
    let kept = snapshots.newest().ok().flatten().map(|info| info.offset);
    expect(kept == Some(position.offset), "it is gone")?;
    let newer = |result: &Result<(), SnapshotError>| matches!(result, Err(SnapshotError::Newer { path, format: 2 }) if *path == info.path);
    expect(newer(&loaded) && newer(&verified), format!("{loaded:?} {verified:?}"))
}

fn config() -> Result<(), String> {
    let text = r#"{"format":2,"cluster":"c","version":17,"epoch":12,"leader":{"id":"n","incarnation":"a"},
        "synced":null,"third":{"id":"m","incarnation":"b"},"attempt":"ff"}"#;
    match parse::<Config>(text.as_bytes()) {
        Err(RegistryError::Newer(2)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn what_is_newer_is_refused_by_name_and_nothing_is_lost() {
    for (name, check) in CHECKS {
        assert_eq!(check(), Ok(()), "{name} of a newer version");
    }
}

#[test]
fn a_log_that_waited_for_a_newer_program_is_whole() {
    let dir = TempDir::new().expect("a directory");
    let (files, end) = log(dir.path());
    let last = files.last().expect("segments");
    let before = std::fs::read(last).expect("it is there");
    let bytes = make_newer(last);
    assert_eq!(refused(dir.path(), last, &bytes), Ok(()));
    std::fs::write(last, before).expect("it can be written");
    let (log, recovered) = Log::open(options(dir.path()), Position::START).expect("it is as it was");
    assert_eq!((log.end(), recovered.cut), (end, None));
}

#[cfg(feature = "simulate")]
#[test]
fn the_planted_defect_of_trap_28_is_found() {
    botellier_server::mutant::plant(28);
    let found: Vec<_> = CHECKS.into_iter().filter_map(|(name, check)| Some((name, check().err()?))).collect();
    botellier_server::mutant::plant(0);
    for (name, why) in &found {
        println!("trap 28: {name}: {why}");
    }
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    let planted = ["a frame", "a segment of the log", "meta.latest", "the registry's configuration"];
    assert!(planted.iter().all(|name| names.contains(name)), "{names:?}");
}
