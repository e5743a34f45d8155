//! Durations in fixed buckets. Nothing here knows what is timed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Counter;

/// Upper bounds of the buckets in microseconds: Prometheus clients' usual bounds below 100 ms, then
/// those that dashboards for Express apps use (0.1 0.3 0.5 0.7 1 3 5 7 10 s).
pub const BUCKETS: [u64; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 300_000, 500_000, 700_000,
    1_000_000, 3_000_000, 5_000_000, 10_000_000,
];

/// Durations counted by one thread.
#[derive(Debug, Default)]
pub struct Histogram {
    // one bucket more than bounds: what is slower than the last
    buckets: [Counter; BUCKETS.len() + 1],
    microseconds: Counter,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // most requests are fast: a walk from the front beats a binary search
        let slot = BUCKETS
            .iter()
            .position(|bound| microseconds <= *bound)
            .unwrap_or(BUCKETS.len());
        self.buckets[slot].increment();
        self.microseconds.add(microseconds);
    }
}

/// The sum of several threads' histograms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramSum {
    /// How many fell into each bucket, not cumulated.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// All durations together.
    pub microseconds: u64,
}

impl HistogramSum {
    /// Adds one thread's counts.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.get();
        }
        self.microseconds += histogram.microseconds.get();
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        for (sum, bucket) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += bucket;
        }
        self.microseconds += other.microseconds;
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for microseconds in [0, 500, 501, 9_999_999, 10_000_001] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let mut sum = HistogramSum::default();
        sum.add(&histogram);
        assert_eq!(sum.buckets[0], 2);
        assert_eq!(sum.buckets[1], 1);
        assert_eq!(sum.buckets[BUCKETS.len() - 1], 1);
        assert_eq!(sum.buckets[BUCKETS.len()], 1);
        assert_eq!(sum.count(), 5);
        assert_eq!(sum.microseconds, 500 + 501 + 9_999_999 + 10_000_001);
    }
}
