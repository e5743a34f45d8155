//! Metrics as Prometheus text (exposition format 0.0.4). Collects nothing itself.

use std::fmt::Write as _;

use crate::{BUCKETS, HistogramSum, RefusalTotals, RequestTotals, names};

/// Text under construction.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The media type of the finished text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Opens a family: its help and its type.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One sample of the family opened last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        if !labels.is_empty() {
            self.text.push('{');
            for (index, (label, content)) in labels.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(self.text, "{comma}{label}=\"{}\"", escaped(content));
            }
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// All that is counted of requests.
    pub fn requests(&mut self, totals: &RequestTotals) {
        self.family(names::HTTP_REQUESTS_TOTAL, "counter", "Requests answered.");
        self.each_series(totals, |this, labels, sum| {
            this.sample(names::HTTP_REQUESTS_TOTAL, labels, sum.count());
        });
        self.family(
            names::HTTP_REQUEST_DURATION_SECONDS,
            "histogram",
            "Seconds to answer a request.",
        );
        self.each_series(totals, Self::histogram);
        self.refusals(&totals.refusals);
        self.single(
            names::ACTIVE_REQUESTS,
            "gauge",
            "Requests in progress.",
            totals.active,
        );
        self.single(
            names::RESPONSE_BYTES_TOTAL,
            "counter",
            "Bytes of response bodies sent.",
            totals.bytes,
        );
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.text
    }

    fn refusals(&mut self, refusals: &RefusalTotals) {
        let help = "Requests refused; those with dry_run=\"true\" were let pass.";
        self.family(names::REFUSALS_TOTAL, "counter", help);
        for ((step, reason, status, is_dry), count) in refusals {
            let labels = [
                ("step", step.as_str()),
                ("reason", reason),
                ("status_code", status),
                ("dry_run", if *is_dry { "true" } else { "false" }),
            ];
            self.sample(names::REFUSALS_TOTAL, &labels, count);
        }
    }

    fn each_series(
        &mut self,
        totals: &RequestTotals,
        write: impl Fn(&mut Self, &[(&str, &str)], &HistogramSum),
    ) {
        for ((route, method, status), sum) in &totals.series {
            let labels = [
                ("method", method),
                ("route", route),
                ("status_code", status),
            ];
            write(
                self,
                &labels.map(|(label, name)| (label, name.as_str())),
                sum,
            );
        }
    }

    fn histogram(&mut self, labels: &[(&str, &str)], sum: &HistogramSum) {
        let name = names::HTTP_REQUEST_DURATION_SECONDS;
        let mut cumulated = 0;
        let bounds = BUCKETS
            .iter()
            .map(|bound| (*bound as f64 / 1e6).to_string())
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(sum.buckets) {
            cumulated += count;
            let mut with_bound = labels.to_vec();
            with_bound.push(("le", &bound));
            self.sample(&format!("{name}_bucket"), &with_bound, cumulated);
        }
        self.sample(
            &format!("{name}_sum"),
            labels,
            sum.microseconds as f64 / 1e6,
        );
        self.sample(&format!("{name}_count"), labels, cumulated);
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestMetrics;
    use std::time::Duration;

    #[test]
    fn requests_become_counters_and_histograms() {
        let metrics = RequestMetrics::new(1);
        metrics.observe(Some(0), "GET", 200, Duration::from_millis(2), 7);
        metrics.observe(Some(0), "GET", 200, Duration::from_mins(1), 7);
        let mut totals = RequestTotals::default();
        totals.add(&metrics, &["default\"".to_owned()]);
        let mut exposition = Exposition::default();
        exposition.requests(&totals);
        let text = exposition.finish();
        for line in [
            "http_requests_total{method=\"GET\",route=\"default\\\"\",status_code=\"200\"} 2",
            "http_request_duration_seconds_bucket{method=\"GET\",route=\"default\\\"\",status_code=\"200\",le=\"0.001\"} 0",
            "http_request_duration_seconds_bucket{method=\"GET\",route=\"default\\\"\",status_code=\"200\",le=\"0.0025\"} 1",
            "http_request_duration_seconds_bucket{method=\"GET\",route=\"default\\\"\",status_code=\"200\",le=\"+Inf\"} 2",
            "http_request_duration_seconds_sum{method=\"GET\",route=\"default\\\"\",status_code=\"200\"} 60.002",
            "mainstay_response_bytes_total 14",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line}\nnot in\n{text}"
            );
        }
    }
}
