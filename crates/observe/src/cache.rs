//! What became of requests that a cache was asked about, counted by one thread and summed over all. Keeps no answer.

use serde::{Deserialize, Serialize};

use crate::{Counter, Exposition, names};

/// How answers come about; those of which no word is known here are not counted.
const OUTCOMES: [&str; 7] = [
    "hit",
    "stale",
    "revalidated",
    "collapsed",
    "miss",
    "expired",
    "bypass",
];

/// So many of [`OUTCOMES`], from the first, are answers from what is kept, or was just coming.
const FROM_CACHE: usize = 4;
/// And so many are of requests that may be answered so.
const ASKED: usize = 6;

/// Why a request was not answered from a cache, or its answer not kept.
const REASONS: [&str; 22] = [
    "authorization",
    "body",
    "cookie",
    "credentials",
    "method",
    "no_freshness",
    "no_store",
    "off",
    "origin_failed",
    "outdated",
    "override",
    "partial",
    "precondition",
    "private",
    "set_cookie",
    "status",
    "target",
    "too_large",
    "upgrade",
    "vary_any",
    "vary_on_client",
    "other",
];

/// No reason: the answer came from other machines.
const FROM_STORE: &str = "store";

/// Where what is not among the known is counted.
const OTHER: usize = REASONS.len() - 1;

/// One thread's counts.
#[derive(Debug)]
pub struct CacheMetrics {
    outcomes: [Counter; OUTCOMES.len()],
    reasons: [Counter; REASONS.len()],
    from_store: Counter,
}

impl Default for CacheMetrics {
    fn default() -> Self {
        Self {
            outcomes: std::array::from_fn(|_| Counter::default()),
            reasons: std::array::from_fn(|_| Counter::default()),
            from_store: Counter::default(),
        }
    }
}

impl CacheMetrics {
    /// Counts a request by its outcome's word, and by its reason's.
    pub fn observe(&self, outcome: &str, reason: Option<&str>) {
        if let Some(slot) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.outcomes[slot].increment();
        }
        if reason == Some(FROM_STORE) {
            self.from_store.increment();
        } else if let Some(reason) = reason {
            let slot = REASONS.iter().position(|known| *known == reason);
            self.reasons[slot.unwrap_or(OTHER)].increment();
        }
    }
}

/// Many threads' counts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheTotals {
    outcomes: [u64; OUTCOMES.len()],
    reasons: [u64; REASONS.len()],
    #[serde(default)]
    from_store: u64,
}

impl CacheTotals {
    /// Adds one thread's counts.
    pub fn add(&mut self, metrics: &CacheMetrics) {
        let slots = self.outcomes.iter_mut().zip(&metrics.outcomes);
        for (sum, counter) in slots.chain(self.reasons.iter_mut().zip(&metrics.reasons)) {
            *sum += counter.get();
        }
        self.from_store += metrics.from_store.get();
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        let slots = self.outcomes.iter_mut().zip(&other.outcomes);
        for (sum, more) in slots.chain(self.reasons.iter_mut().zip(&other.reasons)) {
            *sum += more;
        }
        self.from_store += other.from_store;
    }

    /// Requests by what came of them; those that came about never are left out.
    pub fn outcomes(&self) -> impl Iterator<Item = (String, u64)> {
        counted(&OUTCOMES, self.outcomes)
    }

    /// Requests that the cache did nothing about, or whose answers were not kept, by reason.
    pub fn reasons(&self) -> impl Iterator<Item = (String, u64)> {
        counted(&REASONS, self.reasons)
    }

    /// Of a hundred requests that may be answered from what is kept, how many were. None without any.
    pub fn hit_rate(&self) -> Option<f64> {
        let asked: u64 = self.outcomes[..ASKED].iter().sum();
        let answered: u64 = self.outcomes[..FROM_CACHE].iter().sum();
        (asked > 0).then(|| answered as f64 * 100.0 / asked as f64)
    }

    /// Writes them. Nothing, as long as no cache was asked.
    pub fn write(&self, text: &mut Exposition) {
        if self.outcomes.iter().all(|count| *count == 0) {
            return;
        }
        let help = "Requests that the cache was asked about, by what came of it.";
        text.family(names::CACHE_REQUESTS_TOTAL, "counter", help);
        for (word, count) in OUTCOMES.iter().zip(self.outcomes) {
            text.sample(names::CACHE_REQUESTS_TOTAL, &[("result", word)], count);
        }
        let help = "Requests that the cache did nothing about, or whose answers were not kept.";
        text.family(names::CACHE_UNUSED_TOTAL, "counter", help);
        for (word, count) in REASONS.iter().zip(self.reasons) {
            if count > 0 {
                text.sample(names::CACHE_UNUSED_TOTAL, &[("reason", word)], count);
            }
        }
        if self.from_store > 0 {
            let help = "Of the answers that were kept, those that another machine had fetched.";
            text.single(
                names::CACHE_STORE_HITS_TOTAL,
                "counter",
                help,
                self.from_store,
            );
        }
        if let Some(rate) = self.hit_rate() {
            let help = "Of a hundred requests that may be answered from the cache, how many were.";
            text.single(names::CACHE_HIT_RATE, "gauge", help, format!("{rate:.2}"));
        }
    }
}

fn counted<const N: usize>(
    words: &'static [&'static str; N],
    counts: [u64; N],
) -> impl Iterator<Item = (String, u64)> {
    let all = words.iter().zip(counts);
    let counted = all.filter(|(_, count)| *count > 0);
    counted.map(|(word, count)| ((*word).to_owned(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_summed() {
        let (one, two) = (CacheMetrics::default(), CacheMetrics::default());
        one.observe("hit", None);
        one.observe("miss", Some("set_cookie"));
        two.observe("bypass", Some("cookie"));
        two.observe("hit", Some("a new one"));
        two.observe("hit", None);
        two.observe("hit", Some("store"));
        let mut totals = CacheTotals::default();
        totals.add(&one);
        totals.add(&two);
        totals.merge(&totals.clone());
        assert_eq!(totals.hit_rate(), Some(80.0));
        let mut text = Exposition::default();
        totals.write(&mut text);
        let text = text.finish();
        for line in [
            "mainstay_cache_requests_total{result=\"hit\"} 8",
            "mainstay_cache_requests_total{result=\"bypass\"} 2",
            "mainstay_cache_unused_total{reason=\"set_cookie\"} 2",
            "mainstay_cache_unused_total{reason=\"other\"} 2",
            "cache_hit_rate 80.00",
            "mainstay_cache_store_hits_total 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let mut nothing = Exposition::default();
        CacheTotals::default().write(&mut nothing);
        assert_eq!(nothing.finish(), "");
    }
}
