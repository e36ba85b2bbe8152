//! Applies the log to the key space of a follower, behind the protocol's back.
//!
//! Records arrive, are kept and acknowledged by the protocol; this thread brings the key space up to the commit offset,
//! so that a slow application never delays an acknowledgement. Before the node leads, or the log is cut or replaced, the
//! protocol waits for it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::SharedEngine;
use super::applied::Applied;
use crate::replication::log::{Log, ReadError, Record, Records};
use crate::replication::position::{Offset, Position};

/// Records applied under one hold of the engine's lock: some hundred microseconds of work.
const RECORDS_PER_LOCK: usize = 256;

/// Between two looks whether the log's own thread has written what is to be applied (`appendfsync always`).
const FLUSHED_SOON: Duration = Duration::from_millis(1);

struct State {
    /// Up to where records are to be applied.
    target: Offset,
    /// Nothing is applied while the log is being cut or replaced.
    held: bool,
    working: bool,
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub struct Applier {
    applied: Applied,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// For a simulator, which has no threads.
    by_hand: Option<ByHand>,
}

struct ByHand {
    log: Log,
    engine: SharedEngine,
    records: Mutex<Option<Records>>,
}

impl Applier {
    /// Everything up to `applied` is in the key space already.
    pub fn start(log: Log, engine: SharedEngine, applied: Applied) -> std::io::Result<Self> {
        let state = State { target: applied.position().offset, held: false, working: false, stop: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (worker, stands) = (shared.clone(), applied.clone());
        let thread = std::thread::Builder::new()
            .name("apply".into())
            .spawn(move || work(&worker, &log, &engine, &stands))?;
        Ok(Self { applied, shared, thread: Some(thread), by_hand: None })
    }

    /// Without a thread: [`Applier::step`] does its work.
    #[cfg(feature = "simulate")]
    pub fn by_hand(log: Log, engine: SharedEngine, applied: Applied) -> Self {
        let state = State { target: applied.position().offset, held: false, working: false, stop: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        Self {
            applied,
            shared,
            thread: None,
            by_hand: Some(ByHand { log, engine, records: Mutex::default() }),
        }
    }

    /// Apply some of what is to be applied; false if there is nothing.
    pub fn step(&self) -> bool {
        let Some(ByHand { log, engine, records }) = &self.by_hand else { return false };
        let state = self.shared.state.lock();
        let (target, held) = (state.target, state.held);
        drop(state);
        if held || self.applied.position().offset >= target {
            return false;
        }
        match apply(&mut records.lock(), log, engine, &self.applied, target) {
            Ok(some) => some,
            Err(error) => super::fatal(&format!("can't apply the log: {error}")),
        }
    }

    /// Apply on, up to here.
    pub fn aim(&self, target: Offset) {
        let mut state = self.shared.state.lock();
        if target > state.target {
            state.target = target;
            self.shared.changed.notify_all();
        }
    }

    /// Wait until everything up to `target` is applied.
    pub fn finish(&self, target: Offset) {
        self.aim(target);
        while self.step() {}
        let mut state = self.shared.state.lock();
        while self.applied.position().offset < target && !state.stop {
            self.shared.changed.wait(&mut state);
        }
    }

    pub fn applied(&self) -> Position {
        self.applied.position()
    }

    /// Stop applying until [`Applier::resume`]; when this returns nothing is under way.
    pub fn hold(&self) {
        let mut state = self.shared.state.lock();
        state.held = true;
        while state.working {
            self.shared.changed.wait(&mut state);
        }
    }

    /// Go on; the key space stands at `applied` now.
    pub fn resume(&self, applied: Position) {
        let mut state = self.shared.state.lock();
        self.applied.set(applied);
        state.held = false;
        state.target = applied.offset;
        self.shared.changed.notify_all();
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, log: &Log, engine: &SharedEngine, applied: &Applied) {
    let mut records: Option<Records> = None;
    loop {
        let (from, target) = {
            let mut state = shared.state.lock();
            state.working = false;
            shared.changed.notify_all();
            while !state.stop && (state.held || applied.position().offset >= state.target) {
                if state.held {
                    // What comes after is another log.
                    records = None;
                }
                shared.changed.wait(&mut state);
            }
            if state.stop {
                return;
            }
            state.working = true;
            (applied.position().offset, state.target)
        };
        match apply(&mut records, log, engine, applied, target) {
            Ok(true) => {}
            Ok(false) => std::thread::sleep(FLUSHED_SOON),
            Err(error) => super::fatal(&format!("can't apply the log at offset {from}: {error}")),
        }
    }
}

/// Apply some records; false if what comes next is in memory still, where only what is written can be read.
fn apply(
    records: &mut Option<Records>,
    log: &Log,
    engine: &SharedEngine,
    applied: &Applied,
    target: Offset,
) -> Result<bool, String> {
    let from = applied.position().offset;
    let mut reader = match records.take().filter(|records| records.position().offset == from) {
        Some(reader) => reader,
        None => log.records(from).map_err(|error| error.to_string())?,
    };
    // Asked before it is read: the log's own thread writes on meanwhile.
    let written = log.written();
    let Some(batch) = read_batch(&mut reader, target)? else {
        // The log was cut, beyond what is applied, since the reader was opened: another one is.
        return Ok(true);
    };
    let mut engine = engine.lock();
    for record in &batch {
        engine
            .replay(record.time_ms, &record.payload, record.end.offset)
            .map_err(|error| error.to_string())?;
        applied.set(record.end);
    }
    drop(engine);
    if batch.is_empty() {
        if written >= target {
            return Err(format!("records up to {target} are missing"));
        }
        drop(log.flush());
    }
    *records = Some(reader);
    Ok(!batch.is_empty())
}

/// Some records up to `target`; `None` if the log was cut since the reader was opened.
fn read_batch(reader: &mut Records, target: Offset) -> Result<Option<Vec<Record>>, String> {
    let mut batch = Vec::with_capacity(RECORDS_PER_LOCK);
    while batch.len() < RECORDS_PER_LOCK {
        match reader.next_until(target) {
            Ok(Some(record)) => batch.push(record),
            Ok(None) => break,
            Err(ReadError::Cut) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Some(batch))
}
