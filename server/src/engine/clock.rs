//! How the engine's time follows the wall clock, which may be set.
//!
//! The engine's time is milliseconds since 1970 and never goes back: a record is never older than the one before it
//! (trap 18). What it is ahead of the wall clock (this one was set back, or the one of an earlier leader was ahead) it
//! loses again by going a little slower; if it stood still, nobody's wait would end and no key would expire until then.

/// Of so many milliseconds that pass, one is not counted while the engine's time is ahead.
const SLOWER_BY: u64 = 8;
/// It is asked many times a second: what passed in between is never more than this.
const STEP_MS_MAX: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Clock {
    /// What the wall clock showed last.
    wall_ms: u64,
    /// Passed, but too short to be counted yet.
    rest: u64,
}

impl Clock {
    /// The time that follows `now`, when the wall clock shows `wall_ms`.
    pub fn advance(&mut self, now: u64, wall_ms: u64) -> u64 {
        let passed = wall_ms.saturating_sub(std::mem::replace(&mut self.wall_ms, wall_ms));
        if wall_ms >= now {
            self.rest = 0;
            return wall_ms;
        }
        self.rest += passed.min(STEP_MS_MAX) * (SLOWER_BY - 1);
        let counted = self.rest / SLOWER_BY;
        self.rest %= SLOWER_BY;
        now + counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the time stands after the wall clock went on by so many milliseconds, one by one.
    fn pass(clock: &mut Clock, mut now: u64, wall_ms: u64, passed: u64) -> u64 {
        for at in wall_ms..wall_ms + passed {
            now = clock.advance(now, at + 1);
        }
        now
    }

    #[test]
    fn it_is_the_wall_clock_that_goes_on() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(0, 5_000), 5_000);
        assert_eq!(pass(&mut clock, 5_000, 5_000, 100), 5_100);
        assert_eq!(clock.advance(5_100, 9_000_000), 9_000_000, "a step forward is taken");
    }

    #[test]
    fn time_passes_on_after_the_wall_clock_was_set_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(0, 1_000_000), 1_000_000);
        assert_eq!(clock.advance(1_000_000, 400_000), 1_000_000, "it never goes back");
        assert_eq!(pass(&mut clock, 1_000_000, 400_000, 8_000), 1_007_000);
        assert_eq!(
            clock.advance(1_007_000, 1_006_000),
            1_007_875,
            "setting it forward again is no time that passed"
        );
    }

    #[test]
    fn what_it_is_ahead_is_lost_again() {
        let mut clock = Clock::default();
        clock.advance(0, 1_000);
        assert_eq!(pass(&mut clock, 1_500, 1_000, 4_000), 5_000);
    }
}
