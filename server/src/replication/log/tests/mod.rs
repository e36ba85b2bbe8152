//! Tests of the log: what it keeps through restarts, crashes, broken disks and several hands at once.

mod crash;
mod faults;
mod sent;
mod shared;

use super::memory::MemoryDisk;
use super::*;

/// A log on `disk` with small segments, without a thread, whose failures are counted instead of fatal.
fn options(disk: &MemoryDisk, fsync: Fsync) -> Options {
    let mut options = Options::new(Some("/log".into()));
    options.disk = Arc::new(disk.clone());
    options.fsync = fsync;
    options.segment_bytes = 500;
    options.background = false;
    options.hooks.fatal = Box::new(|_| {});
    options
}

fn payloads(log: &Log, from: Offset) -> Vec<Vec<u8>> {
    let mut records = log.records(from).unwrap();
    let mut all = Vec::new();
    while let Some(record) = records.next_until(Offset::MAX).unwrap() {
        all.push(record.payload.to_vec());
    }
    all
}

/// The `i`th payload of tests that count.
fn numbered(i: u64) -> Vec<u8> {
    format!("record {i} {}", "x".repeat((i % 50) as usize)).into_bytes()
}

#[test]
fn a_log_that_starts_with_a_new_epoch_knows_the_one_before() {
    let disk = MemoryDisk::new(1);
    let (log, _) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
    for epoch in 1..4 {
        log.append(epoch, 1, &[b'x'; 600]);
        log.flush().unwrap();
    }
    log.sync().unwrap();
    let start = log.epochs()[2].start;
    log.trim(start).unwrap();
    let first = log.epochs()[0];
    assert_eq!((log.start(), first.epoch), (start, log.position_at(start).unwrap().epoch));
    drop(log);
    let (log, _) = Log::open(options(&disk, Fsync::Everysec), Position::START).unwrap();
    assert_eq!((log.start(), log.epochs()[0].epoch), (start, first.epoch));
}
