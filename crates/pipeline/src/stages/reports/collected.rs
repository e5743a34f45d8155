//! Violations on their way to whoever shows them: counted, and never more than a bounded number of them. All threads of
//! a gateway share one; it is locked for a report only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Violation;

/// Kinds that wait to be fetched.
const MOST_KINDS: usize = 500;
/// Bodies that are read in a second; a page that does everything wrong sends some dozens.
const MOST_BODIES: u32 = 200;

/// What was reported since it was fetched last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Each kind, and how often.
    pub violations: Vec<(Violation, u64)>,
    /// Bodies and kinds that were too many.
    pub dropped: u64,
}

impl Reported {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty() && self.dropped == 0
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Violations(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: HashMap<Violation, u64>,
    dropped: u64,
    /// The second that bodies are counted in.
    second: u64,
    bodies: u32,
}

impl Violations {
    /// Whether another body may be read in this second.
    pub(super) fn admit(&self, second: u64) -> bool {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.second != second {
            (inner.second, inner.bodies) = (second, 0);
        }
        inner.bodies += 1;
        let is_admitted = inner.bodies <= MOST_BODIES;
        inner.dropped += u64::from(!is_admitted);
        is_admitted
    }

    /// Counts one.
    pub(super) fn note(&self, violation: Violation) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.counts.len() < MOST_KINDS || inner.counts.contains_key(&violation) {
            *inner.counts.entry(violation).or_default() += 1;
        } else {
            inner.dropped += 1;
        }
    }

    /// Takes what was collected.
    pub fn take(&self) -> Reported {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Reported {
            violations: inner.counts.drain().collect(),
            dropped: std::mem::take(&mut inner.dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CspEffect;

    fn violation(page: usize) -> Violation {
        Violation {
            directive: "img-src".to_owned(),
            blocked: "data:".to_owned(),
            page: format!("/{page}"),
            effect: CspEffect::Enforced,
        }
    }

    #[test]
    fn the_same_are_counted_and_too_many_are_dropped() {
        let violations = Violations::default();
        for page in 0..MOST_KINDS + 3 {
            violations.note(violation(page));
        }
        violations.note(violation(0));
        let reported = violations.take();
        assert_eq!(
            (reported.violations.len(), reported.dropped),
            (MOST_KINDS, 3)
        );
        assert!(reported.violations.contains(&(violation(0), 2)));
        assert!(violations.take().is_empty());
    }

    #[test]
    fn a_flood_is_not_read() {
        let violations = Violations::default();
        let admitted = (0..1_000).filter(|_| violations.admit(1)).count();
        assert_eq!(admitted, MOST_BODIES as usize);
        assert!(violations.admit(2));
        assert_eq!(violations.take().dropped, 800);
    }
}
