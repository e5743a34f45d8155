//! How many keys of a policy have used how much. Names none of them.

use super::mark::Mark;
use crate::stages::limit_rate::meter::{Meter, Verdict};

/// How a policy stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::stages::limit_rate) struct Tally {
    pub(in crate::stages::limit_rate) refused: u64,
    pub(in crate::stages::limit_rate) bans: u64,
    /// Keys that have used some of their budget.
    pub(in crate::stages::limit_rate) keys: u64,
    /// Keys that have used four fifths of it or more.
    pub(in crate::stages::limit_rate) near: u64,
    /// Keys of which the next hit is refused.
    pub(in crate::stages::limit_rate) exhausted: u64,
    pub(in crate::stages::limit_rate) banned: u64,
}

impl Tally {
    pub(super) fn add(&mut self, mark: Mark, memory: u64, meter: &Meter, now: u64) {
        let second = now / 1_000_000;
        if mark.banned(second).is_some() {
            self.banned += 1;
            self.keys += 1;
            return;
        }
        if mark.age(second) > meter.horizon() / 1_000_000 + 1 {
            return;
        }
        let next = meter.hit(memory, now, 1);
        let (limit, used) = match next.verdict {
            Verdict::Refuse(_) => (meter.limit(), meter.limit()),
            _ => (
                meter.limit(),
                meter.limit() - next.remaining.min(meter.limit()) - 1,
            ),
        };
        self.keys += u64::from(used > 0);
        self.exhausted += u64::from(used == limit);
        self.near += u64::from(used < limit && u64::from(used) * 5 >= u64::from(limit) * 4);
    }
}
