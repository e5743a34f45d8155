//! Refusals by step, reason and status, counted by one thread and summed over all. Knows none of them by name: those come from
//! whoever refuses.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::Counter;

/// Kinds that are told apart; what comes after these is counted together. There are about a hundred reasons, nearly all of them
/// of one step, and few services meet a dozen.
const MOST: usize = 256;

/// What became of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The client got it.
    Refused,
    /// It was only noted: the layer is on a dry run.
    DryRun,
}

/// One kind of refusal. Steps and reasons come from closed lists, so that no client makes a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalKind {
    /// The step that refuses.
    pub step: &'static str,
    /// Why, in a word.
    pub reason: &'static str,
    /// The status that says so.
    pub status: u16,
    /// What becomes of it.
    pub effect: Effect,
}

/// In the place of a step, for what was refused before the first one.
pub const NO_STEP: &str = "none";

/// What stands for all kinds that were too many.
const OTHERS: (&str, &str, &str) = ("other", "other", "other");

/// What one thread counted of its refusals.
#[derive(Debug)]
pub struct RefusalMetrics {
    /// In the order in which they came first. Found by walking: a refusal is seldom, and there are few kinds.
    kinds: Box<[OnceLock<Box<Kind>>]>,
    others: Counter,
}

#[derive(Debug)]
struct Kind {
    is: RefusalKind,
    count: Counter,
}

impl Default for RefusalMetrics {
    fn default() -> Self {
        Self {
            kinds: (0..MOST).map(|_| OnceLock::new()).collect(),
            others: Counter::default(),
        }
    }
}

impl RefusalMetrics {
    /// Counts one.
    pub fn count(&self, kind: RefusalKind) {
        for place in &self.kinds {
            let known = place.get_or_init(|| {
                Box::new(Kind {
                    is: kind,
                    count: Counter::default(),
                })
            });
            if known.is == kind {
                known.count.increment();
                return;
            }
        }
        self.others.increment();
    }
}

/// Step, reason and status, and whether it was only noted, by the names under which they are shown.
pub type RefusalKey = (String, String, String, bool);

/// Many threads' refusals together.
pub type RefusalTotals = BTreeMap<RefusalKey, u64>;

/// Adds one thread's counts.
pub(crate) fn add(totals: &mut RefusalTotals, metrics: &RefusalMetrics) {
    for Kind { is, count } in metrics
        .kinds
        .iter()
        .map_while(|place| Some(&**place.get()?))
    {
        let key = (
            is.step.to_owned(),
            is.reason.to_owned(),
            is.status.to_string(),
            is.effect == Effect::DryRun,
        );
        *totals.entry(key).or_default() += count.get();
    }
    let others = metrics.others.get();
    if others > 0 {
        let (step, reason, status) = OTHERS;
        let key = (step.to_owned(), reason.to_owned(), status.to_owned(), false);
        *totals.entry(key).or_default() += others;
    }
}

/// Adds what others counted.
pub(crate) fn merge(totals: &mut RefusalTotals, other: &RefusalTotals) {
    for (key, count) in other {
        *totals.entry(key.clone()).or_default() += count;
    }
}

/// A map whose keys are no text, as a list of pairs.
pub(crate) mod pairs {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{RefusalKey, RefusalTotals};

    pub(crate) fn serialize<S: Serializer>(
        map: &RefusalTotals,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RefusalTotals, D::Error> {
        let pairs = Vec::<(RefusalKey, u64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exposition, RequestMetrics, RequestTotals};

    const TRAP: RefusalKind = RefusalKind {
        step: "filter",
        reason: "trap",
        status: 404,
        effect: Effect::Refused,
    };

    #[test]
    fn kinds_are_counted_apart_summed_sent_and_shown() {
        let threads = [RequestMetrics::new(1), RequestMetrics::new(1)];
        let dry = RefusalKind {
            effect: Effect::DryRun,
            ..TRAP
        };
        for kind in [TRAP, dry, TRAP] {
            threads[0].refusals.count(kind);
        }
        threads[1].refusals.count(TRAP);
        let mut totals = RequestTotals::default();
        for thread in &threads {
            totals.add(thread, &[]);
        }
        let json = serde_json::to_string(&totals).expect("it can be written");
        let mut sum: RequestTotals = serde_json::from_str(&json).expect("it can be read");
        sum.merge(&totals);
        let mut text = Exposition::default();
        text.requests(&sum);
        let text = text.finish();
        let trap = "mainstay_refusals_total{step=\"filter\",reason=\"trap\",status_code=\"404\"";
        for (dry, count) in [(false, 6), (true, 2)] {
            let line = format!("{trap},dry_run=\"{dry}\"}} {count}\n");
            assert!(text.contains(&line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn there_are_never_more_series_than_there_is_room_for() {
        let metrics = RequestMetrics::new(0);
        for status in 0..1_000 {
            metrics.refusals.count(RefusalKind { status, ..TRAP });
        }
        let mut totals = RequestTotals::default();
        totals.add(&metrics, &[]);
        assert_eq!(totals.refusals.len(), MOST + 1);
        assert_eq!(totals.refusals.values().sum::<u64>(), 1_000);
    }
}
