//! Directories damaged in every way, examined and repaired.

use super::*;
use crate::replication::log::{Fsync, Options};
use crate::replication::snapshot::{Header, Info, Kind};
use crate::replication::storage::{Storage, Surroundings};
use std::path::PathBuf;
use tempfile::TempDir;

fn open(dir: &Path) -> Storage {
    let mut options = Options::new(Some(dir.to_owned()));
    options.fsync = Fsync::Always;
    options.segment_bytes = 2000;
    options.background = false;
    Storage::open(dir, options, Surroundings::of(dir).unwrap()).unwrap().0
}

fn append(storage: &Storage, from: u64, count: u64) {
    for i in from..from + count {
        storage.log.append(1 + i / 100, i, &[i as u8; 40]);
        storage.log.flush().unwrap();
    }
}

fn snapshot(storage: &Storage) -> Info {
    let header = Header { position: storage.log.end(), ..Header::default() };
    let mut writer = storage.snapshots.write(&header).unwrap();
    for number in 0..7u64 {
        writer.add(Kind::KEYS, &number.to_le_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

/// Some segments, two snapshots, closed in order.
fn directory() -> (TempDir, [Info; 2]) {
    let dir = TempDir::new().unwrap();
    let mut storage = open(dir.path());
    append(&storage, 0, 100);
    let first = snapshot(&storage);
    append(&storage, 100, 100);
    let second = snapshot(&storage);
    append(&storage, 200, 20);
    storage.close().unwrap();
    (dir, [first, second])
}

fn check(dir: &Path, repair: bool) -> (Verdict, String) {
    let mut out = Vec::new();
    let verdict = run(dir, repair, &mut out);
    (verdict, String::from_utf8(out).unwrap())
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    segments.sort();
    segments
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

/// Everything in a directory, to see that nothing is changed.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_whole_directory_is_told_of_file_by_file_and_not_touched() {
    let (dir, [first, second]) = directory();
    let before = contents(dir.path());
    let (verdict, text) = check(dir.path(), false);
    assert_eq!(verdict, Verdict::Whole, "{text}");
    assert_eq!(contents(dir.path()), before);
    assert_eq!(text.matches("7 keys").count(), 2, "{text}");
    assert_eq!(text.matches("log/0").count(), segments(dir.path()).len(), "{text}");
    for expected in ["incarnation", "it ended in order", "epochs 1 to 2", &format!("{} bytes", second.bytes)]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(text.contains(&format!("offset {}", first.offset)), "{text}");
    let records: u64 = text
        .lines()
        .filter_map(|line| {
            line.split(", ").find_map(|part| part.strip_suffix(" records")?.parse::<u64>().ok())
        })
        .sum();
    assert_eq!(records, 220);
}

#[test]
fn a_torn_end_is_cut_by_a_repair_and_only_by_it() {
    let (dir, _) = directory();
    let last = segments(dir.path()).pop().unwrap();
    let good = std::fs::metadata(&last).unwrap().len();
    let mut bytes = std::fs::read(&last).unwrap();
    // The begin of one more record.
    bytes.extend_from_within(48..70);
    std::fs::write(&last, &bytes).unwrap();
    let (verdict, text) = check(dir.path(), false);
    assert_eq!(verdict, Verdict::Damaged, "{text}");
    assert!(text.contains(&format!("{}, byte {good}", last.display())) && text.contains("torn"), "{text}");
    assert_eq!(std::fs::metadata(&last).unwrap().len(), good + 22);
    let (verdict, text) = check(dir.path(), true);
    assert_eq!(verdict, Verdict::Whole, "{text}");
    assert_eq!(std::fs::metadata(&last).unwrap().len(), good);
    assert_eq!(check(dir.path(), false).0, Verdict::Whole);
}

#[test]
fn a_corrupt_middle_is_named_and_refused() {
    let (dir, _) = directory();
    let middle = segments(dir.path())[2].clone();
    flip(&middle, 48 + 500);
    let before = contents(dir.path());
    for repair in [false, true] {
        let (verdict, text) = check(dir.path(), repair);
        assert_eq!(verdict, Verdict::Damaged, "{text}");
        assert!(text.contains(&format!("{}, byte ", middle.display())), "{text}");
        assert!(text.contains("can't be read") && text.contains("not repaired"), "{text}");
        let told = text.lines().filter(|line| line.starts_with("log/0")).count();
        assert_eq!(told, segments(dir.path()).len(), "those after it too: {text}");
        assert_eq!(contents(dir.path()), before);
    }
}

#[test]
fn a_damaged_snapshot_goes_aside_where_the_log_stands_in_and_stays_where_it_does_not() {
    let (dir, [_, second]) = directory();
    flip(&second.path, second.bytes as usize - 40);
    let (verdict, text) = check(dir.path(), false);
    assert_eq!(verdict, Verdict::Damaged, "{text}");
    assert!(text.contains("stands in for it") && text.contains(second.path.to_str().unwrap()), "{text}");
    assert!(second.path.exists());
    let (verdict, text) = check(dir.path(), true);
    assert_eq!(verdict, Verdict::Whole, "{text}");
    assert!(!second.path.exists() && dir.path().join(ASIDE_NAME).read_dir().unwrap().count() == 1);

    let (dir, [_, second]) = directory();
    let storage = open(dir.path());
    storage.retain(&second, 0).unwrap();
    drop(storage);
    assert_eq!(check(dir.path(), false).0, Verdict::Whole);
    flip(&second.path, second.bytes as usize - 40);
    let before = contents(dir.path());
    let (verdict, text) = check(dir.path(), true);
    assert_eq!(verdict, Verdict::Damaged, "{text}");
    assert!(text.contains("nothing stands in for it"), "{text}");
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn what_was_left_unfinished_is_removed_by_a_repair() {
    let (dir, _) = directory();
    let left = dir.path().join("snapshot/received.0.tmp");
    std::fs::write(&left, b"half of a copy").unwrap();
    assert_eq!(check(dir.path(), false).0, Verdict::Damaged);
    assert!(left.exists());
    assert_eq!(check(dir.path(), true).0, Verdict::Whole);
    assert!(!left.exists());
}

#[test]
fn a_directory_in_use_and_one_that_is_none_are_not_examined() {
    let (dir, _) = directory();
    let storage = open(dir.path());
    for repair in [false, true] {
        let (verdict, text) = check(dir.path(), repair);
        assert_eq!(verdict, Verdict::Unknown, "{text}");
        assert!(text.contains("in use"), "{text}");
    }
    drop(storage);
    assert_eq!(check(dir.path(), false).0, Verdict::Whole);
    let empty = TempDir::new().unwrap();
    assert_eq!(check(empty.path(), true).0, Verdict::Unknown);
    assert_eq!(check(&empty.path().join("missing"), true).0, Verdict::Unknown);
    assert_eq!(empty.path().read_dir().unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_damaged_meta_is_named_and_left_as_it_is() {
    let (dir, _) = directory();
    let path = dir.path().join("meta.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for bad in ["{".to_owned(), text.replacen("incarnation\": \"", "incarnation\": \"0", 1)] {
        std::fs::write(&path, &bad).unwrap();
        let before = contents(dir.path());
        for repair in [false, true] {
            let (verdict, text) = check(dir.path(), repair);
            assert_eq!(verdict, Verdict::Damaged, "{text}");
            assert!(text.contains("damage: ") && text.contains(path.to_str().unwrap()), "{text}");
            assert!(text.contains("checksums right"), "the rest is examined: {text}");
            assert!(text.contains("does not know who it is"), "{text}");
        }
        assert_eq!(contents(dir.path()), before, "nothing is changed");
    }
    // A server alone starts without it.
    std::fs::remove_file(&path).unwrap();
    drop(open(dir.path()));
    assert_eq!(check(dir.path(), false).0, Verdict::Whole);
}
