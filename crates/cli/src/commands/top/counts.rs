//! What instances counted, read from their metrics, and what happened between two looks. Asks nobody.

use std::collections::BTreeMap;

use mainstay_observe::names;

use super::view::Traffic;

/// What was counted until one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    requests: f64,
    errors: f64,
    active: f64,
    /// How many answers took at most so long, in seconds; by the bits of that number, which sort as it does.
    buckets: BTreeMap<u64, f64>,
}

impl Counts {
    /// Adds what a text of metrics says. Lines that are not understood are passed over.
    pub(super) fn add(&mut self, text: &str) {
        let bucket = format!("{}_bucket", names::HTTP_REQUEST_DURATION_SECONDS);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            if name == names::HTTP_REQUESTS_TOTAL {
                self.requests += value;
                if label(labels, "status_code").is_some_and(|status| status.starts_with('5')) {
                    self.errors += value;
                }
            } else if name == bucket {
                let most =
                    label(labels, "le").and_then(|le| le.replace("+Inf", "inf").parse().ok());
                if let Some(most) = most.filter(|most: &f64| *most >= 0.0) {
                    *self.buckets.entry(most.to_bits()).or_default() += value;
                }
            } else if name == names::ACTIVE_REQUESTS {
                self.active += value;
            }
        }
    }

    /// What happened since `before`, so many seconds ago.
    pub(super) fn since(&self, before: &Self, seconds: f64) -> Traffic {
        let rate = |now: f64, then: f64| (now - then).max(0.0) / seconds.max(0.001);
        let fresh: Vec<(f64, f64)> = self
            .buckets
            .iter()
            .map(|(most, count)| {
                let known = before.buckets.get(most).copied().unwrap_or_default();
                (f64::from_bits(*most), (count - known).max(0.0))
            })
            .collect();
        Traffic {
            requests: rate(self.requests, before.requests),
            errors: rate(self.errors, before.errors),
            percentiles: percentile(&fresh, 0.5)
                .zip(percentile(&fresh, 0.95))
                .zip(percentile(&fresh, 0.99))
                .map(|((half, most), nearly_all)| [half, most, nearly_all]),
            #[expect(clippy::cast_possible_truncation, reason = "a number of requests")]
            active: self.active as i64,
        }
    }
}

/// Within how many seconds this part of the answers were out: the bound of the bucket in which it lies. `buckets` hold all
/// up to their bound, in order.
fn percentile(buckets: &[(f64, f64)], part: f64) -> Option<f64> {
    let (_, all) = *buckets.last()?;
    if all <= 0.0 {
        return None;
    }
    let found = buckets.iter().position(|(_, count)| *count >= all * part)?;
    let (bound, _) = buckets[found];
    // of the last, which has none, the one before it is known to be too little
    let last_known = buckets[..found].last().map_or(0.0, |(bound, _)| *bound);
    Some(if bound.is_finite() { bound } else { last_known })
}

/// The value of a label: `method="GET",le="0.1"}`. None of those that are read here holds a quote.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = labels.trim_end_matches('}').split(',');
    let part = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix("=\""))?;
    part.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE http_requests_total counter
http_requests_total{method=\"GET\",route=\"default\",status_code=\"200\"} 90
http_requests_total{method=\"GET\",route=\"default\",status_code=\"503\"} 10
http_request_duration_seconds_bucket{method=\"GET\",route=\"default\",status_code=\"200\",le=\"0.01\"} 50
http_request_duration_seconds_bucket{method=\"GET\",route=\"default\",status_code=\"200\",le=\"0.1\"} 96
http_request_duration_seconds_bucket{method=\"GET\",route=\"default\",status_code=\"200\",le=\"+Inf\"} 100
active_requests 3
";

    #[test]
    fn rates_and_percentiles_are_of_what_happened_between_two_looks() {
        let mut now = Counts::default();
        now.add(TEXT);
        let traffic = now.since(&Counts::default(), 2.0);
        let expected = Traffic {
            requests: 50.0,
            errors: 5.0,
            percentiles: Some([0.01, 0.1, 0.1]),
            active: 3,
        };
        assert_eq!(traffic, expected);
        let quiet = now.since(&now, 1.0);
        assert_eq!(quiet.percentiles, None);
        assert!(quiet.requests.abs() < f64::EPSILON);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let mut counts = Counts::default();
            counts.add(&text);
            counts.add(&format!("http_request_duration_seconds_bucket{{le=\"{text}\"}} 1"));
            let _ = counts.since(&Counts::default(), 0.0);
        }
    }
}
