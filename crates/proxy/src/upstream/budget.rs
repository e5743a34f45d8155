//! How often a thread may resend: enough for a worker that dies, too little for a storm.

use std::cell::Cell;

/// Resends that are always allowed to collect.
const MOST: u32 = 200;
/// Parts of a resend that each first attempt earns: a fifth.
const EARNED: u32 = 1;
const COST: u32 = 5;

/// Earned by requests, spent by resends.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Cell::new(MOST * COST))
    }

    /// A first attempt.
    pub(super) fn earn(&self) {
        self.0.set((self.0.get() + EARNED).min(MOST * COST));
    }

    /// Whether one more attempt is within the budget.
    pub(super) fn spend(&self) -> bool {
        match self.0.get().checked_sub(COST) {
            Some(left) => {
                self.0.set(left);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_ends_and_traffic_earns_again() {
        let budget = Budget::new();
        assert_eq!(
            (0..10_000).filter(|_| budget.spend()).count(),
            MOST as usize
        );
        for _ in 0..COST {
            assert!(!budget.spend());
            budget.earn();
        }
        assert!(budget.spend());
    }
}
