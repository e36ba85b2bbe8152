//! Counters of each command, written by the engine alone.
//!
//! Contract: [`Recorder`] cannot be cloned and records through `&mut`, so there is one writer and its adds are plain loads
//! and stores; readers see each counter whole, though not all of them at the same moment.

use super::histogram::{Histogram, HistogramTotals};
use super::primitive::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It ran and answered an error.
    Failed,
    /// It was refused before it ran: wrong arity, no permission, wrong state.
    Rejected,
}

#[derive(Default)]
struct Counters {
    calls: Counter,
    nanos: Counter,
    failed: Counter,
    rejected: Counter,
    latency: Histogram,
}

pub(super) struct CommandCounters {
    names: Vec<&'static str>,
    counters: Vec<Counters>,
    processed: Counter,
    track_latency: AtomicBool,
}

/// A command's numbers at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandTotals {
    pub calls: u64,
    pub nanos: u64,
    pub failed: u64,
    pub rejected: u64,
    /// Empty while `latency-tracking` is off.
    pub latency: HistogramTotals,
}

impl CommandCounters {
    pub(super) fn new(names: Vec<&'static str>) -> CommandCounters {
        let counters = names.iter().map(|_| Counters::default()).collect();
        CommandCounters {
            names,
            counters,
            processed: Counter::default(),
            track_latency: AtomicBool::new(true),
        }
    }

    pub(super) fn totals(&self, id: usize) -> Option<CommandTotals> {
        self.counters.get(id).map(|counters| CommandTotals {
            calls: counters.calls.get(),
            nanos: counters.nanos.get(),
            failed: counters.failed.get(),
            rejected: counters.rejected.get(),
            latency: counters.latency.totals(),
        })
    }

    pub(super) fn used(&self) -> Vec<(&'static str, CommandTotals)> {
        let all = self.names.iter().enumerate().filter_map(|(id, name)| Some((*name, self.totals(id)?)));
        all.filter(|(_, totals)| totals.calls + totals.rejected > 0).collect()
    }

    pub(super) fn processed(&self) -> u64 {
        self.processed.get()
    }
}

/// The one writer of the commands' counters.
pub struct Recorder(Arc<CommandCounters>);

impl Recorder {
    pub(super) fn new(counters: Arc<CommandCounters>) -> Recorder {
        Recorder(counters)
    }

    /// Counts one execution. An id out of range is not counted.
    pub fn command(&mut self, id: usize, nanos: u64, outcome: Outcome) {
        self.commands(id, nanos, 1, outcome);
    }

    /// Counts a run of equal commands that took `nanos` together, so that the clock need not be read for each: every
    /// one is taken to have lasted the mean.
    pub fn commands(&mut self, id: usize, nanos: u64, times: u64, outcome: Outcome) {
        let Some(counters) = self.0.counters.get(id).filter(|_| times > 0) else { return };
        if outcome == Outcome::Rejected {
            counters.rejected.add_alone(times);
            return;
        }
        self.0.processed.add_alone(times);
        counters.calls.add_alone(times);
        counters.nanos.add_alone(nanos);
        if outcome == Outcome::Failed {
            counters.failed.add_alone(times);
        }
        if self.0.track_latency.load(Ordering::Relaxed) {
            counters.latency.record_alone(nanos / times, times);
        }
    }

    /// Follows the setting `latency-tracking`; switched off, the histograms are emptied.
    pub fn track_latency(&mut self, on: bool) {
        self.0.track_latency.store(on, Ordering::Relaxed);
        if !on {
            self.0.counters.iter().for_each(|counters| counters.latency.reset());
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        self.0.processed.reset();
        for counters in &self.0.counters {
            for counter in [&counters.calls, &counters.nanos, &counters.failed, &counters.rejected] {
                counter.reset();
            }
            counters.latency.reset();
        }
    }

    /// LATENCY RESET's counterpart for one command's histogram.
    pub fn reset_latency(&mut self, id: usize) {
        if let Some(counters) = self.0.counters.get(id) {
            counters.latency.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Arc<CommandCounters>, Recorder) {
        let counters = Arc::new(CommandCounters::new(vec!["get", "set"]));
        (Arc::clone(&counters), Recorder::new(counters))
    }

    #[test]
    fn outcomes_are_counted_apart() {
        let (counters, mut recorder) = two();
        recorder.command(0, 2_000, Outcome::Done);
        recorder.command(0, 500, Outcome::Failed);
        recorder.command(0, 9, Outcome::Rejected);
        recorder.command(7, 9, Outcome::Done);
        let get = counters.totals(0).unwrap();
        assert_eq!((get.calls, get.failed, get.rejected, get.nanos), (2, 1, 1, 2_500));
        assert_eq!(get.latency.count(), 2);
        assert_eq!(counters.processed(), 2);
        assert_eq!(counters.used().len(), 1);
    }

    #[test]
    fn a_run_counts_as_its_mean() {
        let (counters, mut recorder) = two();
        recorder.commands(1, 8_000, 4, Outcome::Done);
        recorder.commands(1, 8_000, 0, Outcome::Done);
        let set = counters.totals(1).unwrap();
        assert_eq!((set.calls, set.nanos, set.latency.buckets[1]), (4, 8_000, 4));
    }

    #[test]
    fn tracking_can_be_off_and_everything_reset() {
        let (counters, mut recorder) = two();
        recorder.command(0, 2_000, Outcome::Done);
        recorder.track_latency(false);
        recorder.command(0, 2_000, Outcome::Done);
        assert_eq!(counters.totals(0).unwrap().latency.count(), 0);
        assert_eq!(counters.totals(0).unwrap().calls, 2);
        recorder.reset();
        assert!(counters.used().is_empty());
    }
}
