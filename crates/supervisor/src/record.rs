//! The failed starts of one worker: how long the next has to wait, and whether they are a crash loop. Arithmetic on
//! moments that others bring; reads no clock.

use std::collections::VecDeque;
use std::time::Duration;

use crate::lifecycle::Policy;

/// How far chance moves a wait, as a part of it.
const SPREAD: f64 = 0.2;

/// The longest of the waits that grow from end to end.
const LONGEST_GROWN: Duration = Duration::from_secs(15);

/// A life this long begins them anew.
const LONG_LIFE: Duration = Duration::from_secs(30);

/// Failed starts, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Failed starts in a row.
    row: u32,
    /// When the last of them were; at most as many as make a loop.
    deaths: VecDeque<Duration>,
    in_loop: bool,
    /// The last of the waits that grow from end to end.
    grown: Duration,
}

/// What a failed start means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is one of few, or of a loop that is known.
    NoNews,
    /// With it a crash loop begins.
    LoopBegins,
}

impl Record {
    /// One more failed start.
    pub(crate) fn add(&mut self, now: Duration, policy: &Policy) -> Verdict {
        self.row = self.row.saturating_add(1);
        self.deaths.push_back(now);
        let begin = now.saturating_sub(policy.loop_window);
        while self.deaths.front().is_some_and(|death| *death < begin)
            || self.deaths.len() > policy.loop_deaths.max(1) as usize
        {
            self.deaths.pop_front();
        }
        let is_loop = self.deaths.len() >= policy.loop_deaths.max(1) as usize;
        if is_loop && !std::mem::replace(&mut self.in_loop, true) {
            return Verdict::LoopBegins;
        }
        self.in_loop |= is_loop;
        Verdict::NoNews
    }

    /// A start that worked ends the row; a crash loop ends later.
    pub(crate) fn forget_row(&mut self) {
        self.row = 0;
    }

    /// All is well again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the starts fail again and again.
    pub fn in_loop(&self) -> bool {
        self.in_loop
    }

    /// The wait that grows from end to end, where the policy has one; the life that has ended was ready for `lasted`.
    pub(crate) fn grow(&mut self, lasted: Duration, policy: &Policy) -> Duration {
        let Some(first) = policy.backoff else {
            return Duration::ZERO;
        };
        self.grown = if self.grown.is_zero() || lasted >= LONG_LIFE {
            first
        } else {
            (self.grown * 3 / 2).min(LONGEST_GROWN.max(first))
        };
        self.grown
    }

    /// How long the next start after one more failed one waits, outside of a loop.
    pub(crate) fn next_pause(&mut self, jitter: f64, policy: &Policy) -> Duration {
        self.row = self.row.saturating_add(1);
        self.pause(jitter, policy)
    }

    /// How long the next start waits. `jitter` (-1 to 1) moves it by up to a fifth.
    pub(crate) fn pause(&self, jitter: f64, policy: &Policy) -> Duration {
        let doublings = self.row.saturating_sub(1).min(31);
        let doubled = policy.first_backoff.saturating_mul(1 << doublings);
        let pause = if self.in_loop {
            policy.longest_backoff
        } else {
            doubled.min(policy.longest_backoff)
        };
        pause.mul_f64(1.0 + SPREAD * jitter.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_their_limit_and_chance_moves_them_by_a_fifth() {
        let policy = Policy {
            loop_deaths: u32::MAX,
            ..Policy::default()
        };
        let cases = [
            (1, 100),
            (2, 200),
            (3, 400),
            (9, 25_600),
            (10, 30_000),
            (40, 30_000),
            (u32::MAX, 30_000),
        ];
        for (row, milliseconds) in cases {
            let record = Record {
                row,
                ..Record::default()
            };
            for (jitter, part) in [(0.0, 100), (1.0, 120), (-1.0, 80), (0.5, 110), (7.0, 120)] {
                let found = record.pause(jitter, &policy).as_millis();
                assert_eq!(found, milliseconds * part / 100, "{row} with {jitter}");
            }
        }
    }

    #[test]
    fn waits_that_grow_are_half_as_long_again_up_to_15_s() {
        let policy = Policy {
            backoff: Some(Duration::from_millis(100)),
            ..Policy::default()
        };
        let mut record = Record::default();
        let short = Duration::from_secs(29);
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.push(record.grow(short, &policy).as_micros());
        }
        assert_eq!(waits, [100_000, 150_000, 225_000, 337_500]);
        for _ in 0..20 {
            record.grow(short, &policy);
        }
        assert_eq!(record.grow(short, &policy), LONGEST_GROWN);
        let after_a_life = record.grow(LONG_LIFE, &policy);
        assert_eq!(after_a_life, Duration::from_millis(100));
        let long = Policy {
            backoff: Some(Duration::from_mins(1)),
            ..policy
        };
        assert_eq!(record.grow(LONG_LIFE, &long), Duration::from_mins(1));
        assert_eq!(record.grow(short, &long), Duration::from_mins(1));
        assert_eq!(record.grow(short, &Policy::default()), Duration::ZERO);
    }

    #[test]
    fn deaths_within_the_window_are_a_loop_told_once() {
        let policy = Policy::default();
        let mut record = Record::default();
        let mut verdicts = Vec::new();
        for second in [0, 20, 40, 59, 61, 62, 63] {
            verdicts.push((second, record.add(Duration::from_secs(second), &policy)));
        }
        let begins: Vec<u64> = verdicts
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::LoopBegins)
            .map(|(second, _)| *second)
            .collect();
        assert_eq!(begins, [62], "at 61 the first has left the window");
        assert_eq!(record.pause(0.0, &policy), policy.longest_backoff);
        record.forget_row();
        assert!(record.in_loop(), "one good start is no recovery");
        record.clear();
        assert!(!record.in_loop());
    }

    #[test]
    fn deaths_far_apart_are_no_loop_and_cost_no_memory() {
        let policy = Policy::default();
        let mut record = Record::default();
        for number in 0..1_000 {
            record.add(Duration::from_secs(number * 16), &policy);
        }
        assert!(!record.in_loop());
        assert!(record.deaths.len() < 5);
    }
}
