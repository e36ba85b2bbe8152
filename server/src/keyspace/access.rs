//! When, or how often, a key is used: what eviction goes by.
//!
//! Each entry has 32 bits for it. By time they are the second of the last access; by frequency, 16 bits of minutes and
//! a counter of 8 bits that grows ever more slowly and shrinks with time, as in Redis. When the policy changes, what is
//! there means something else until the key is used again.

/// What a new key's counter starts with, so that it is not the first to go.
const FREQUENCY_NEW: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    /// Count how often, instead of noting when.
    pub by_frequency: bool,
    /// `lfu-log-factor` and `lfu-decay-time` (minutes).
    pub log_factor: u32,
    pub decay_minutes: u32,
}

impl Access {
    /// A key is made.
    pub fn fresh(self, seconds: u32) -> u32 {
        if self.by_frequency { minutes(seconds) << 8 | FREQUENCY_NEW } else { seconds }
    }

    /// Somebody else counted how often a key is used.
    pub fn told(frequency: u8, seconds: u32) -> u32 {
        minutes(seconds) << 8 | u32::from(frequency)
    }

    /// A key is used. `random` is any number.
    pub fn used(self, before: u32, seconds: u32, random: u32) -> u32 {
        if !self.by_frequency {
            return seconds;
        }
        let counter = self.frequency(before, seconds);
        let above = counter.saturating_sub(FREQUENCY_NEW);
        let chance = 1.0 / (f64::from(above) * f64::from(self.log_factor) + 1.0);
        let grows = counter < 255 && f64::from(random) / f64::from(u32::MAX) < chance;
        minutes(seconds) << 8 | (counter + u32::from(grows))
    }

    /// How often a key is used, on a scale from 0 to 255.
    pub fn frequency(self, accessed: u32, seconds: u32) -> u32 {
        let (then, counter, now) = (accessed >> 8 & 0xffff, accessed & 0xff, minutes(seconds));
        let elapsed = now.wrapping_sub(then) & 0xffff;
        counter.saturating_sub(elapsed.checked_div(self.decay_minutes).unwrap_or(0))
    }

    /// The higher, the sooner the key goes.
    pub fn idleness(self, accessed: u32, seconds: u32) -> u64 {
        if self.by_frequency {
            u64::from(255 - self.frequency(accessed, seconds))
        } else {
            u64::from(seconds.wrapping_sub(accessed))
        }
    }
}

fn minutes(seconds: u32) -> u32 {
    (seconds / 60) & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_grows_slowly_and_shrinks_with_time() {
        let access = Access { by_frequency: true, log_factor: 10, decay_minutes: 1 };
        let mut state = access.fresh(600);
        assert_eq!(access.frequency(state, 600), 5);
        let mut random = 1u32;
        for _ in 0..1_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state = access.used(state, 600, random);
        }
        let often = access.frequency(state, 600);
        assert!((10..=30).contains(&often), "{often}");
        assert_eq!(access.frequency(state, 600 + 60 * 3), often - 3);
        assert_eq!(access.frequency(state, 600 + 60 * 1_000), 0);
        let still = Access { decay_minutes: 0, ..access };
        assert_eq!(still.frequency(state, 600 + 60 * 1_000), often);
    }

    #[test]
    fn by_time_it_is_the_second() {
        let access = Access::default();
        assert_eq!((access.fresh(7), access.used(7, 9, 0), access.idleness(9, 20)), (7, 9, 11));
    }
}
