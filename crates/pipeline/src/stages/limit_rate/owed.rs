//! Hits that cost nothing in the end, once the answer is known: `skip_successful`, `skip_failed`.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use super::Policies;
use super::shared::SharedKey;
use crate::Refusal;

/// Hits that may be given back when the answer is known. When it never is, since the client went away, they are
/// judged as a failure when this is dropped.
pub(crate) struct Owed {
    policies: Arc<Policies>,
    hits: Vec<Hit>,
}

/// One of them.
pub(super) struct Hit {
    /// Its policy's index.
    pub(super) policy: usize,
    pub(super) key: u64,
    /// When it was counted.
    pub(super) then: u64,
    /// What other machines call the key, where they count it too.
    pub(super) shared: Option<SharedKey>,
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hits", self.hits.len())
    }
}

impl Owed {
    /// Adds one.
    pub(super) fn add(slot: &mut Option<Box<Self>>, policies: &Arc<Policies>, hit: Hit) {
        let owed = slot.get_or_insert_with(|| {
            Box::new(Self {
                policies: Arc::clone(policies),
                hits: Vec::with_capacity(1),
            })
        });
        owed.hits.push(hit);
    }

    /// Gives back what an answer of this status makes free.
    pub(super) fn settle(mut self, status: StatusCode) {
        self.give_back(status.as_u16());
    }

    fn give_back(&mut self, status: u16) {
        let is_success = status < 400;
        for hit in std::mem::take(&mut self.hits) {
            let policy = &self.policies.each[hit.policy];
            let is_free = if is_success {
                policy.skip.successful
            } else {
                policy.skip.failed
            };
            if is_free {
                policy.give_back(&self.policies.table, hit.key, hit.then);
                self.policies.give_back_shared(policy, hit.shared.as_ref());
            }
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.give_back(Refusal::ClientGone.status().as_u16());
    }
}
