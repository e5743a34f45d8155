//! Requests by route, method and status, counted by one thread and summed over all.
//!
//! Label sets are known beforehand, so a request finds its series by index, never by hashing.

use std::{sync::OnceLock, time::Duration};

use crate::{Counter, Gauge, Histogram, HistogramSum};

/// Methods that have a label of their own; all others share `OTHER`.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER",
];

/// Status codes that have a label of their own; others count as their class (`2xx`).
const STATUSES: [u16; 40] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408,
    409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 429, 431, 499, 500, 501, 502, 503, 504,
    505, 508,
];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// Where a status is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSlot(usize);

impl StatusSlot {
    const COUNT: usize = STATUSES.len() + CLASSES.len();

    /// The slot of a status code.
    pub fn of(status: u16) -> Self {
        Self(STATUSES.binary_search(&status).unwrap_or_else(|_| {
            let class = usize::from(status / 100);
            STATUSES.len()
                + if (1..=5).contains(&class) {
                    class - 1
                } else {
                    5
                }
        }))
    }

    /// Its label.
    pub fn label(self) -> String {
        STATUSES.get(self.0).map_or_else(
            || CLASSES[self.0 - STATUSES.len()].to_owned(),
            ToString::to_string,
        )
    }
}

/// What one thread counted of its requests.
#[derive(Debug)]
pub struct RequestMetrics {
    routes: Vec<[OnceLock<Box<Histogram>>; METHODS.len() * StatusSlot::COUNT]>,
    /// Requests in progress.
    pub active: Gauge,
    /// Bytes of response bodies.
    pub bytes: Counter,
}

impl RequestMetrics {
    /// Room for `routes` routes; a series costs memory only once it is used.
    pub fn new(routes: usize) -> Self {
        Self {
            routes: (0..routes)
                .map(|_| [const { OnceLock::new() }; METHODS.len() * StatusSlot::COUNT])
                .collect(),
            active: Gauge::default(),
            bytes: Counter::default(),
        }
    }

    /// Counts an answered request. A route out of range is not counted.
    pub fn observe(&self, route: usize, method: &str, status: u16, duration: Duration, bytes: u64) {
        let Some(series) = self.routes.get(route) else {
            return;
        };
        let method = METHODS
            .iter()
            .position(|known| *known == method)
            .unwrap_or(METHODS.len() - 1);
        let slot = method * StatusSlot::COUNT + StatusSlot::of(status).0;
        series[slot].get_or_init(Box::default).observe(duration);
        self.bytes.add(bytes);
    }
}

/// All threads' requests together.
#[derive(Debug, Default)]
pub struct RequestTotals {
    /// `(route, method, status)` and the durations of those requests, in that order.
    pub series: Vec<((usize, &'static str, StatusSlot), HistogramSum)>,
    /// Requests in progress.
    pub active: i64,
    /// Bytes of response bodies.
    pub bytes: u64,
}

impl RequestTotals {
    /// Adds one thread's counts, its routes counted from `first_route`.
    pub fn add(&mut self, metrics: &RequestMetrics, first_route: usize) {
        for (route, series) in (first_route..).zip(&metrics.routes) {
            for (slot, histogram) in series.iter().enumerate() {
                let Some(histogram) = histogram.get() else {
                    continue;
                };
                let key = (
                    route,
                    METHODS[slot / StatusSlot::COUNT],
                    StatusSlot(slot % StatusSlot::COUNT),
                );
                let position = self
                    .series
                    .iter()
                    .position(|(known, _)| *known == key)
                    .unwrap_or_else(|| {
                        self.series.push((key, HistogramSum::default()));
                        self.series.len() - 1
                    });
                self.series[position].1.add(histogram);
            }
        }
        self.active += metrics.active.get();
        self.bytes += metrics.bytes.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_sorted_so_that_binary_search_holds() {
        assert!(STATUSES.is_sorted());
        for (status, label) in [
            (200, "200"),
            (299, "2xx"),
            (418, "4xx"),
            (599, "5xx"),
            (700, "other"),
        ] {
            assert_eq!(StatusSlot::of(status).label(), label);
        }
    }

    #[test]
    fn threads_are_summed() {
        let (one, two) = (RequestMetrics::new(2), RequestMetrics::new(2));
        one.observe(1, "GET", 200, Duration::from_millis(1), 10);
        two.observe(1, "GET", 200, Duration::from_millis(2), 5);
        two.observe(0, "BREW", 418, Duration::ZERO, 0);
        two.observe(7, "GET", 200, Duration::ZERO, 99);
        let mut totals = RequestTotals::default();
        totals.add(&one, 0);
        totals.add(&two, 0);
        assert_eq!(totals.bytes, 15);
        let counts: Vec<_> = totals
            .series
            .iter()
            .map(|((route, method, status), sum)| (*route, *method, status.label(), sum.count()))
            .collect();
        assert_eq!(
            counts,
            [
                (1, "GET", "200".to_owned(), 2),
                (0, "OTHER", "4xx".to_owned(), 1)
            ]
        );
    }
}
