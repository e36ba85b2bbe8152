//! Threads that share a log on real files, readers beside writers, and what followers send.

use super::super::memory::MemoryDisk;
use super::super::*;
use super::{numbered, options, payloads};
use std::sync::mpsc;
use std::thread;

fn real(dir: &tempfile::TempDir, fsync: Fsync, held: mpsc::Sender<Offset>) -> Log {
    let mut options = Options::new(Some(dir.path().join("log")));
    options.fsync = fsync;
    options.segment_bytes = 20_000;
    options.backlog_bytes = 10_000;
    options.hooks.on_held = Box::new(move |offset| {
        held.send(offset).ok();
    });
    Log::open(options, Position::START).unwrap().0
}

#[test]
fn many_threads_share_writes_and_each_finds_its_record_held() {
    for fsync in [Fsync::Always, Fsync::Everysec] {
        let dir = tempfile::tempdir().unwrap();
        let (held, told) = mpsc::channel();
        let log = real(&dir, fsync, held);
        let reader = {
            let log = log.clone();
            thread::spawn(move || {
                let follower = Log::in_memory(Position::START).unwrap();
                let mut reader = log.reader(0).unwrap();
                while follower.end().offset == 0
                    || log.last_time_ms() < 400
                    || reader.offset() < log.end_offset()
                {
                    match reader.read(777).unwrap() {
                        Some(chunk) => drop(follower.append_raw(chunk.start, &chunk.bytes).unwrap()),
                        None => thread::yield_now(),
                    }
                }
                follower.end()
            })
        };
        thread::scope(|scope| {
            for t in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for i in 0..100 {
                        let end = log.append(1, i, &numbered(t));
                        log.flush().unwrap();
                        assert!(fsync == Fsync::Always || log.held() >= end);
                    }
                });
            }
        });
        log.append(1, 400, b"last");
        log.flush().unwrap();
        let mut last = 0;
        while last < log.end_offset() {
            let now = told.recv().unwrap();
            assert!(now > last, "held never goes backwards");
            last = now;
        }
        assert_eq!(reader.join().unwrap(), log.end());
        let end = log.close().unwrap();
        drop(log);
        let (held, _told) = mpsc::channel();
        let log = real(&dir, fsync, held);
        assert_eq!(log.end(), end);
        assert_eq!(payloads(&log, 0).len(), 401);
        assert_eq!((log.synced(), log.last_time_ms()), (end.offset, 400));
    }
}

#[test]
fn readers_fall_back_to_files_and_say_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (held, _told) = mpsc::channel();
    let log = real(&dir, Fsync::No, held);
    for i in 0..2000 {
        log.append(1 + i / 700, i, &numbered(i));
        log.flush().unwrap();
    }
    log.sync().unwrap();
    assert_eq!(payloads(&log, 0), (0..2000).map(numbered).collect::<Vec<_>>());
    let starts: Vec<_> = log.epochs().iter().map(|e| e.epoch).collect();
    assert_eq!(starts, [1, 2, 3]);
    for EpochStart { start, .. } in log.epochs() {
        assert_eq!(log.position_at(start).unwrap().offset, start);
        assert!(matches!(log.position_at(start + 1), Err(ReadError::NoBoundary(_))));
    }
    let third = log.epochs()[2].start;
    let gone = log.trim(third).unwrap();
    assert!(gone > 0 && log.start() <= third && log.start() + 20_100 > third);
    assert_eq!(log.kept_bytes(), log.end_offset() - log.start());
    assert!(matches!(log.reader(0), Err(ReadError::Trimmed { wanted: 0, .. })));
    assert!(matches!(log.reader(log.end_offset() + 1), Err(ReadError::Beyond { .. })));
    assert_eq!(log.epochs()[0].epoch, 2, "epochs that are gone are forgotten");
    assert_eq!(payloads(&log, third).len(), 600);
    let mut reader = log.reader(third).unwrap();
    let to = log.position_at(third).unwrap();
    log.truncate(to).unwrap();
    assert!(matches!(reader.read(10), Err(ReadError::Cut)));
    assert_eq!((log.end(), log.held()), (to, third));
    assert!(!log.contains(Position { crc: to.crc ^ 1, ..to }));
    assert!(matches!(log.truncate(Position { crc: to.crc ^ 1, ..to }), Err(LogError::NotContained(_))));
}

#[test]
fn a_follower_takes_bytes_cut_anywhere_and_nothing_else() {
    let leader = Log::in_memory(Position::START).unwrap();
    leader.append(3, 1, &vec![5; 300_000]);
    leader.append_with(3, 2, |buf| buf.extend_from_slice(b"in place"));
    leader.flush().unwrap();
    let bytes = leader.reader(0).unwrap().read(usize::MAX).unwrap().unwrap().bytes;
    let follower = Log::in_memory(Position::START).unwrap();
    for (i, part) in bytes.chunks(1009).enumerate() {
        let start = (i * 1009) as u64;
        assert_eq!(follower.next_raw(), start);
        follower.append_raw(start, part).unwrap();
    }
    assert_eq!(follower.end(), leader.end());
    assert_eq!(follower.last_time_ms(), 2);
    follower.flush().unwrap();
    assert_eq!(payloads(&follower, 0)[1], b"in place");

    let other = Log::in_memory(Position::START).unwrap();
    assert!(matches!(other.append_raw(5, &bytes), Err(RawError::Gap { expected: 0, got: 5 })));
    other.append_raw(0, &bytes[..100]).unwrap();
    assert_eq!((other.end(), other.next_raw()), (Position::START, 100));
    other.forget_partial();
    assert_eq!(other.next_raw(), 0);
    assert!(matches!(other.append_raw(0, &[0; 100]), Err(RawError::Record { offset: 0, .. })));

    let ahead = Log::in_memory(Position { epoch: 4, ..Position::START }).unwrap();
    let error = ahead.append_raw(0, &bytes).unwrap_err();
    assert!(matches!(
        error,
        RawError::Record { source: record::RecordError::EpochFalls { before: 4, found: 3 }, .. }
    ));
}

#[test]
fn records_stop_at_the_limit_and_go_on_from_there() {
    let log = Log::in_memory(Position::START).unwrap();
    let first = log.append(1, 1, b"one");
    let second = log.append(1, 2, b"two");
    log.flush().unwrap();
    let mut records = log.records(0).unwrap();
    assert!(records.next_until(first - 1).unwrap().is_none());
    assert_eq!(records.next_until(first).unwrap().unwrap().payload, "one");
    assert!(records.next_until(first).unwrap().is_none());
    let record = records.next_until(Offset::MAX).unwrap().unwrap();
    assert_eq!((record.start, record.end.offset, record.time_ms), (first, second, 2));
    assert!(records.next_until(Offset::MAX).unwrap().is_none());
    log.append(2, 3, b"three");
    assert!(records.next_until(Offset::MAX).unwrap().is_none(), "not written yet");
    log.flush().unwrap();
    assert_eq!(records.next_until(Offset::MAX).unwrap().unwrap().epoch, 2);
}

#[test]
fn changing_appendfsync_never_lowers_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let (held, told) = mpsc::channel();
    let log = real(&dir, Fsync::No, held);
    let first = log.append(1, 0, b"written");
    log.flush().unwrap();
    assert_eq!(log.held(), first);
    log.set_fsync(Fsync::Always);
    assert_eq!(log.held(), first);
    let second = log.append(1, 0, b"synced");
    log.flush().unwrap();
    while log.held() < second {
        told.recv().unwrap();
    }
    assert!(log.synced() >= second);
}

#[test]
fn what_was_cut_after_it_was_read_ahead_is_no_record() {
    let (log, _) = Log::open(options(&MemoryDisk::new(1), Fsync::Everysec), Position::START).unwrap();
    log.append(1, 0, b"shared");
    log.flush().unwrap();
    let shared = log.end();
    log.append(1, 0, b"of the old leader");
    log.flush().unwrap();
    let mut records = log.records(0).unwrap();
    // Both are read from the log at once; only the first is asked for.
    assert!(records.next_until(shared.offset).unwrap().is_some());
    log.truncate(shared).unwrap();
    let end = log.append(2, 0, b"of the new leader");
    log.flush().unwrap();
    assert!(matches!(records.next_until(end), Err(ReadError::Cut)));
    assert_eq!(payloads(&log, shared.offset), [b"of the new leader"]);
}
