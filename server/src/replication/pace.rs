//! The pace of bulk work beside clients: taking a snapshot and sending it must leave them the processor and the engine's
//! lock, though a machine may have one processor only.
//!
//! Whoever works so rests after each small piece, in proportion to the processor time that it took, for as long as
//! anything else goes on; on an idle node it never rests. Deliberately absent: priorities of the system, which say
//! nothing about a lock.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// So many times as long as a piece took is rested after it.
const REST: u32 = 15;

/// Nobody rests longer at a time: work that is piling up must be seen.
const REST_MAX: Duration = Duration::from_millis(20);

/// How much everything else has done so far; in what unit does not matter.
pub type Busy = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The pace of one piece of bulk work after the other, all in one thread.
pub struct Pace {
    busy: Busy,
    /// What everything else had done at the last look.
    seen: Option<u64>,
    /// Processor time of this thread when its last rest was over.
    rested: Duration,
}

impl Pace {
    pub fn new(busy: Busy) -> Self {
        Self { busy, seen: None, rested: used() }
    }

    /// Between two pieces. Blocks: not for async tasks.
    pub fn rest(&mut self) {
        let done = (self.busy)();
        std::thread::sleep(self.due(done, used().saturating_sub(self.rested)));
        self.rested = used();
    }

    /// How long to rest after a piece that took so long, everything else having done so much by now.
    fn due(&mut self, done: u64, took: Duration) -> Duration {
        // Compared with what was done before the last rest: without another processor the others do everything in it.
        let alone = self.seen.replace(done) == Some(done);
        if alone { Duration::ZERO } else { (took * REST).min(REST_MAX) }
    }
}

/// Processor time that this thread has used.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_in_proportion_and_only_beside_others() {
        let mut pace = Pace::new(Arc::new(|| 0));
        let piece = Duration::from_micros(100);
        assert_eq!(pace.due(7, piece), REST * piece, "nobody knows yet");
        assert_eq!(pace.due(8, 2 * piece), 2 * REST * piece);
        assert_eq!(pace.due(8, piece), Duration::ZERO, "nothing was done during the last rest, nor since");
        assert_eq!(pace.due(9, piece), REST * piece);
        assert_eq!(pace.due(10, Duration::from_secs(1)), REST_MAX);
    }

    #[test]
    fn each_piece_counts_from_the_end_of_the_last_rest() {
        let mut pace = Pace::new(Arc::new(|| 0));
        let began = pace.rested;
        while used() < began + Duration::from_millis(1) {}
        pace.rest();
        assert!(pace.rested >= began + Duration::from_millis(1), "what was worked before it is done with");
        assert!(used() >= pace.rested);
    }
}
