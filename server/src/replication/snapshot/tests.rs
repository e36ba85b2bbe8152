//! Snapshots survive crashes at each step, damage is seen, and a copy is the same file.

use super::super::log::memory::{Crash, MemoryDisk, Rng};
use super::*;

fn header(offset: Offset) -> Header {
    let position = Position { epoch: 3, offset, crc: 0xabcd };
    let epochs = vec![EpochStart { epoch: 1, start: 0 }, EpochStart { epoch: 3, start: 50 }];
    Header {
        cluster: Some("c0ffee".into()),
        position,
        time_ms: 1_700_000_000_000,
        epochs,
        seed: Some(7),
        keys: vec![],
    }
}

fn entry(i: u64) -> Vec<u8> {
    vec![i as u8; (i * 37 % 3000) as usize]
}

fn write(home: &Snapshots, offset: Offset, count: u64) -> Result<Info, SnapshotError> {
    let mut writer = home.write(&header(offset))?;
    writer.add(Kind::FUNCTIONS, b"library")?;
    for i in 0..count {
        writer.add(Kind::KEYS, &entry(i))?;
    }
    writer.finish()
}

fn check(home: &Snapshots, info: &Info, count: u64) {
    let mut loader = home.load(info).unwrap();
    assert_eq!(loader.header(), &header(info.offset));
    let first = loader.next_block().unwrap().unwrap();
    assert_eq!(first.kind, Kind::FUNCTIONS);
    assert_eq!(first.entries().collect::<Vec<_>>(), ["library"]);
    let mut i = 0;
    while let Some(block) = loader.next_block().unwrap() {
        assert_eq!(block.kind, Kind::KEYS);
        for found in block.entries() {
            assert_eq!(found, entry(i));
            i += 1;
        }
    }
    assert_eq!(i, count);
    assert!(loader.next_block().unwrap().is_none());
    assert_eq!(loader.progress(), (info.bytes, info.bytes));
}

fn open(disk: &MemoryDisk) -> Snapshots {
    Snapshots::open(Arc::new(disk.clone()), "/data/snapshot".into()).unwrap()
}

#[test]
fn what_is_written_is_loaded_and_its_copy_too() {
    let home = open(&MemoryDisk::new(1));
    let info = write(&home, 100, 2000).unwrap();
    check(&home, &info, 2000);
    assert_eq!(home.newest().unwrap(), Some(info.clone()));

    let other = open(&MemoryDisk::new(2));
    let mut raw = home.raw(&info).unwrap();
    let mut receiver = other.receive().unwrap();
    while let Some(chunk) = raw.read(10_000).unwrap() {
        let at = raw.at() - chunk.len() as u64;
        receiver.write(at, &chunk).unwrap();
    }
    assert!(matches!(receiver.write(3, b"x"), Err(SnapshotError::Gap { got: 3, .. })));
    let arrived = receiver.finish().unwrap();
    assert_eq!(other.newest().unwrap(), None, "it counts only once it is adopted");
    let adopted = other.adopt(&arrived).unwrap();
    check(&other, &adopted, 2000);
}

#[test]
fn a_damaged_snapshot_is_never_sent_to_its_end() {
    let disk = MemoryDisk::new(1);
    let home = open(&disk);
    let info = write(&home, 100, 30).unwrap();
    let mut rng = Rng::new(7);
    for _ in 0..500 {
        let bit = PREAMBLE_BYTES * 8 + rng.below((info.bytes - PREAMBLE_BYTES) * 8);
        let read = |rng: &mut Rng| {
            let mut raw = home.raw(&info).unwrap();
            while raw.read(1 + rng.below(9000) as usize)?.is_some() {}
            Ok(())
        };
        disk.flip(&info.path, bit as usize);
        let error: SnapshotError = read(&mut rng).unwrap_err();
        let named =
            matches!(&error, SnapshotError::Corrupt { path, at, .. } if *path == info.path && *at * 8 <= bit);
        assert!(named && error.is_damage(), "bit {bit}: {error}");
        disk.flip(&info.path, bit as usize);
        read(&mut rng).unwrap();
    }
    let longer = Info { bytes: info.bytes - 1, ..info.clone() };
    let mut raw = home.raw(&longer).unwrap();
    assert!(std::iter::repeat_with(|| raw.read(100)).find_map(Result::err).is_some(), "its end is missing");
}

#[test]
fn a_huge_entry_gets_a_block_of_its_own() {
    let home = open(&MemoryDisk::new(1));
    let mut writer = home.write(&header(1)).unwrap();
    writer.add(Kind::KEYS, b"small").unwrap();
    writer.add(Kind::KEYS, &vec![1; 1 << 20]).unwrap();
    writer.add(Kind::KEYS, b"").unwrap();
    let info = writer.finish().unwrap();
    let mut loader = home.load(&info).unwrap();
    let mut sizes = Vec::new();
    while let Some(block) = loader.next_block().unwrap() {
        sizes.extend(block.entries().map(|e| e.len()));
    }
    assert_eq!(sizes, [5, 1 << 20, 0]);
}

#[test]
fn every_flipped_bit_and_every_missing_end_is_seen() {
    let disk = MemoryDisk::new(1);
    let home = open(&disk);
    let info = write(&home, 100, 5).unwrap();
    let mut rng = Rng::new(5);
    for _ in 0..2000 {
        let bit = rng.below(info.bytes * 8) as usize;
        disk.flip(&info.path, bit);
        assert!(home.verify(&info).is_err(), "bit {bit}");
        disk.flip(&info.path, bit);
    }
    home.verify(&info).unwrap();
    let file = disk.open(&info.path).unwrap();
    for len in (0..info.bytes).rev() {
        file.truncate(len).unwrap();
        let error = home.verify(&info).unwrap_err();
        assert!(matches!(error, SnapshotError::Corrupt { .. }), "{len}: {error}");
    }
}

#[test]
fn a_damaged_copy_is_not_taken() {
    let disk = MemoryDisk::new(1);
    let home = open(&disk);
    let info = write(&home, 100, 50).unwrap();
    let bytes = home.raw(&info).unwrap().read(usize::MAX).unwrap().unwrap();
    let mut bad = bytes.to_vec();
    bad[20_000] ^= 1;
    let mut receiver = home.receive().unwrap();
    receiver.write(0, &bad).unwrap();
    assert!(matches!(receiver.finish(), Err(SnapshotError::Corrupt { .. })));
    assert_eq!(disk.files().len(), 1, "what came is removed, what was there stays");
    check(&home, &info, 50);
}

#[test]
fn a_full_disk_ends_the_snapshot_and_leaves_nothing() {
    let disk = MemoryDisk::new(1);
    let home = open(&disk);
    let old = write(&home, 100, 50).unwrap();
    disk.limit_bytes(old.bytes + 5000);
    let error = write(&home, 200, 500).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(disk.files().len(), 1);
    disk.limit_bytes(u64::MAX);
    check(&home, &old, 50);
}

#[test]
fn a_crash_at_any_step_leaves_the_old_or_the_new_snapshot_whole() {
    for seed in 0..400 {
        let disk = MemoryDisk::new(seed);
        let home = open(&disk);
        write(&home, 100, 20).unwrap();
        let mut rng = Rng::new(seed);
        disk.crash_after(rng.below(14));
        let done = write(&home, 200, 20).and_then(|new| home.remove_before(new.offset));
        assert!(done.is_ok() || disk.has_crashed());
        disk.restart(if rng.one_in(2) { Crash::Machine } else { Crash::Process });
        let home = open(&disk);
        let newest = home.newest().unwrap().expect("one of them");
        check(&home, &newest, 20);
        if done.is_ok() {
            assert_eq!(newest.offset, 200);
        }
        let left = disk.files();
        assert!(left.iter().all(|(path, _)| path.extension().is_some_and(|e| e == "snap")), "{left:?}");
    }
}
