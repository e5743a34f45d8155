//! All that a process of the data plane counted, as a value that can be sent, added and shown.

use serde::{Deserialize, Serialize};

use crate::{Exposition, RequestTotals, names};

/// Everything counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests.
    pub requests: RequestTotals,
    /// Client connections open now.
    pub connections: i64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Pauses in accepting.
    pub accept_pauses: u64,
    /// Client connections that were closed unheard, since there were too many.
    #[serde(default)]
    pub turned_away: u64,
    /// Attempts beyond the first.
    pub resends: u64,
    /// Connections opened to origins.
    pub origin_connections: u64,
    /// Access lines that nobody fetched in time.
    pub access_lines_dropped: u64,
    /// Lines of the error log that were too many.
    #[serde(default)]
    pub error_lines_dropped: u64,
    /// Bytes of memory that kept answers take.
    #[serde(default)]
    pub cache_bytes: u64,
    /// Resources of which answers are kept.
    #[serde(default)]
    pub cache_resources: u64,
    /// Resources that went for others.
    #[serde(default)]
    pub cache_evictions: u64,
}

impl Totals {
    /// Adds what another process counted.
    pub fn merge(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.connections += other.connections;
        self.accepted += other.accepted;
        self.accept_pauses += other.accept_pauses;
        self.turned_away += other.turned_away;
        self.resends += other.resends;
        self.origin_connections += other.origin_connections;
        self.access_lines_dropped += other.access_lines_dropped;
        self.error_lines_dropped += other.error_lines_dropped;
        self.cache_bytes += other.cache_bytes;
        self.cache_resources += other.cache_resources;
        self.cache_evictions += other.cache_evictions;
    }

    /// What is left of it when its process has ended: counts stay, what was under way is over.
    pub fn end(&mut self) {
        self.requests.active = 0;
        self.connections = 0;
        (self.cache_bytes, self.cache_resources) = (0, 0);
    }

    /// Writes all of it.
    pub fn write(&self, text: &mut Exposition) {
        text.requests(&self.requests);
        text.single(
            names::ACTIVE_CONNECTIONS,
            "gauge",
            "Client connections open now.",
            self.connections,
        );
        for (name, help, value) in [
            (
                names::CONNECTIONS_TOTAL,
                "Client connections accepted.",
                self.accepted,
            ),
            (
                names::ACCEPT_PAUSES_TOTAL,
                "Pauses in accepting.",
                self.accept_pauses,
            ),
            (
                names::CONNECTIONS_TURNED_AWAY_TOTAL,
                "Client connections closed unheard, since there were too many.",
                self.turned_away,
            ),
            (
                names::RESENDS_TOTAL,
                "Attempts beyond the first.",
                self.resends,
            ),
            (
                names::ORIGIN_CONNECTIONS_TOTAL,
                "Connections to origins.",
                self.origin_connections,
            ),
            (
                names::ACCESS_LINES_DROPPED_TOTAL,
                "Access lines dropped.",
                self.access_lines_dropped,
            ),
            (
                names::RESPONSES_SCRUBBED_TOTAL,
                "Answers of apps that were replaced, since they showed insides.",
                self.requests.scrubbed,
            ),
            (
                names::ERROR_LINES_DROPPED_TOTAL,
                "Lines of the error log that were too many.",
                self.error_lines_dropped,
            ),
        ] {
            text.single(name, "counter", help, value);
        }
        self.requests.cache.write(text);
        if self.cache_resources + self.cache_evictions > 0 {
            let help = "Bytes of memory that kept answers take.";
            text.single(names::CACHE_BYTES, "gauge", help, self.cache_bytes);
            let help = "Resources of which answers are kept.";
            text.single(names::CACHE_RESOURCES, "gauge", help, self.cache_resources);
            let help = "Resources that went for others.";
            text.single(
                names::CACHE_EVICTIONS_TOTAL,
                "counter",
                help,
                self.cache_evictions,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestMetrics;
    use std::time::Duration;

    fn some() -> Totals {
        let metrics = RequestMetrics::new(1);
        metrics.observe(Some(0), "GET", 200, Duration::from_millis(1), 3);
        metrics.active.add(1);
        let mut totals = Totals {
            connections: 2,
            accepted: 5,
            ..Totals::default()
        };
        totals.requests.add(&metrics, &["api".to_owned()]);
        totals
    }

    #[test]
    fn they_travel_unchanged() {
        let json = serde_json::to_string(&some()).expect("it can be written");
        assert_eq!(
            serde_json::from_str::<Totals>(&json).expect("it can be read"),
            some()
        );
    }

    #[test]
    fn an_ended_process_leaves_its_counts_and_nothing_under_way() {
        let mut sum = some();
        sum.end();
        sum.merge(&some());
        assert_eq!((sum.accepted, sum.connections), (10, 2));
        assert_eq!((sum.requests.bytes, sum.requests.active), (6, 1));
    }
}
