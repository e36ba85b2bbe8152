//! Crashes at every disk operation of every kind of work: what was held is there, in order, nothing invented.

use super::super::memory::{Crash, MemoryDisk, Rng};
use super::super::*;
use std::fmt::Write as _;

/// What the log must hold: its records in order, and how far each guarantee goes.
struct Model {
    base: Position,
    /// End of each record, and its payload.
    records: Vec<(Position, Vec<u8>)>,
    epoch: Epoch,
    count: u64,
    /// A cut that was under way: the log may already be as short as this.
    cutting: Option<Offset>,
    /// A reset that was under way.
    resetting: Option<Position>,
    trimmed: Offset,
}

struct World {
    disk: MemoryDisk,
    rng: Rng,
    fsync: Fsync,
    segment_bytes: u64,
    log: Option<Log>,
    model: Model,
    story: String,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let fsync = [Fsync::Always, Fsync::Everysec, Fsync::No][rng.below(3) as usize];
        let segment_bytes = 100 + rng.below(900);
        let model = Model {
            base: Position::START,
            records: Vec::new(),
            epoch: 1,
            count: 0,
            cutting: None,
            resetting: None,
            trimmed: 0,
        };
        let story = format!("seed {seed}, {fsync:?}, segments of {segment_bytes}\n");
        let disk = MemoryDisk::new(seed);
        Self { disk, rng, fsync, segment_bytes, log: None, model, story }
    }

    fn note(&mut self, what: &str) {
        writeln!(self.story, "{:>4} {what}", self.disk.operations()).unwrap();
    }

    fn open(&mut self) -> Result<Recovered, LogError> {
        let mut options = Options::new(Some("/log".into()));
        options.disk = Arc::new(self.disk.clone());
        options.fsync = self.fsync;
        options.segment_bytes = self.segment_bytes;
        options.backlog_bytes = 300;
        options.background = false;
        options.hooks.fatal = Box::new(|_| {});
        let base = self.model.resetting.unwrap_or(self.model.base);
        let (log, recovered) = Log::open(options, base)?;
        self.log = Some(log);
        Ok(recovered)
    }

    fn append(&mut self) {
        let log = self.log.as_ref().unwrap();
        if self.rng.one_in(10) {
            self.model.epoch += 1;
        }
        self.model.count += 1;
        let size = if self.rng.one_in(20) { 1500 } else { self.rng.below(60) };
        let mut payload = self.model.count.to_le_bytes().to_vec();
        payload.resize(8 + size as usize, self.model.count as u8);
        log.append(self.model.epoch, self.model.count, &payload);
        self.model.records.push((log.end(), payload));
    }

    /// One step; an error only if the disk crashed.
    fn step(&mut self) -> Result<(), LogError> {
        match self.rng.below(24) {
            0..10 => {
                self.append();
                Ok(())
            }
            10..16 => {
                self.note("flush");
                self.log.as_ref().unwrap().flush()
            }
            16..19 => {
                self.note("sync");
                self.log.as_ref().unwrap().sync().map(drop)
            }
            19 => self.truncate(),
            20 => self.trim(),
            21 if self.rng.one_in(4) => self.reset(),
            22 if self.rng.one_in(3) => {
                self.note("close and open");
                self.log.as_ref().unwrap().close()?;
                self.log = None;
                let recovered = self.open()?;
                assert_eq!(recovered.cut, None, "{}", self.story);
                Ok(())
            }
            _ => self.append_raw(),
        }
    }

    fn truncate(&mut self) -> Result<(), LogError> {
        let log = self.log.clone().unwrap();
        let start = log.start();
        let mut places: Vec<Position> = self.model.records.iter().map(|r| r.0).collect();
        places.insert(0, self.model.base);
        places.retain(|p| p.offset >= start);
        let to = places[self.rng.below(places.len() as u64) as usize];
        self.note(&format!("truncate to {to}"));
        self.model.cutting = Some(to.offset);
        log.truncate(to)?;
        self.model.cutting = None;
        self.model.records.retain(|r| r.0.offset <= to.offset);
        self.model.epoch += 1;
        Ok(())
    }

    fn trim(&mut self) -> Result<(), LogError> {
        let log = self.log.clone().unwrap();
        let before = self.rng.below(log.end_offset() + 1);
        self.note(&format!("trim before {before}"));
        self.model.trimmed = self.model.trimmed.max(before);
        log.trim(before).map(drop)
    }

    fn reset(&mut self) -> Result<(), LogError> {
        let offset = self.rng.below(5000);
        self.model.epoch += 1;
        let to = Position { epoch: self.model.epoch, offset, crc: self.rng.word() as u32 };
        self.note(&format!("reset to {to}"));
        self.model.resetting = Some(to);
        self.log.as_ref().unwrap().reset(to)?;
        self.model.resetting = None;
        self.model.base = to;
        self.model.records.clear();
        self.model.trimmed = 0;
        Ok(())
    }

    /// A follower's bytes, cut anywhere.
    fn append_raw(&mut self) -> Result<(), LogError> {
        let log = self.log.clone().unwrap();
        let leader = Log::in_memory(log.end()).unwrap();
        let from = leader.end_offset();
        self.log = Some(leader.clone());
        for _ in 0..=self.rng.below(4) {
            self.append();
        }
        self.log = Some(log.clone());
        leader.flush()?;
        let mut reader = leader.reader(from).unwrap();
        while let Some(chunk) = reader.read(1 + self.rng.below(100) as usize).unwrap() {
            log.append_raw(chunk.start, &chunk.bytes).unwrap();
        }
        assert_eq!(log.end(), leader.end(), "{}", self.story);
        self.note("append raw");
        log.flush()
    }

    /// The machine or the process is gone: what comes back?
    fn recover(&mut self, crash: Crash) {
        let log = self.log.take().unwrap();
        let mut safe = if crash == Crash::Machine { log.synced() } else { log.written() };
        if self.model.resetting.is_some() {
        } else if self.fsync == Fsync::Always {
            assert!(log.held() <= log.synced());
        } else {
            assert_eq!(log.held(), log.written());
        }
        if let Some(to) = self.model.cutting {
            safe = safe.min(to);
        }
        drop(log);
        self.note(&format!("{crash:?} gone, safe up to {safe}"));
        self.disk.restart(crash);
        let recovered = self.open().unwrap_or_else(|e| panic!("{e}\n{}", self.story));
        self.note(&format!("recovered {recovered:?}"));
        self.check(safe, &recovered);
        if crash == Crash::Process
            && let Some(cut) = &recovered.cut
        {
            assert!(!cut.suspect, "{}", self.story);
        }
    }

    fn check(&mut self, safe: Offset, recovered: &Recovered) {
        let story = &self.story;
        if let Some(to) = self.model.resetting.take() {
            if recovered.end == to {
                self.model.base = to;
                self.model.records.clear();
                self.model.trimmed = 0;
                return;
            }
        } else {
            assert!(recovered.end.offset >= safe, "lost {safe}\n{story}");
        }
        self.model.cutting = None;
        let log = self.log.as_ref().unwrap();
        assert!(recovered.start.offset <= self.model.trimmed.max(self.model.base.offset), "{story}");
        self.model.records.retain(|r| r.0.offset <= recovered.end.offset);
        let last = self.model.records.last().map_or(self.model.base, |r| r.0);
        assert_eq!(last, recovered.end, "{story}");
        let mut records = log.records(recovered.start.offset).unwrap();
        for (end, payload) in self.model.records.iter().filter(|r| r.0.offset > recovered.start.offset) {
            let record = records.next_until(Offset::MAX).unwrap().expect(story);
            assert_eq!((&record.end, &record.payload[..]), (end, &payload[..]), "{story}");
        }
        assert_eq!(records.next_until(Offset::MAX).unwrap(), None, "{story}");
        assert_eq!((log.held(), log.synced()), (recovered.end.offset, recovered.end.offset), "{story}");
    }

    fn run(seed: u64) {
        let mut world = Self::new(seed);
        world.open().unwrap();
        for _ in 0..4 {
            let after = world.rng.below(60);
            world.disk.crash_after(after);
            for _ in 0..200 {
                if let Err(error) = world.step() {
                    assert!(world.disk.has_crashed(), "{error}\n{}", world.story);
                    break;
                }
            }
            if world.log.is_none() {
                // It crashed while it was opened again, in order: nothing may be missing.
                world.disk.restart(Crash::Machine);
                let end = world.model.records.last().map_or(world.model.base, |r| r.0);
                let recovered = world.open().unwrap_or_else(|e| panic!("{e}\n{}", world.story));
                world.check(end.offset, &recovered);
                continue;
            }
            let crash = if world.rng.one_in(2) { Crash::Machine } else { Crash::Process };
            world.recover(crash);
        }
    }
}

#[test]
fn whatever_happens_what_was_held_is_there_after_a_crash() {
    for seed in 0..4000 {
        World::run(seed);
    }
}
