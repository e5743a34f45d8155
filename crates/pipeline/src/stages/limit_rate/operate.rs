//! What an operator asks of limits: how they stand, and to forget what somebody has used. Counts nothing.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::options::RatePolicy;
use super::policy::Policy;
use super::table::RateTable;

/// The policies of an instance and the table they count in, for whoever looks from outside.
#[derive(Debug)]
pub struct RatePolicies {
    table: RateTable,
    each: Vec<Policy>,
}

/// How one policy stands. Names no key: who they are is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateState {
    /// The policy's name.
    pub name: String,
    /// Requests it refused since the instance started; on a dry run those it would have refused.
    pub refused: u64,
    /// Bans it spoke since then.
    pub bans: u64,
    /// Keys that have used some of their budget.
    pub keys: u64,
    /// Of these, keys with less than a fifth of it left.
    pub near: u64,
    /// Of these, keys with nothing left.
    pub exhausted: u64,
    /// Of these, keys that are banned now.
    pub banned: u64,
}

impl RatePolicies {
    /// These policies, counted in this table.
    pub fn new(policies: &[RatePolicy], table: RateTable) -> Self {
        let routes: Arc<[String]> = Arc::default();
        let of = |policy| Policy::new(policy, &routes, &table);
        Self {
            each: policies.iter().map(of).collect(),
            table,
        }
    }

    /// How they stand, in the order of the settings. Looks at every key in those words of the table that were ever
    /// written, which takes some milliseconds.
    pub fn states(&self, written: &[Range<usize>]) -> Vec<RateState> {
        let state = |policy: &Policy| {
            let tally = self.table.tally(policy.number, &policy.meter, written);
            RateState {
                name: policy.name.clone(),
                refused: tally.refused,
                bans: tally.bans,
                keys: tally.keys,
                near: tally.near,
                exhausted: tally.exhausted,
                banned: tally.banned,
            }
        };
        self.each.iter().map(state).collect()
    }

    /// Forgets what this key has used of every policy, or of the one that is named, and its ban. The names of
    /// those that remembered something of it.
    pub fn forget(&self, policy: Option<&str>, key: &str) -> Vec<String> {
        let meant = self
            .each
            .iter()
            .filter(|known| policy.is_none_or(|name| name == known.name));
        let forgets = |policy: &&Policy| {
            let key = policy.typed_key(&self.table, key);
            key.is_some_and(|key| self.table.forget(key))
        };
        meant
            .filter(forgets)
            .map(|policy| policy.name.clone())
            .collect()
    }
}
