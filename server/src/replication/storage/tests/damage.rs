//! A data directory whose disk damaged what was safe on it.

use super::super::super::log::segment_name;
use super::super::*;
use super::{append, load, options, snapshot};
use crate::replication::log::memory::{Crash, MemoryDisk, Rng};
use crate::replication::snapshot::Kind;

fn open(disk: &MemoryDisk, heal: bool) -> Result<(Storage, Found), StorageError> {
    let around =
        Surroundings { boot_id: "1".into(), new_incarnation: Box::new(|| Ok("ab".repeat(16))), lock: None };
    let mut options = options(disk, Fsync::Always);
    options.heal = heal;
    Storage::open("/data".as_ref(), options, around)
}

/// The path of a segment, by its place among them, and how many there are.
fn segment(disk: &MemoryDisk, number: usize) -> (PathBuf, usize) {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let segments: Vec<_> = files.filter(|path| path.starts_with("/data/log") && segment_name(path)).collect();
    (segments[number].clone(), segments.len())
}

fn aside(disk: &MemoryDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.starts_with("/data/damaged")).collect()
}

/// A directory with some segments, one of which is damaged in the middle; its records before the damage.
fn damaged(seed: u64, number: usize) -> (MemoryDisk, PathBuf) {
    let disk = MemoryDisk::new(seed);
    let (mut storage, _) = open(&disk, true).unwrap();
    append(&storage, 1, 0, 60);
    storage.close().unwrap();
    drop(storage);
    let (path, count) = segment(&disk, number);
    assert!(count > 4, "{count}");
    disk.flip(&path, (48 + 100) * 8 + 3);
    (disk, path)
}

/// What a peer sends.
fn copy() -> bytes::Bytes {
    let disk = MemoryDisk::new(9);
    let (storage, _) = open(&disk, true).unwrap();
    append(&storage, 7, 1000, 20);
    let info = snapshot(&storage).unwrap();
    storage.snapshots.raw(&info).unwrap().read(usize::MAX).unwrap().unwrap()
}

fn install(storage: &mut Storage) -> Result<(), StorageError> {
    let mut receiver = storage.snapshots.receive()?;
    receiver.write(0, &copy())?;
    let arrived = receiver.finish()?;
    storage.install(&arrived).map(drop)
}

#[test]
fn a_server_alone_refuses_a_corrupt_middle_and_touches_nothing() {
    let (disk, path) = damaged(1, 2);
    let before = disk.files();
    let Err(error) = open(&disk, false) else { panic!("it opened a damaged log") };
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("corrupt at byte"), "{text}");
    assert_eq!(disk.files(), before);
}

#[test]
fn a_node_keeps_what_is_before_the_damage_and_the_damage_beside_it_until_a_copy_is_whole() {
    let (disk, path) = damaged(1, 2);
    let (storage, found) = open(&disk, true).unwrap();
    let damage = found.damage.clone().unwrap();
    assert!(damage.contains(path.to_str().unwrap()) && damage.contains("corrupt at byte"), "{damage}");
    assert!(!found.whole && found.recovered.cut.is_none());
    let (_, kept) = load(&storage, &found);
    assert!(!kept.is_empty() && kept == (0..kept.len() as u64).collect::<Vec<_>>(), "{kept:?}");
    let files = aside(&disk);
    assert!(files.len() > 2 && files.iter().any(|aside| aside.file_name() == path.file_name()), "{files:?}");
    drop(storage);

    let (mut storage, found) = open(&disk, true).unwrap();
    assert_eq!(found.damage, Some(damage), "a restart heals nothing");
    assert_eq!(load(&storage, &found).1, kept);
    assert_eq!(aside(&disk), files);
    install(&mut storage).unwrap();
    assert_eq!(storage.damage(), None);
    assert!(aside(&disk).is_empty());
    drop(storage);
    let (storage, found) = open(&disk, false).unwrap();
    assert!(found.damage.is_none() && !found.whole, "what it holds is still less than the leader's");
    assert_eq!(storage.log.end().epoch, 7);
}

#[test]
fn a_crash_while_damage_is_moved_or_healed_leaves_what_was_kept_or_the_copy() {
    let mut outcomes = [0; 2];
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let (disk, _) = damaged(seed, 1 + rng.below(3) as usize);
        let kept = {
            let (disk, _) = damaged(seed, 1 + Rng::new(seed).below(3) as usize);
            let (storage, found) = open(&disk, true).unwrap();
            load(&storage, &found).1
        };
        let originals = disk.files().len();
        disk.crash_after(rng.below(60));
        let healed = open(&disk, true).and_then(|(mut storage, _)| install(&mut storage));
        let crash = if rng.one_in(2) { Crash::Machine } else { Crash::Process };
        disk.restart(crash);
        let (storage, found) = open(&disk, true).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let (_, numbers) = load(&storage, &found);
        let new = storage.log.end().epoch == 7;
        outcomes[usize::from(new)] += 1;
        assert!(!found.whole, "seed {seed}");
        if new {
            assert_eq!(numbers, [0; 0], "seed {seed}");
        } else {
            assert!(healed.is_err() && found.damage.is_some(), "seed {seed}");
            assert!(kept.starts_with(&numbers), "seed {seed}: {numbers:?} of {kept:?}");
            assert!(disk.files().len() >= originals, "seed {seed}: something was removed");
        }
    }
    assert!(outcomes.iter().all(|count| *count > 50), "{outcomes:?}");
}

/// Two snapshots, the newer one damaged in what it holds or in its header.
fn two_snapshots(disk: &MemoryDisk, header: bool, trim: bool) -> (Info, Info) {
    let (mut storage, _) = open(disk, true).unwrap();
    append(&storage, 1, 0, 30);
    let first = snapshot(&storage).unwrap();
    append(&storage, 1, 30, 30);
    let second = snapshot(&storage).unwrap();
    append(&storage, 1, 60, 5);
    if trim {
        storage.retain(&second, 0).unwrap();
        assert!(storage.log.start() > 0);
    }
    storage.close().unwrap();
    let bit = if header { 30 * 8 } else { (second.bytes as usize - 30) * 8 };
    disk.flip(&second.path, bit);
    (first, second)
}

/// As a node loads it: what its data is built from.
fn restore(storage: &mut Storage, found: &mut Found) -> Result<(), StorageError> {
    while let Some((info, _)) = found.snapshot.clone() {
        match storage.snapshots.verify(&info) {
            Ok(_) => break,
            Err(error) => found.snapshot = storage.stand_in(&info, error)?,
        }
    }
    Ok(())
}

#[test]
fn an_older_snapshot_or_the_whole_log_stands_in_for_a_damaged_one() {
    for (header, heal) in [(false, false), (false, true), (true, false), (true, true)] {
        let disk = MemoryDisk::new(1);
        let (first, second) = two_snapshots(&disk, header, false);
        let (mut storage, mut found) = open(&disk, heal).unwrap();
        restore(&mut storage, &mut found).unwrap();
        assert_eq!(load(&storage, &found), (first.offset, (30..65).collect()));
        assert!(found.whole && storage.damage().is_none());
        assert_eq!(storage.snapshots.list().unwrap(), std::slice::from_ref(&first));
        assert_eq!(aside(&disk).len(), 1, "{} is kept", second.path.display());
        drop(storage);
        disk.flip(&first.path, (first.bytes as usize - 30) * 8);
        let (mut storage, mut found) = open(&disk, heal).unwrap();
        restore(&mut storage, &mut found).unwrap();
        assert_eq!(load(&storage, &found), (0, (0..65).collect()));
        assert!(storage.damage().is_none());
    }
}

#[test]
fn a_damaged_snapshot_that_nothing_stands_in_for_stops_a_server_alone_and_makes_a_node_heal() {
    for header in [false, true] {
        let disk = MemoryDisk::new(1);
        let (_, second) = two_snapshots(&disk, header, true);
        let before = disk.files();
        let alone = open(&disk, false).and_then(|(mut storage, mut found)| restore(&mut storage, &mut found));
        let text = alone.unwrap_err().to_string();
        assert!(text.contains(second.path.to_str().unwrap()) && text.contains("corrupt"), "{text}");
        assert_eq!(disk.files().len(), before.len());
        let (mut storage, mut found) = open(&disk, true).unwrap();
        restore(&mut storage, &mut found).unwrap();
        assert!(storage.damage().unwrap().contains(second.path.to_str().unwrap()));
        assert_eq!((storage.log.end(), load(&storage, &found)), (Position::START, (0, vec![])));
        assert!(aside(&disk).len() > 1, "the log is kept beside it");
        install(&mut storage).unwrap();
        assert!(storage.damage().is_none() && aside(&disk).is_empty());
        let mut loader = storage.snapshots.load(&storage.snapshots.newest().unwrap().unwrap()).unwrap();
        assert_eq!(loader.next_block().unwrap().unwrap().kind, Kind::KEYS);
    }
}

#[test]
fn a_start_that_fails_after_a_suspect_tail_was_cut_leaves_the_doubt() {
    for seed in 0..100 {
        let disk = MemoryDisk::new(seed);
        let start = || super::open(&disk, Fsync::Everysec, "1");
        // Nothing of it was ever synced, so that the damage looks like a torn tail.
        let (storage, _) = start().unwrap();
        append(&storage, 1, 0, 8);
        let end = storage.log.end();
        drop(storage);
        let (path, _) = segment(&disk, 0);
        disk.flip(&path, (48 + 100) * 8);
        disk.crash_after(seed % 25);
        drop(start());
        disk.restart(Crash::Process);
        let (storage, found) = start().unwrap();
        assert!(storage.log.end().offset < end.offset && !found.whole, "seed {seed}: {found:?}");
    }
}
