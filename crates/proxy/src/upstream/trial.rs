//! What a member on trial is given, and what is counted of its answers. Judges nobody.

use std::sync::atomic::{
    AtomicU16, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use serde::{Deserialize, Serialize};

/// The answers of a member are counted, since somebody compares it with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The members that have this get about so many of a hundred requests together; absent: what falls to it as
    /// to any other.
    pub share: Option<u8>,
    /// An answer whose head takes longer counts as slow, in milliseconds; absent: none does.
    #[serde(default)]
    pub slow_after_ms: Option<u32>,
}

/// What a member answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All answers, and all requests that it left without one.
    pub answers: u32,
    /// Those of them with a status of 500 or more, and those that broke off.
    pub failures: u32,
    /// The status of the last failure; absent: it broke off, or there is none.
    pub last_status: Option<u16>,
    /// Those of all answers whose head took longer than [`Trial::slow_after_ms`].
    #[serde(default)]
    pub slow: u32,
}

impl Tally {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what was counted later.
    pub fn add(&mut self, later: Self) {
        self.answers = self.answers.saturating_add(later.answers);
        self.failures = self.failures.saturating_add(later.failures);
        self.slow = self.slow.saturating_add(later.slow);
        if later.failures > 0 {
            self.last_status = later.last_status;
        }
    }
}

/// The tally of one member, written by every thread.
#[derive(Debug, Default)]
pub(super) struct Count {
    answers: AtomicU32,
    failures: AtomicU32,
    slow: AtomicU32,
    /// 0: it broke off.
    last_status: AtomicU16,
}

impl Count {
    pub(super) fn answer(&self, status: u16) {
        if status >= 500 {
            self.last_status.store(status, Relaxed);
            self.failures.fetch_add(1, AcqRel);
        }
        self.answers.fetch_add(1, Relaxed);
    }

    /// An answer that is counted too took long.
    pub(super) fn slow(&self) {
        self.slow.fetch_add(1, Relaxed);
    }

    /// An answer that never came.
    pub(super) fn none(&self) {
        self.cut_off();
        self.answers.fetch_add(1, Relaxed);
    }

    /// An answer that had begun, and was counted then.
    pub(super) fn cut_off(&self) {
        self.last_status.store(0, Relaxed);
        self.failures.fetch_add(1, AcqRel);
    }

    /// What was counted since the last time.
    pub(super) fn take(&self) -> Tally {
        let failures = self.failures.swap(0, Acquire);
        let last = self.last_status.load(Relaxed);
        Tally {
            answers: self.answers.swap(0, Relaxed),
            failures,
            last_status: (failures > 0 && last != 0).then_some(last),
            slow: self.slow.swap(0, Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_told_once_and_names_the_last_failure() {
        let count = Count::default();
        assert!(count.take().is_empty());
        for status in [200, 404, 503, 200] {
            count.answer(status);
        }
        let mut all = count.take();
        let first = Tally {
            answers: 4,
            failures: 1,
            last_status: Some(503),
            slow: 0,
        };
        assert_eq!(all, first);
        count.answer(200);
        all.add(count.take());
        assert_eq!(
            all.last_status,
            Some(503),
            "an answer that is well changes no failure"
        );
        count.none();
        count.cut_off();
        all.add(count.take());
        let expected = Tally {
            answers: 6,
            failures: 3,
            last_status: None,
            slow: 0,
        };
        assert_eq!(all, expected);
        assert!(count.take().is_empty());
    }
}
