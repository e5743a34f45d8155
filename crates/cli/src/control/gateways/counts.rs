//! What all gateways counted, those that ended included, as one text. A number that was shown once never
//! goes back: whatever is shown was told here first, and what was told outlives the one who told it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use mainstay_observe::{Exposition, Totals, names};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::order::CacheCounts;

/// Whoever has not told its counts by then is shown with the last it told.
const PATIENCE: Duration = Duration::from_millis(500);
/// Questions that may be open at once.
const MOST: usize = 64;

/// Who asks for metrics.
#[derive(Debug)]
pub(super) enum Asker {
    /// The admin socket.
    Admin(oneshot::Sender<String>),
    /// The admin socket, about the cache alone.
    Cache(oneshot::Sender<String>),
    /// A gateway, for a client of its own, under this ticket of its own.
    Gateway { number: u64, ticket: u64 },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Counts {
    ended: Totals,
    /// Workers that were replaced, by app and reason.
    replaced: BTreeMap<(String, Cow<'static, str>), u64>,
    /// Lines of output that were dropped, by app.
    dropped: BTreeMap<String, u64>,
    /// Steps of autoscaling, by app and direction.
    steps: BTreeMap<(String, Cow<'static, str>), u64>,
    open: Vec<Open>,
    next_ticket: u64,
}

/// The same for the next program. Whoever waits for an answer gets it before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CountsState {
    ended: Totals,
    replaced: Vec<(String, String, u64)>,
    dropped: BTreeMap<String, u64>,
    steps: Vec<(String, String, u64)>,
    next_ticket: u64,
}

impl From<CountsState> for Counts {
    fn from(state: CountsState) -> Self {
        let labelled = |counts: Vec<(String, String, u64)>| {
            let counts = counts.into_iter();
            counts
                .map(|(app, label, count)| ((app, Cow::Owned(label)), count))
                .collect()
        };
        Self {
            ended: state.ended,
            replaced: labelled(state.replaced),
            dropped: state.dropped,
            steps: labelled(state.steps),
            open: Vec::new(),
            next_ticket: state.next_ticket,
        }
    }
}

#[derive(Debug)]
struct Open {
    ticket: u64,
    asker: Asker,
    /// Generations that have not answered.
    missing: HashSet<u64>,
    until: Instant,
}

impl Counts {
    /// Somebody asks; these are to be asked with the ticket. None when too many ask already.
    pub(super) fn ask(
        &mut self,
        asker: Asker,
        generations: impl Iterator<Item = u64>,
    ) -> Option<u64> {
        if self.open.len() >= MOST {
            return None;
        }
        self.next_ticket += 1;
        self.open.push(Open {
            ticket: self.next_ticket,
            asker,
            missing: generations.collect(),
            until: Instant::now() + PATIENCE,
        });
        Some(self.next_ticket)
    }

    /// A generation answered.
    pub(super) fn answered(&mut self, generation: u64, ticket: u64) {
        for open in &mut self.open {
            if open.ticket == ticket {
                open.missing.remove(&generation);
            }
        }
    }

    /// A generation ended; this is the last it told.
    pub(super) fn ended(&mut self, generation: u64, mut last: Totals) {
        last.end();
        self.ended.merge(&last);
        for open in &mut self.open {
            open.missing.remove(&generation);
        }
    }

    /// A worker was replaced.
    pub(super) fn replaced(&mut self, app: &str, reason: &'static str) {
        *self
            .replaced
            .entry((app.to_owned(), reason.into()))
            .or_default() += 1;
    }

    /// Lines of an app were dropped.
    pub(super) fn dropped(&mut self, app: &str, lines: u64) {
        *self.dropped.entry(app.to_owned()).or_default() += lines;
    }

    /// An app got one worker more or fewer by its work.
    pub(super) fn stepped(&mut self, app: &str, direction: &'static str) {
        *self
            .steps
            .entry((app.to_owned(), direction.into()))
            .or_default() += 1;
    }

    pub(super) fn state(&self) -> CountsState {
        let labelled = |counts: &BTreeMap<(String, Cow<'static, str>), u64>| {
            let counts = counts.iter();
            let labelled =
                counts.map(|((app, label), count)| (app.clone(), label.to_string(), *count));
            labelled.collect()
        };
        CountsState {
            ended: self.ended.clone(),
            replaced: labelled(&self.replaced),
            dropped: self.dropped.clone(),
            steps: labelled(&self.steps),
            next_ticket: self.next_ticket,
        }
    }

    /// Nobody's patience lasts any longer.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        self.open.iter_mut().for_each(|open| open.until = now);
    }

    /// When somebody's patience ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.until).min()
    }

    /// Those who can be answered now.
    pub(super) fn ready(&mut self, now: Instant) -> Vec<Asker> {
        self.open
            .extract_if(.., |open| open.missing.is_empty() || open.until <= now)
            .map(|open| open.asker)
            .collect()
    }

    /// What became of requests that the cache was asked about, and what it holds.
    pub(super) fn cache_json<'a>(&self, living: impl Iterator<Item = &'a Totals>) -> String {
        let mut totals = self.ended.clone();
        for told in living {
            totals.merge(told);
        }
        let cache = &totals.requests.cache;
        let counts = CacheCounts {
            requests: cache.outcomes().collect(),
            unused: cache.reasons().collect(),
            hit_rate: cache.hit_rate(),
            bytes: totals.cache_bytes,
            resources: totals.cache_resources,
            evictions: totals.cache_evictions,
        };
        serde_json::to_string(&counts).unwrap_or_default()
    }

    /// The text: what the living told last, what the ended left, and who is ready.
    pub(super) fn text<'a>(
        &self,
        living: impl Iterator<Item = &'a Totals>,
        ready: impl Iterator<Item = (&'a str, usize)>,
    ) -> String {
        let mut totals = self.ended.clone();
        for told in living {
            totals.merge(told);
        }
        let mut text = Exposition::default();
        totals.write(&mut text);
        text.family(
            names::WORKERS_READY,
            "gauge",
            "Workers or servers that are ready.",
        );
        for (target, count) in ready {
            text.sample(names::WORKERS_READY, &[("target", target)], count);
        }
        if !self.replaced.is_empty() {
            text.family(
                names::WORKER_REPLACEMENTS_TOTAL,
                "counter",
                "Workers that were replaced without anybody asking.",
            );
        }
        for ((app, reason), count) in &self.replaced {
            let labels = [("app", app.as_str()), ("reason", reason.as_ref())];
            text.sample(names::WORKER_REPLACEMENTS_TOTAL, &labels, *count);
        }
        if !self.dropped.is_empty() {
            text.family(
                names::OUTPUT_LINES_DROPPED_TOTAL,
                "counter",
                "Lines of output that were dropped, since nobody took them in time.",
            );
        }
        for (app, lines) in &self.dropped {
            text.sample(names::OUTPUT_LINES_DROPPED_TOTAL, &[("app", app)], *lines);
        }
        if !self.steps.is_empty() {
            text.family(
                names::AUTOSCALE_STEPS_TOTAL,
                "counter",
                "Workers that apps got, or lost, by their work.",
            );
        }
        for ((app, direction), count) in &self.steps {
            let labels = [("app", app.as_str()), ("direction", direction.as_ref())];
            text.sample(names::AUTOSCALE_STEPS_TOTAL, &labels, *count);
        }
        text.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(accepted: u64) -> Totals {
        Totals {
            accepted,
            connections: 1,
            ..Totals::default()
        }
    }

    #[test]
    fn a_generation_that_ended_still_counts() {
        let mut counts = Counts::default();
        counts.ended(1, totals(5));
        let living = totals(2);
        let text = counts.text([&living].into_iter(), [("api", 2)].into_iter());
        for line in [
            "mainstay_connections_total 7",
            "active_connections 1",
            "mainstay_workers_ready{target=\"api\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_question_is_answered_when_all_have_told_or_patience_ends() {
        let mut counts = Counts::default();
        let asker = || Asker::Gateway {
            number: 1,
            ticket: 9,
        };
        let ticket = counts.ask(asker(), [1, 2].into_iter()).expect("room");
        counts.answered(1, ticket);
        assert_eq!(counts.ready(Instant::now()).len(), 0);
        counts.ended(2, Totals::default());
        assert_eq!(counts.ready(Instant::now()).len(), 1);
        counts.ask(asker(), [1].into_iter()).expect("room");
        assert_eq!(counts.ready(Instant::now()).len(), 0);
        assert_eq!(counts.ready(Instant::now() + PATIENCE).len(), 1);
        assert_eq!(counts.due(), None);
    }

    #[test]
    fn questions_are_bounded() {
        let mut counts = Counts::default();
        let asked = (0..MOST + 5)
            .filter_map(|ticket| {
                let asker = Asker::Gateway {
                    number: 1,
                    ticket: ticket as u64,
                };
                counts.ask(asker, [1].into_iter())
            })
            .count();
        assert_eq!(asked, MOST);
    }
}
