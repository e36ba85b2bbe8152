//! What followers get of a log whose files are damaged while it is written.

use super::super::memory::{MemoryDisk, Rng};
use super::super::*;
use super::{numbered, options};

/// All that is sent from there on in pieces, and why it ended before the log does.
fn sent(log: &Log, from: Offset, piece: usize) -> (Vec<u8>, Option<ReadError>) {
    let mut sender = log.sender(from).unwrap();
    let mut bytes = Vec::new();
    loop {
        match sender.read(piece) {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk.bytes),
            Ok(None) => return (bytes, None),
            Err(error) => return (bytes, Some(error)),
        }
    }
}

/// A log that is read from its files only, and where its records end.
fn written(disk: &MemoryDisk, rng: &mut Rng) -> (Log, Vec<Position>) {
    remembered(disk, rng, 0)
}

/// The same, with so many bytes of its end in memory.
fn remembered(disk: &MemoryDisk, rng: &mut Rng, backlog_bytes: usize) -> (Log, Vec<Position>) {
    let mut options = options(disk, Fsync::Everysec);
    options.backlog_bytes = backlog_bytes;
    let (log, _) = Log::open(options, Position::START).unwrap();
    let mut ends = vec![log.end()];
    for i in 0..40 {
        log.append(1 + i / 15, i, &numbered(rng.below(200)));
        log.flush().unwrap();
        ends.push(log.end());
    }
    log.sync().unwrap();
    (log, ends)
}

#[test]
fn a_damaged_record_is_named_and_never_sent_whole() {
    let (mut stopped, mut last) = (0, 0);
    for seed in 0..2000 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let (log, ends) = written(&disk, &mut rng);
        let piece = 1 + rng.below(120) as usize;
        let (all, error) = sent(&log, 0, piece);
        assert!(error.is_none() && all.len() as u64 == log.end_offset(), "seed {seed}: {error:?}");

        let files: Vec<_> = disk.files().into_iter().filter(|(path, _)| segment_name(path)).collect();
        let (path, size) = &files[rng.below(files.len() as u64) as usize];
        let bit = 48 * 8 + rng.below((*size as u64 - 48) * 8) as usize;
        disk.flip(path, bit);
        let base = segment::parse_name(path.file_name().unwrap().to_str().unwrap()).unwrap();
        let place = base + (bit / 8) as u64 - 48;
        let damaged = ends.iter().rfind(|end| end.offset <= place).unwrap();

        let from = ends[rng.below(ends.len() as u64 - 1) as usize];
        let (bytes, error) = sent(&log, from.offset, piece);
        let Some(error) = error else {
            assert!(from.offset > damaged.offset, "seed {seed}: it is sent");
            assert!(bytes == all[from.offset as usize..], "seed {seed}");
            continue;
        };
        stopped += 1;
        let ReadError::Log(LogError::Corrupt { path: named, at, offset, .. }) = &error else {
            panic!("seed {seed}: {error}")
        };
        assert_eq!((named, *offset, *at), (path, damaged.offset, damaged.offset - base + 48), "seed {seed}");
        let follower = Log::in_memory(from).unwrap();
        let held = follower.append_raw(from.offset, &bytes).map(|_| follower.end()).unwrap();
        assert!(held.offset <= damaged.offset.max(from.offset), "seed {seed}");

        // What is behind the damage goes on, and what is before it is gone with the next trim.
        let sound = log.sound_from();
        assert!(sound > place && matches!(log.sender(from.offset), Err(ReadError::Trimmed { .. })));
        assert!(log.keep_from(damaged.offset).is_none() && log.keep_from(sound).is_some());
        last += u64::from(sound == ends[40].offset);
        for i in 0..10 {
            log.append(3, i, &numbered(i));
            log.flush().unwrap();
        }
        let (after, error) = sent(&log, sound, piece);
        assert!(error.is_none() && after.len() as u64 == log.end_offset() - sound, "seed {seed}: {error:?}");
        log.sync().unwrap();
        log.trim(sound).unwrap();
        assert!(disk.files().iter().all(|(left, _)| left != path), "seed {seed}: the file is still there");
        let end = log.close().unwrap();
        drop(log);
        let (log, found) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
        assert_eq!((found.end, found.cut, log.start()), (end, None, sound), "seed {seed}");
    }
    assert!(stopped > 800 && last > 50, "{stopped} {last}");
}

#[test]
fn a_damaged_length_does_not_have_the_rest_pass_for_one_record() {
    let disk = MemoryDisk::new(1);
    let mut rng = Rng::new(1);
    let (log, ends) = written(&disk, &mut rng);
    // The third byte of the second record's length: 64 KiB more than it has.
    disk.flip("/log/00000000000000000000.log".as_ref(), (48 + ends[1].offset as usize + 2) * 8);
    let (bytes, error) = sent(&log, 0, 10);
    assert!(bytes.len() as u64 <= ends[1].offset + 30, "{}", bytes.len());
    let offset = ends[1].offset;
    assert!(matches!(error, Some(ReadError::Log(LogError::Corrupt { offset: at, .. })) if at == offset));
}

#[test]
fn who_compares_with_a_damaged_log_hears_of_it() {
    let disk = MemoryDisk::new(1);
    let (log, ends) = written(&disk, &mut Rng::new(1));
    disk.flip("/log/00000000000000000000.log".as_ref(), (48 + ends[1].offset as usize + 24) * 8);
    let error = log.position_at(ends[3].offset).unwrap_err();
    assert!(error.to_string().contains("00000000000000000000.log is corrupt at byte"), "{error}");
    assert!(log.sound_from() > ends[3].offset);
}

#[test]
fn who_reads_records_does_not_wait_for_one_whose_length_is_damaged() {
    let disk = MemoryDisk::new(1);
    let (log, ends) = written(&disk, &mut Rng::new(1));
    // The last byte of the third record's length: 1 GiB more than it has.
    disk.flip("/log/00000000000000000000.log".as_ref(), (48 + ends[2].offset as usize + 3) * 8 + 6);
    let mut records = log.records(0).unwrap();
    for end in &ends[1..3] {
        assert_eq!(records.next_until(Offset::MAX).unwrap().unwrap().end, *end);
    }
    let error = records.next_until(Offset::MAX).unwrap_err();
    assert!(matches!(error, ReadError::Record { offset, .. } if offset == ends[2].offset), "{error}");
}

#[test]
fn what_is_in_memory_is_sent_whatever_its_file_holds() {
    let (mut far, mut near) = (0, 0);
    for seed in 0..300 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let (log, ends) = remembered(&disk, &mut rng, 700);
        let (all, _) = sent(&log, 0, 1000);
        let files: Vec<_> = disk.files().into_iter().filter(|(path, _)| segment_name(path)).collect();
        let (path, size) = files.last().unwrap();
        let bit = 48 * 8 + rng.below((*size as u64 - 48) * 8) as usize;
        disk.flip(path, bit);
        let (bytes, error) = sent(&log, 0, 1 + rng.below(120) as usize);
        if error.is_none() {
            assert!(bytes == all, "seed {seed}");
            near += 1;
            continue;
        }
        // Whoever is near enough to the end needs nothing of the file.
        let start = log.sendable_from();
        assert!(start < log.sound_from() && ends.iter().any(|end| end.offset == start), "seed {seed}");
        let (bytes, error) = sent(&log, start, 1000);
        assert!(error.is_none() && bytes == all[start as usize..], "seed {seed}");
        far += 1;
    }
    assert!(far > 10 && near > 100, "{far} {near}");
}
