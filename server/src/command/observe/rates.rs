//! How much happens a second, as a mean over the last moments.

use std::collections::VecDeque;

/// Commands, bytes in, bytes out.
const RATES: usize = 3;

/// Samples kept, as in Redis.
const SAMPLES: usize = 16;

const SAMPLE_MS: u64 = 100;

#[derive(Debug, Default)]
pub struct Rates {
    /// When, and what the counters showed.
    samples: VecDeque<(u64, [u64; RATES])>,
}

impl Rates {
    pub fn sample(&mut self, now_ms: u64, counts: [u64; RATES]) {
        let reset = |last: &[u64; RATES]| last.iter().zip(&counts).any(|(last, count)| last > count);
        match self.samples.back() {
            Some((at, _)) if now_ms < at + SAMPLE_MS => return,
            Some((_, last)) if reset(last) => self.samples.clear(),
            _ => {}
        }
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now_ms, counts));
    }

    /// Per second: commands, bytes in, bytes out.
    pub fn per_second(&self) -> [f64; RATES] {
        let (Some((from, first)), Some((to, last))) = (self.samples.front(), self.samples.back()) else {
            return [0.0; RATES];
        };
        let seconds = (to - from).max(1) as f64 / 1000.0;
        std::array::from_fn(|index| (last[index] - first[index]) as f64 / seconds)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // the figures are exact
mod tests {
    use super::*;

    #[test]
    fn rates_are_means_over_the_samples() {
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(), [0.0; 3]);
        for step in 0..40u64 {
            rates.sample(step * 100, [step * 10, step, 0]);
            rates.sample(step * 100 + 1, [0, 0, 0]);
        }
        assert_eq!(rates.per_second(), [100.0, 10.0, 0.0]);
        rates.sample(10_000, [0, 0, 0]);
        assert_eq!(rates.per_second(), [0.0; 3]);
    }
}
