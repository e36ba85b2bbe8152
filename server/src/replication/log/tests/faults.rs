//! A disk that is full, that fails to sync, and one that flips bits.

use super::super::memory::{Crash, MemoryDisk, Rng};
use super::super::*;
use super::{numbered, options, payloads};
use std::path::Path;
use std::sync::atomic::AtomicUsize;

#[test]
fn a_full_disk_keeps_the_tail_and_goes_on_where_it_stopped() {
    for seed in 0..300 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let (log, _) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
        let mut room = rng.below(600);
        disk.limit_bytes(room);
        let count = 20 + rng.below(40);
        for i in 0..count {
            log.append(1, i, &numbered(i));
            match log.flush() {
                Ok(()) => assert!(!log.is_full() && log.held() == log.end_offset()),
                Err(error) => {
                    assert!(matches!(error, LogError::Full), "{error}");
                    assert!(log.is_full() && log.held() < log.end_offset());
                    assert!(matches!(log.append_raw(log.next_raw(), b""), Err(RawError::Full)));
                    room += rng.below(150);
                    disk.limit_bytes(room);
                }
            }
        }
        let held = log.held();
        if rng.one_in(2) {
            drop(log);
            disk.restart(Crash::Process);
            disk.limit_bytes(u64::MAX);
            let (log, found) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
            assert!(found.end.offset >= held, "seed {seed}");
            let kept = payloads(&log, 0);
            let expected: Vec<_> = (0..kept.len() as u64).map(numbered).collect();
            assert_eq!(kept, expected, "seed {seed}");
            continue;
        }
        disk.limit_bytes(u64::MAX);
        log.flush().unwrap();
        assert!(!log.is_full());
        assert_eq!(payloads(&log, 0), (0..count).map(numbered).collect::<Vec<_>>(), "seed {seed}");
        let end = log.close().unwrap();
        let (log, found) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
        assert_eq!((found.end, found.cut), (end, None), "seed {seed}");
        assert_eq!(payloads(&log, 0).len() as u64, count);
    }
}

#[test]
fn a_full_log_can_still_be_truncated() {
    let disk = MemoryDisk::new(1);
    let (log, _) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
    log.append(1, 0, b"kept");
    log.flush().unwrap();
    let kept = log.end();
    disk.limit_bytes(200);
    log.append(1, 0, &[7; 300]);
    assert!(log.flush().is_err());
    let diverged = log.end();
    assert!(matches!(log.truncate(diverged), Err(LogError::Full)));
    log.truncate(kept).unwrap();
    assert!(!log.is_full());
    log.append(2, 0, b"next");
    log.flush().unwrap();
    assert_eq!(payloads(&log, 0), [b"kept".to_vec(), b"next".to_vec()]);
    drop(log);
    let (log, found) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
    assert_eq!(found.cut, None);
    assert_eq!(payloads(&log, 0), [b"kept".to_vec(), b"next".to_vec()]);
}

#[test]
fn a_failed_fsync_is_fatal_and_holds_nothing_more() {
    for fsync in [Fsync::Always, Fsync::Everysec] {
        let disk = MemoryDisk::new(1);
        let deaths = Arc::new(AtomicUsize::new(0));
        let mut options = options(&disk, fsync);
        let count = Arc::clone(&deaths);
        options.hooks.fatal = Box::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let (log, _) = Log::open(options, Position::START).unwrap();
        log.append(1, 0, b"a");
        log.flush().unwrap();
        disk.fail_syncs(true);
        let held = log.append(1, 0, b"b");
        assert!(log.flush().is_err() || fsync == Fsync::Everysec);
        assert!(log.sync().is_err());
        assert_eq!(deaths.load(Ordering::SeqCst), 1);
        assert_eq!(log.held() == held, fsync == Fsync::Everysec);
        disk.fail_syncs(false);
        log.append(1, 0, b"c");
        assert!(matches!(log.flush(), Err(LogError::Failed)), "it must not be tried again");
        assert!(log.held() <= held);
    }
}

#[test]
fn no_flipped_bit_changes_or_hides_a_synced_record() {
    let mut stops = 0;
    for seed in 0..1500 {
        let disk = MemoryDisk::new(seed);
        let mut rng = Rng::new(seed);
        let (log, _) = Log::open(options(&disk, Fsync::Always), Position::START).unwrap();
        for i in 0..30 {
            log.append(1 + i / 10, i, &numbered(i));
            if rng.one_in(3) {
                log.flush().unwrap();
            }
        }
        log.flush().unwrap();
        drop(log);
        let files = disk.files();
        let (path, size) = &files[rng.below(files.len() as u64) as usize];
        let bit = rng.below(*size as u64 * 8) as usize;
        disk.flip(path, bit);
        match Log::open(options(&disk, Fsync::Always), Position::START) {
            Ok((log, found)) => {
                assert!(found.cut.is_none(), "seed {seed}: {found:?}");
                assert_eq!(payloads(&log, 0), (0..30).map(numbered).collect::<Vec<_>>(), "seed {seed}");
            }
            Err(LogError::Corrupt { path: named, .. } | LogError::Newer { path: named, .. }) => {
                assert_eq!(&named, path);
                stops += 1;
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(stops > 1000, "{stops}");
}

#[test]
fn damage_to_what_was_never_synced_is_cut_and_called_suspect() {
    let path: &Path = "/log/00000000000000000000.log".as_ref();
    let mut bit = 0;
    loop {
        let disk = MemoryDisk::new(1);
        let (log, _) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
        log.append(1, 0, b"synced");
        let synced = log.sync().unwrap();
        let ends: Vec<Offset> = (0..3)
            .map(|i| {
                log.append(1, 0, &numbered(i));
                log.end_offset()
            })
            .collect();
        log.flush().unwrap();
        drop(log);
        let byte = synced + bit as u64 / 8;
        let Some(record) = ends.iter().position(|end| byte < *end) else { break };
        // Whatever it is, a length among it, even of the last record: it is no write that did not finish.
        disk.flip(path, (48 + synced as usize) * 8 + bit);
        let (log, found) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
        let cut = found.cut.unwrap();
        let good = if record == 0 { synced } else { ends[record - 1] };
        assert_eq!((cut.offset, cut.at, cut.suspect), (good, 48 + good, true), "bit {bit}: {}", cut.what);
        assert_eq!(log.end_offset(), good, "bit {bit}");
        bit += 1;
    }
    assert!(bit > 3 * 24 * 8, "{bit}");
}

#[test]
fn a_flip_on_the_medium_is_seen_by_whoever_reads_it_later() {
    let disk = MemoryDisk::new(1);
    let mut options = options(&disk, Fsync::Everysec);
    options.backlog_bytes = 0;
    let (log, _) = Log::open(options, Position::START).unwrap();
    log.append(1, 0, b"first");
    let first = log.end();
    log.append(1, 0, b"second");
    log.flush().unwrap();
    disk.flip("/log/00000000000000000000.log".as_ref(), (48 + first.offset as usize + 26) * 8);
    let mut records = log.records(0).unwrap();
    assert_eq!(records.next_until(Offset::MAX).unwrap().unwrap().end, first);
    assert!(
        matches!(records.next_until(Offset::MAX), Err(ReadError::Record { offset, .. }) if offset == first.offset)
    );
    let follower = Log::in_memory(Position::START).unwrap();
    let chunk = log.reader(0).unwrap().read(usize::MAX).unwrap().unwrap();
    assert!(matches!(follower.append_raw(0, &chunk.bytes), Err(RawError::Record { .. })));
    assert_eq!(follower.end(), first);
    assert_eq!(follower.next_raw(), first.offset);
}
