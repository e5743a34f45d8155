//! Requests by route, method and status, counted by one thread and summed over all.
//!
//! Label sets are known beforehand, so a request finds its series by index, never by hashing.

use std::collections::BTreeMap;
use std::{sync::OnceLock, time::Duration};

use serde::{Deserialize, Serialize};

use crate::refusals::{self, RefusalMetrics, RefusalTotals};
use crate::{CacheMetrics, CacheTotals, Counter, Gauge, Histogram, HistogramSum};

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
    /// Answers of apps that were replaced, since they showed insides.
    pub scrubbed: Counter,
    /// Requests that were refused, or would have been.
    pub refusals: RefusalMetrics,
    /// What a cache did about them.
    pub cache: CacheMetrics,
}

impl RequestMetrics {
    /// Room for `routes` routes, and for requests that found none; a series costs memory only once it is used.
    pub fn new(routes: usize) -> Self {
        Self {
            routes: (0..=routes)
                .map(|_| [const { OnceLock::new() }; METHODS.len() * StatusSlot::COUNT])
                .collect(),
            active: Gauge::default(),
            bytes: Counter::default(),
            scrubbed: Counter::default(),
            refusals: RefusalMetrics::default(),
            cache: CacheMetrics::default(),
        }
    }

    /// Counts an answered request, of the route that was found.
    pub fn observe(
        &self,
        route: Option<usize>,
        method: &str,
        status: u16,
        duration: Duration,
        bytes: u64,
    ) {
        let routed = route.and_then(|route| self.routes.get(route));
        let Some(series) = routed.or(self.routes.last()) else {
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

/// In the place of a route's name, where a request was refused before one was found.
pub const NO_ROUTE: &str = "none";

/// Route, method and status, by the names under which they are shown.
pub type SeriesKey = (String, String, String);

/// Many threads' requests together, of one process or of several after each other. A route is known by its
/// name: it keeps its history when its number changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTotals {
    /// The durations of the requests of each series.
    #[serde(with = "pairs")]
    pub series: BTreeMap<SeriesKey, HistogramSum>,
    /// Requests in progress.
    pub active: i64,
    /// Bytes of response bodies.
    pub bytes: u64,
    /// Answers of apps that were replaced, since they showed insides.
    #[serde(default)]
    pub scrubbed: u64,
    /// Requests that were refused, or would have been.
    #[serde(default, with = "refusals::pairs")]
    pub refusals: RefusalTotals,
    /// What a cache did about them.
    #[serde(default)]
    pub cache: CacheTotals,
}

impl RequestTotals {
    /// Adds one thread's counts; `routes` are the routes' names by index. Requests that found none stand under [`NO_ROUTE`].
    pub fn add(&mut self, metrics: &RequestMetrics, routes: &[String]) {
        let names = routes.iter().map(String::as_str).chain([NO_ROUTE]);
        for (route, series) in names.zip(&metrics.routes) {
            for (slot, histogram) in series.iter().enumerate() {
                let Some(histogram) = histogram.get() else {
                    continue;
                };
                let key = (
                    route.to_owned(),
                    METHODS[slot / StatusSlot::COUNT].to_owned(),
                    StatusSlot(slot % StatusSlot::COUNT).label(),
                );
                self.series.entry(key).or_default().add(histogram);
            }
        }
        self.active += metrics.active.get();
        self.bytes += metrics.bytes.get();
        self.scrubbed += metrics.scrubbed.get();
        refusals::add(&mut self.refusals, &metrics.refusals);
        self.cache.add(&metrics.cache);
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (key, sum) in &other.series {
            self.series.entry(key.clone()).or_default().merge(sum);
        }
        self.active += other.active;
        self.bytes += other.bytes;
        self.scrubbed += other.scrubbed;
        refusals::merge(&mut self.refusals, &other.refusals);
        self.cache.merge(&other.cache);
    }
}

/// A map whose keys are no text, as a list of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{HistogramSum, SeriesKey};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<SeriesKey, HistogramSum>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<SeriesKey, HistogramSum>, D::Error> {
        let pairs = Vec::<(SeriesKey, HistogramSum)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
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
        one.observe(Some(1), "GET", 200, Duration::from_millis(1), 10);
        two.observe(Some(1), "GET", 200, Duration::from_millis(2), 5);
        two.observe(Some(0), "BREW", 418, Duration::ZERO, 0);
        two.observe(None, "GET", 404, Duration::ZERO, 0);
        let routes = ["shop".to_owned(), "api".to_owned()];
        let mut totals = RequestTotals::default();
        totals.add(&one, &routes);
        totals.add(&two, &routes);
        assert_eq!(totals.bytes, 15);
        let counts: Vec<_> = totals
            .series
            .iter()
            .map(|((route, method, status), sum)| {
                format!("{route} {method} {status} {}", sum.count())
            })
            .collect();
        assert_eq!(
            counts,
            ["api GET 200 2", "none GET 404 1", "shop OTHER 4xx 1"]
        );
    }

    #[test]
    fn a_route_keeps_its_history_under_another_number() {
        let (before, after) = (RequestMetrics::new(1), RequestMetrics::new(2));
        before.observe(Some(0), "GET", 200, Duration::ZERO, 1);
        after.observe(Some(1), "GET", 200, Duration::ZERO, 1);
        let mut totals = RequestTotals::default();
        totals.add(&before, &["api".to_owned()]);
        let mut later = RequestTotals::default();
        later.add(&after, &["new".to_owned(), "api".to_owned()]);
        totals.merge(&later);
        let key = ["api", "GET", "200"].map(str::to_owned).into();
        assert_eq!(totals.series[&key].count(), 2);
        assert_eq!(totals.series.len(), 1);
    }
}
