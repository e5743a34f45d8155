//! What browsers reported against the content security policy, of all gateways since the instance started. Suggests
//! nothing: that is the command's.

use std::collections::BTreeMap;
use std::time::SystemTime;

use mainstay_observe::Timestamp;
use mainstay_pipeline::{CspOptions, Reported, Violation};
use serde::{Deserialize, Serialize};

use crate::policy::{Collected, Seen};

/// Kinds that are kept; a site has some dozens, and whoever invents more shall not fill the memory.
const MOST: usize = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Violations {
    seen: BTreeMap<Violation, (u64, Option<SystemTime>)>,
    dropped: u64,
}

/// See [`Violations::state`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ViolationsState {
    seen: Vec<(Violation, (u64, Option<SystemTime>))>,
    dropped: u64,
}

impl From<ViolationsState> for Violations {
    fn from(state: ViolationsState) -> Self {
        Self {
            seen: state.seen.into_iter().collect(),
            dropped: state.dropped,
        }
    }
}

impl Violations {
    /// What a gateway heard.
    pub(super) fn add(&mut self, reported: Reported, now: SystemTime) {
        self.dropped += reported.dropped;
        for (violation, reports) in reported.violations {
            if self.seen.len() >= MOST && !self.seen.contains_key(&violation) {
                self.dropped += reports;
                continue;
            }
            let (count, last) = self.seen.entry(violation).or_default();
            *count += reports;
            *last = Some(now);
        }
    }

    /// The same for the next program.
    pub(super) fn state(&self) -> ViolationsState {
        ViolationsState {
            seen: self
                .seen
                .iter()
                .map(|(kind, seen)| (kind.clone(), *seen))
                .collect(),
            dropped: self.dropped,
        }
    }

    /// All of it, beside the policy in force, as JSON.
    pub(super) fn json(&self, policy: Option<&CspOptions>) -> String {
        let mut violations: Vec<Seen> = self
            .seen
            .iter()
            .map(|(violation, (reports, last))| Seen {
                violation: violation.clone(),
                reports: *reports,
                last: last.map_or_else(String::new, |last| Timestamp::new(last).rfc3339_seconds()),
            })
            .collect();
        violations.sort_by_key(|seen| std::cmp::Reverse(seen.reports));
        let collected = Collected {
            policy: policy.cloned(),
            violations,
            dropped: self.dropped,
        };
        serde_json::to_string(&collected).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_pipeline::CspEffect;

    use super::*;

    #[test]
    fn gateways_are_counted_together_and_no_more_kinds_than_fit() {
        let kind = |page: usize| Violation {
            directive: "img-src".to_owned(),
            blocked: "data:".to_owned(),
            page: format!("/{page}"),
            effect: CspEffect::Enforced,
        };
        let mut violations = Violations::default();
        for _ in 0..2 {
            let reported = Reported {
                violations: (0..MOST + 5).map(|page| (kind(page), 3)).collect(),
                dropped: 1,
            };
            violations.add(reported, SystemTime::UNIX_EPOCH);
        }
        let told: Collected = serde_json::from_str(&violations.json(None)).expect("JSON");
        assert_eq!(told.violations.len(), MOST);
        assert_eq!(told.violations[0].reports, 6);
        assert_eq!(told.dropped, 2 + 2 * 5 * 3);
    }
}
