//! A histogram of durations with fixed bounds: each bucket's is double the one before, from 1.024 µs to 1.07 s.
//!
//! Contract: recording costs a count of leading zeros and three relaxed adds. The bounds are those of Redis' LATENCY
//! HISTOGRAM.

use super::primitive::Counter;

/// Buckets with a bound; one more takes all that is longer.
pub const BUCKETS: usize = 21;

/// The bound of a bucket, inclusive, in nanoseconds.
pub const fn bucket_bound_nanos(bucket: usize) -> u64 {
    1024 << bucket
}

/// Durations counted by buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS + 1],
    nanos: Counter,
}

/// A histogram's numbers at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistogramTotals {
    /// Not cumulative; the last holds what is longer than every bound.
    pub buckets: [u64; BUCKETS + 1],
    pub nanos: u64,
}

impl HistogramTotals {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// About the nanoseconds within which this share of all ended, 0 to 100. What is within a bucket is taken to be
    /// spread evenly.
    pub fn percentile_nanos(&self, percent: f64) -> f64 {
        let wanted = (percent / 100.0 * self.count() as f64).max(1.0);
        let mut below = 0.0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            let count = *count as f64;
            if below + count >= wanted {
                let lower = if bucket == 0 { 0.0 } else { bucket_bound_nanos(bucket - 1) as f64 };
                // Nothing is known of those that are longer than every bound but that.
                let width = if bucket == BUCKETS { 0.0 } else { bucket_bound_nanos(bucket) as f64 - lower };
                return lower + width * (wanted - below) / count;
            }
            below += count;
        }
        0.0
    }
}

fn bucket_of(nanos: u64) -> usize {
    let thousands = nanos.saturating_sub(1) >> 10;
    let bucket = (u64::BITS - thousands.leading_zeros()) as usize;
    bucket.min(BUCKETS)
}

impl Histogram {
    pub fn record(&self, nanos: u64) {
        self.buckets[bucket_of(nanos)].add(1);
        self.nanos.add(nanos);
    }

    /// Several equal durations at once, by a single writer.
    pub(super) fn record_alone(&self, nanos_each: u64, times: u64) {
        self.buckets[bucket_of(nanos_each)].add_alone(times);
        self.nanos.add_alone(nanos_each.saturating_mul(times));
    }

    pub fn totals(&self) -> HistogramTotals {
        HistogramTotals {
            buckets: std::array::from_fn(|index| self.buckets[index].get()),
            nanos: self.nanos.get(),
        }
    }

    pub fn reset(&self) {
        self.buckets.iter().chain([&self.nanos]).for_each(Counter::reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_the_last_bucket_takes_the_rest() {
        assert_eq!(bucket_of(0), 0);
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(bucket_bound_nanos(bucket)), bucket);
            assert_eq!(bucket_of(bucket_bound_nanos(bucket) + 1), bucket + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS);
    }

    #[test]
    fn percentiles_lie_within_their_bucket() {
        let histogram = Histogram::default();
        (0..99).for_each(|_| histogram.record(1_500));
        histogram.record(70_000);
        let totals = histogram.totals();
        assert!((1_024.0..=2_048.0).contains(&totals.percentile_nanos(50.0)));
        assert!((1_024.0..=2_048.0).contains(&totals.percentile_nanos(99.0)));
        assert!((65_536.0..=131_072.0).contains(&totals.percentile_nanos(99.9)));
        assert!(totals.percentile_nanos(0.0) > 1_024.0);
        assert_eq!(HistogramTotals::default().percentile_nanos(50.0), 0.0);
    }

    #[test]
    fn both_ways_of_recording_add_up() {
        let histogram = Histogram::default();
        histogram.record(1_000);
        histogram.record_alone(2_000, 3);
        let totals = histogram.totals();
        assert_eq!((totals.buckets[0], totals.buckets[1], totals.nanos), (1, 3, 7_000));
        assert_eq!(totals.count(), 4);
        histogram.reset();
        assert_eq!(histogram.totals(), HistogramTotals::default());
    }
}
