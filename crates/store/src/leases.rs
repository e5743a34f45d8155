//! Hits taken ahead from shared budgets, in blocks: most requests are decided without a word to the store.
//! Knows no request, and no clock but the one it is told.
//!
//! A block is a twentieth of the budget, at most [`LARGEST`] hits. It was counted when it was taken and may be used for an
//! eighth of the window, 10 seconds at most; so in any window at most one block for each holder (each thread of each
//! machine) passes beyond the limit. What is not used in that time is lost: with few clients per budget and many holders
//! a client may get that much less.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::budget::{Budget, Taken};

/// No block is larger.
pub const LARGEST: u32 = 100;
/// Budgets remembered at once by one holder; of more, some are forgotten, with what was left of them.
const MOST: usize = 65_536;
/// A refusal of the store is believed for so long without asking again.
const BELIEVED: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);

/// What is known of all budgets of one holder.
#[derive(Debug, Default)]
pub struct Leases {
    known: Mutex<HashMap<Vec<u8>, Lease, RandomState>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    /// Hits that are ours.
    left: u32,
    /// Until then; microseconds of the caller's clock.
    until: u64,
    /// Left in the store when it was asked last.
    remaining: u32,
    /// When the window ends.
    reset: u64,
    /// The store had nothing more; until then it is not asked.
    refused_until: u64,
    is_asking: bool,
}

/// What to do with a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It passes. More should be taken in the background if `refill` says so.
    Pass {
        /// What is told to the client.
        told: Told,
        /// How many to take now, without anybody waiting.
        refill: Option<u32>,
    },
    /// It does not.
    Refuse {
        /// What is told to the client.
        told: Told,
        /// Until one might pass.
        wait: Duration,
    },
    /// Nothing is known: the store must be asked for so many, and this request waits for it.
    Ask(u32),
}

/// How a budget stands, as far as it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Hits that would still pass.
    pub remaining: u32,
    /// Until the window ends.
    pub reset: Duration,
}

/// How many hits are taken ahead of a budget.
pub fn block(budget: &Budget) -> u32 {
    (budget.most() / 20).clamp(1, LARGEST)
}

impl Leases {
    /// A hit of this cost, at `now` microseconds.
    pub fn hit(&self, budget: &Budget, key: &[u8], cost: u32, now: u64) -> Decision {
        let block = block(budget).max(cost);
        let mut known = self.lock();
        let Some(lease) = known.get_mut(key) else {
            return Decision::Ask(block);
        };
        if lease.until > now && lease.left >= cost {
            lease.left -= cost;
            let refill = lease.left < block / 2 && !lease.is_asking && lease.refused_until <= now;
            lease.is_asking |= refill;
            return Decision::Pass {
                told: lease.told(now),
                refill: refill.then_some(block),
            };
        }
        if lease.refused_until > now {
            return Decision::Refuse {
                told: lease.told(now),
                wait: Duration::from_micros(lease.refused_until - now),
            };
        }
        Decision::Ask(block)
    }

    /// The store answered at `now` to who took up to some hits, of which `cost` are used at once.
    pub fn filled(&self, budget: &Budget, key: &[u8], taken: &Taken, cost: u32, now: u64) -> Told {
        let mut known = self.lock();
        if known.len() >= MOST && !known.contains_key(key) {
            make_room(&mut known, now);
        }
        let lease = known.entry(key.to_vec()).or_default();
        if lease.until <= now {
            lease.left = 0;
        }
        lease.is_asking = false;
        lease.left = lease.left.saturating_add(taken.hits.saturating_sub(cost));
        lease.remaining = taken.remaining;
        lease.reset = now + micros(taken.reset);
        if taken.hits == 0 {
            lease.refused_until = now + micros(taken.wait.min(BELIEVED));
        } else {
            lease.until = now + micros((budget.window / 8).min(LONGEST));
        }
        lease.told(now)
    }

    /// The store did not answer who asked in the background.
    pub fn unanswered(&self, key: &[u8]) {
        if let Some(lease) = self.lock().get_mut(key) {
            lease.is_asking = false;
        }
    }

    /// A hit that passed does not count after all. Whether it went back to a lease; else the store must be told.
    pub fn give_back(&self, key: &[u8], cost: u32, now: u64) -> bool {
        match self.lock().get_mut(key) {
            Some(lease) if lease.until > now => {
                lease.left = lease.left.saturating_add(cost);
                lease.refused_until = 0;
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Lease>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    fn told(&self, now: u64) -> Told {
        Told {
            remaining: self.remaining.saturating_add(self.left),
            reset: Duration::from_micros(self.reset.saturating_sub(now)),
        }
    }

    fn is_over(&self, now: u64) -> bool {
        self.until <= now && self.refused_until <= now
    }
}

/// Forgets what is over; if that is little, an eighth of the rest, so that the next one need not look again.
fn make_room(known: &mut HashMap<Vec<u8>, Lease>, now: u64) {
    known.retain(|_, lease| !lease.is_over(now));
    if known.len() > MOST - MOST / 8 {
        let mut number = 0_usize;
        known.retain(|_, _| {
            number += 1;
            !number.is_multiple_of(8)
        });
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Counting;

    const BUDGET: Budget = Budget {
        counting: Counting::Sliding,
        limit: 100,
        window: Duration::from_mins(1),
    };
    const SECOND: u64 = 1_000_000;

    fn taken(hits: u32, remaining: u32) -> Taken {
        Taken {
            hits,
            remaining,
            reset: Duration::from_secs(30),
            wait: Duration::from_secs(20),
        }
    }

    #[test]
    fn only_the_first_of_a_block_asks() {
        let leases = Leases::default();
        assert_eq!(leases.hit(&BUDGET, b"a", 1, 0), Decision::Ask(5));
        let told = leases.filled(&BUDGET, b"a", &taken(5, 95), 1, 0);
        assert_eq!(told.remaining, 99);
        for (left, refill) in [(98, None), (97, None), (96, Some(5)), (95, None)] {
            match leases.hit(&BUDGET, b"a", 1, 0) {
                Decision::Pass { told, refill: now } => {
                    assert_eq!((told.remaining, now), (left, refill));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(leases.hit(&BUDGET, b"a", 1, 0), Decision::Ask(5));
        assert_eq!(leases.hit(&BUDGET, b"b", 7, 0), Decision::Ask(7));
    }

    #[test]
    fn a_lease_ends() {
        let leases = Leases::default();
        leases.filled(&BUDGET, b"a", &taken(5, 95), 1, 0);
        assert!(matches!(
            leases.hit(&BUDGET, b"a", 1, 7 * SECOND),
            Decision::Pass { .. }
        ));
        assert_eq!(leases.hit(&BUDGET, b"a", 1, 8 * SECOND), Decision::Ask(5));
        // what it held is not added to the next one
        leases.filled(&BUDGET, b"a", &taken(5, 90), 0, 8 * SECOND);
        let told = leases.filled(&BUDGET, b"a", &taken(0, 0), 0, 8 * SECOND);
        assert_eq!(told.remaining, 5);
    }

    #[test]
    fn a_refusal_is_believed_for_a_second() {
        let leases = Leases::default();
        leases.filled(&BUDGET, b"a", &taken(0, 0), 0, 0);
        for now in [0, SECOND - 1] {
            assert!(matches!(
                leases.hit(&BUDGET, b"a", 1, now),
                Decision::Refuse { .. }
            ));
        }
        assert_eq!(leases.hit(&BUDGET, b"a", 1, SECOND), Decision::Ask(5));
    }

    #[test]
    fn what_does_not_count_goes_back() {
        let leases = Leases::default();
        assert!(!leases.give_back(b"a", 1, 0));
        leases.filled(&BUDGET, b"a", &taken(1, 0), 1, 0);
        assert!(leases.give_back(b"a", 1, 0));
        assert!(matches!(
            leases.hit(&BUDGET, b"a", 1, 0),
            Decision::Pass { .. }
        ));
    }

    #[test]
    fn no_more_are_remembered_than_there_may_be() {
        let leases = Leases::default();
        for number in 0..MOST as u64 + 10 {
            leases.filled(&BUDGET, &number.to_le_bytes(), &taken(5, 0), 0, 0);
        }
        assert!(leases.lock().len() <= MOST);
    }
}
