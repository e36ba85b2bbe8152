//! A data directory opened after every kind of end.

mod damage;

use super::super::log::memory::{Crash, MemoryDisk, Rng};
use super::super::position::{Epoch, Offset};
use super::super::snapshot::Kind;
use super::*;

fn options(disk: &MemoryDisk, fsync: Fsync) -> Options {
    let mut options = Options::new(Some("/".into()));
    options.disk = Arc::new(disk.clone());
    options.fsync = fsync;
    options.segment_bytes = 300;
    options.background = false;
    options.hooks.fatal = Box::new(|_| {});
    options
}

fn open(disk: &MemoryDisk, fsync: Fsync, boot: &str) -> Result<(Storage, Found), StorageError> {
    let around =
        Surroundings { boot_id: boot.into(), new_incarnation: Box::new(|| Ok("ab".repeat(16))), lock: None };
    Storage::open("/data".as_ref(), options(disk, fsync), around)
}

fn append(storage: &Storage, epoch: Epoch, from: u64, count: u64) {
    for i in from..from + count {
        storage.log.append(epoch, i, &i.to_le_bytes());
        storage.log.flush().unwrap();
    }
}

fn snapshot(storage: &Storage) -> Result<Info, StorageError> {
    let header = Header { position: storage.log.end(), ..Header::default() };
    let mut writer = storage.snapshots.write(&header)?;
    writer.add(Kind::KEYS, &header.position.offset.to_le_bytes())?;
    Ok(writer.finish()?)
}

/// What a load gives: the snapshot's position, and the numbers after it.
fn load(storage: &Storage, found: &Found) -> (Offset, Vec<u64>) {
    let base = found.snapshot.as_ref().map_or(0, |(info, _)| info.offset);
    let mut records = storage.log.records(base).unwrap();
    let mut numbers = Vec::new();
    while let Some(record) = records.next_until(Offset::MAX).unwrap() {
        numbers.push(u64::from_le_bytes(record.payload[..].try_into().unwrap()));
    }
    (base, numbers)
}

#[test]
fn doubt_follows_how_the_last_process_ended_and_stays_until_trusted() {
    // (policy, closed in order, same boot) → whole
    for (fsync, closed, same_boot, whole) in [
        (Fsync::Everysec, true, false, true),
        (Fsync::Everysec, false, true, true),
        (Fsync::Everysec, false, false, false),
        (Fsync::Always, false, false, true),
    ] {
        let disk = MemoryDisk::new(1);
        let (mut storage, found) = open(&disk, fsync, "boot 1").unwrap();
        assert!(found.fresh && found.whole);
        append(&storage, 1, 0, 10);
        if closed {
            storage.close().unwrap();
        }
        drop(storage);
        disk.restart(if same_boot { Crash::Process } else { Crash::Machine });
        let boot = if same_boot { "boot 1" } else { "boot 2" };
        let (storage, found) = open(&disk, fsync, boot).unwrap();
        assert_eq!((found.whole, found.fresh), (whole, false), "{fsync:?} {closed} {same_boot}");
        drop(storage);
        let (mut storage, found) = open(&disk, fsync, boot).unwrap();
        assert_eq!(found.whole, whole, "a restart does not lift the doubt");
        storage.trust().unwrap();
        drop(storage);
        assert!(open(&disk, fsync, boot).unwrap().1.whole);
    }
}

#[test]
fn what_was_written_before_always_is_synced_before_meta_says_so() {
    let disk = MemoryDisk::new(1);
    let (mut storage, _) = open(&disk, Fsync::Everysec, "1").unwrap();
    append(&storage, 1, 0, 5);
    assert_eq!(storage.log.synced(), 0);
    storage.set_fsync(Fsync::Always).unwrap();
    assert_eq!(storage.log.synced(), storage.log.end_offset());
    assert!(storage.meta.get().always);
    storage.set_fsync(Fsync::No).unwrap();
    assert!(!storage.meta.get().always);
}

#[test]
fn a_snapshot_ahead_of_a_log_that_lost_its_end_starts_the_log_anew() {
    let mut lost = 0;
    for seed in 0..50 {
        let disk = MemoryDisk::new(seed);
        let (storage, _) = open(&disk, Fsync::Everysec, "1").unwrap();
        append(&storage, 1, 0, 3);
        storage.log.sync().unwrap();
        append(&storage, 1, 3, 3);
        let info = snapshot(&storage).unwrap();
        drop(storage);
        // The log's unsynced records may be lost, the snapshot is not.
        disk.restart(Crash::Machine);
        let (storage, found) = open(&disk, Fsync::Everysec, "2").unwrap();
        lost += u32::from(found.recovered.start.offset == info.offset);
        assert_eq!(load(&storage, &found), (info.offset, vec![]));
        assert_eq!(storage.log.end_offset(), info.offset);
        assert!(!found.whole);
        append(&storage, 2, 6, 2);
        drop(storage);
        let (storage, found) = open(&disk, Fsync::Everysec, "2").unwrap();
        assert_eq!(load(&storage, &found), (info.offset, vec![6, 7]));
    }
    assert!(lost > 5, "{lost}");
}

#[test]
fn retention_keeps_the_log_back_to_a_snapshot_and_its_size() {
    let disk = MemoryDisk::new(1);
    let (storage, _) = open(&disk, Fsync::Always, "1").unwrap();
    append(&storage, 1, 0, 50);
    let first = snapshot(&storage).unwrap();
    append(&storage, 1, 50, 50);
    let second = snapshot(&storage).unwrap();
    append(&storage, 1, 100, 5);
    storage.retain(&second, 2000).unwrap();
    assert_eq!(storage.snapshots.list().unwrap(), std::slice::from_ref(&second));
    assert!(storage.log.start() > 0 && storage.log.kept_bytes() >= 2000);
    storage.retain(&second, 0).unwrap();
    assert!(storage.log.start() > first.offset && storage.log.start() <= second.offset);
    drop(storage);
    let (storage, found) = open(&disk, Fsync::Always, "1").unwrap();
    assert_eq!(load(&storage, &found), (second.offset, (100..105).collect()));
}

#[test]
fn the_log_is_kept_for_copies_under_way_however_many_snapshots_are_taken() {
    let disk = MemoryDisk::new(1);
    let (storage, _) = open(&disk, Fsync::Always, "1").unwrap();
    append(&storage, 1, 0, 50);
    let copied = snapshot(&storage).unwrap();
    let keeps = [0, 0].map(|_| storage.log.keep_from(copied.offset).unwrap());
    for round in 0..3u64 {
        append(&storage, 1, 100 * (round + 1), 50);
        let newest = snapshot(&storage).unwrap();
        storage.retain(&newest, 0).unwrap();
    }
    let start = storage.log.start();
    assert!(start > 0 && start <= copied.offset);
    assert!(storage.log.reader(copied.offset).is_ok());
    let [one, other] = keeps;
    drop(one);
    storage.retain(&storage.snapshots.newest().unwrap().unwrap(), 0).unwrap();
    assert_eq!(storage.log.start(), start);
    drop(other);
    storage.retain(&storage.snapshots.newest().unwrap().unwrap(), 0).unwrap();
    assert!(storage.log.start() > copied.offset);
    assert!(storage.log.keep_from(copied.offset).is_none(), "it is gone");
}

#[test]
fn a_full_copy_replaces_all_or_nothing_whenever_the_machine_crashes() {
    let source = {
        let disk = MemoryDisk::new(9);
        let (storage, _) = open(&disk, Fsync::Always, "1").unwrap();
        append(&storage, 7, 1000, 20);
        let info = snapshot(&storage).unwrap();
        let bytes = storage.snapshots.raw(&info).unwrap().read(usize::MAX).unwrap().unwrap();
        (info, bytes)
    };
    let mut outcomes = [0; 2];
    for seed in 0..1500 {
        let mut rng = Rng::new(seed);
        let disk = MemoryDisk::new(seed);
        let (mut storage, _) = open(&disk, Fsync::Always, "1").unwrap();
        append(&storage, 1, 0, 10 + rng.below(40));
        let old_snapshot = snapshot(&storage).unwrap();
        append(&storage, 1, 90, 4);
        let old_end = storage.log.end();
        disk.crash_after(rng.below(30));
        let install = |storage: &mut Storage| -> Result<(), StorageError> {
            let mut receiver = storage.snapshots.receive()?;
            receiver.write(0, &source.1)?;
            let arrived = receiver.finish()?;
            storage.install(&arrived).map(drop)
        };
        let done = install(&mut storage);
        assert!(done.is_ok() || disk.has_crashed());
        drop(storage);
        disk.restart(if rng.one_in(2) { Crash::Machine } else { Crash::Process });
        // It may crash again while it clears up.
        disk.crash_after(rng.below(20));
        drop(open(&disk, Fsync::Always, "1"));
        disk.restart(if rng.one_in(2) { Crash::Machine } else { Crash::Process });

        let (storage, found) = open(&disk, Fsync::Always, "1").unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let new = found.snapshot.as_ref().unwrap().1.position.epoch == 7;
        outcomes[usize::from(new)] += 1;
        if new {
            assert_eq!(load(&storage, &found), (source.0.offset, vec![]), "seed {seed}");
            assert_eq!(storage.log.end().epoch, 7);
        } else {
            assert!(done.is_err());
            assert_eq!(storage.log.end(), old_end, "seed {seed}");
            assert_eq!(load(&storage, &found), (old_snapshot.offset, (90..94).collect()), "seed {seed}");
        }
        assert_eq!(storage.snapshots.list().unwrap().len(), 1, "seed {seed}");
    }
    assert!(outcomes.iter().all(|count| *count > 100), "{outcomes:?}");
}

#[test]
fn a_directory_serves_one_process_and_remembers_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let open = || Storage::open(&path, Options::new(Some(path.clone())), Surroundings::of(&path)?);
    let (mut storage, found) = open().unwrap();
    assert!(found.fresh);
    let incarnation = storage.meta.get().incarnation.clone();
    assert_eq!(incarnation.len(), 32);
    storage.meta.update(|m| m.cluster = Some("c1".into())).unwrap();
    assert!(matches!(open(), Err(StorageError::Meta(MetaError::InUse(_)))));
    append(&storage, 1, 0, 3);
    storage.close().unwrap();
    drop(storage);
    let (storage, found) = open().unwrap();
    assert!(found.whole && !found.fresh && found.recovered.cut.is_none());
    assert_eq!(storage.meta.get().incarnation, incarnation);
    assert_eq!(storage.meta.get().cluster.as_deref(), Some("c1"));
    assert_eq!(load(&storage, &found), (0, vec![0, 1, 2]));
    drop(storage);
    std::fs::write(path.join("meta.json"), b"{").unwrap();
    assert!(matches!(open(), Err(StorageError::Meta(MetaError::Damaged { .. }))));
}

#[test]
fn a_flipped_bit_of_meta_is_refused_and_a_file_without_a_checksum_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("meta.json");
    let open =
        || Storage::open(dir.path(), Options::new(Some(dir.path().into())), Surroundings::of(dir.path())?);
    let (mut storage, _) = open().unwrap();
    storage.meta.update(|m| (m.doubt, m.cluster) = (true, Some("c1".into()))).unwrap();
    storage.close().unwrap();
    drop(storage);
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("c1", "c3"), (r#""doubt": true"#, r#""doubt": tru\u0065"#), ("clean", "cleao")] {
        let flipped = text.replace(from, to);
        assert_ne!(flipped, text);
        std::fs::write(&path, &flipped).unwrap();
        let error = open().map(drop).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), flipped, "nothing is written over it");
    }
    // As a program wrote it that knows of no checksum.
    let (plain, _) = text.rsplit_once(",\n").unwrap();
    std::fs::write(&path, format!("{plain}\n}}")).unwrap();
    let (storage, found) = open().unwrap();
    assert_eq!((storage.meta.get().cluster.as_deref(), found.whole), (Some("c1"), false));
    assert!(std::fs::read_to_string(&path).unwrap().contains("crc32"), "it has one from now on");
}

#[test]
fn a_crash_forgets_of_meta_only_what_was_not_synced_yet() {
    for seed in 0..500 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let open = || MetaFile::open(Arc::new(disk.clone()), "/data".as_ref(), || Ok("i".into())).unwrap();
        let mut meta = open();
        let (mut count, mut synced, mut late) = (0, 0, None);
        let name = |count: u64| Some(format!("{count:0>width$}", width = (count as usize % 7) * 300 + 1));
        for _ in 0..3 {
            for _ in 0..rng.below(12) {
                count += 1;
                if rng.one_in(8) {
                    meta.update(|m| m.cluster = name(count)).unwrap();
                    (synced, late) = (count, None);
                    continue;
                }
                let unsynced = meta.update_soon(|m| m.cluster = name(count)).unwrap().unwrap();
                // Some are synced at once, some after the next was written, some never.
                if rng.one_in(3) {
                    unsynced.sync().unwrap();
                    meta.synced(&unsynced);
                    synced = count;
                } else if let Some(before) = late.replace(unsynced) {
                    before.sync().unwrap();
                    meta.synced(&before);
                }
            }
            let crash = if rng.one_in(2) { Crash::Machine } else { Crash::Process };
            disk.restart(crash);
            meta = open();
            let found = meta.get().cluster.clone().map_or(0, |cluster| cluster.parse().unwrap());
            let least = if crash == Crash::Process { count } else { synced };
            assert!((least..=count).contains(&found), "seed {seed}: {found} of {synced} to {count}");
            (count, synced, late) = (found, found, None);
        }
    }
}

#[test]
fn a_crash_while_meta_is_replaced_leaves_the_old_or_the_new() {
    for seed in 0..200 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let open = || MetaFile::open(Arc::new(disk.clone()), "/data".as_ref(), || Ok("i".into()));
        let mut meta = open().unwrap();
        meta.update(|m| m.cluster = Some("old".into())).unwrap();
        disk.crash_after(rng.below(6));
        let done = meta.update(|m| m.cluster = Some("new".into()));
        assert_eq!(meta.get().cluster.as_deref(), Some(if done.is_ok() { "new" } else { "old" }));
        disk.restart(if rng.one_in(2) { Crash::Machine } else { Crash::Process });
        let meta = open().unwrap();
        let cluster = meta.get().cluster.clone().unwrap();
        assert!(cluster == "new" || (cluster == "old" && done.is_err()), "seed {seed}");
        assert!(!meta.is_fresh());
    }
}

#[test]
fn a_flipped_bit_has_a_node_forget_nothing_that_was_synced() {
    for bit in 0..200 * 8 {
        for place in [0, 16 << 10] {
            let disk = MemoryDisk::new(1);
            let open =
                || MetaFile::open(Arc::new(disk.clone()), "/data".as_ref(), || Ok("i".into())).unwrap();
            let mut meta = open();
            for name in ["c1", "c2", "c3"] {
                let unsynced = meta.update_soon(|m| m.cluster = Some(name.into())).unwrap().unwrap();
                unsynced.sync().unwrap();
                meta.synced(&unsynced);
            }
            drop(meta);
            disk.flip("/data/meta.latest".as_ref(), place * 8 + bit);
            assert_eq!(open().get().cluster.as_deref(), Some("c3"), "bit {bit} at {place}");
        }
    }
}
