//! Rate limits that machines share, in Redis: the pipeline's question, and what the store makes of it. Decides nothing about
//! requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_pipeline::{
    Algorithm, SharedAnswer, SharedBudget, SharedBudgets, SharedKey, SharedTurn, Sharing,
};

use crate::budget::{Budget, Counting};
use crate::leases::{Decision, Leases, Told, block};
use crate::redis::Redis;

/// Before each key, so that others may use the same Redis.
const PREFIX: &[u8] = b"mainstay:rate:";

/// Budgets in one Redis. Clones share what was leased.
#[derive(Clone, Debug)]
pub struct SharedRates {
    redis: Redis,
    leases: Arc<Leases>,
    begin: Instant,
}

impl SharedRates {
    /// Budgets in this Redis.
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            leases: Arc::default(),
            begin: Instant::now(),
        }
    }

    /// Microseconds by a clock of our own.
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Asks for this hit alone.
    async fn exact(self, budget: Budget, key: Vec<u8>, cost: u32) -> Option<SharedAnswer> {
        let taken = budget.take(&self.redis, &key, cost, cost).await.ok()?;
        Some(SharedAnswer {
            passes: taken.hits > 0,
            remaining: taken.remaining,
            reset: taken.reset,
            wait: taken.wait,
        })
    }

    /// Asks for a block, of which this hit takes its part.
    async fn fill(
        self,
        budget: Budget,
        key: Vec<u8>,
        want: u32,
        cost: u32,
    ) -> Option<SharedAnswer> {
        let Ok(taken) = budget.take(&self.redis, &key, want, cost.max(1)).await else {
            self.leases.unanswered(&key);
            return None;
        };
        let told = self.leases.filled(&budget, &key, &taken, cost, self.now());
        Some(answer(taken.hits > 0, told, taken.wait))
    }
}

impl SharedBudgets for SharedRates {
    fn take(&self, shared: &Arc<SharedBudget>, key: &SharedKey, cost: u32) -> SharedTurn {
        if !self.redis.is_there() {
            return SharedTurn::Now(None);
        }
        let (budget, key) = (budget(shared), name(key));
        let this = self.clone();
        if shared.sharing == Sharing::Exact || block(&budget) <= cost {
            return SharedTurn::Later(Box::pin(this.exact(budget, key, cost)));
        }
        match self.leases.hit(&budget, &key, cost, self.now()) {
            Decision::Pass { told, refill } => {
                if let Some(want) = refill {
                    tokio::spawn(this.fill(budget, key, want, 0));
                }
                SharedTurn::Now(Some(answer(true, told, Duration::ZERO)))
            }
            Decision::Refuse { told, wait } => SharedTurn::Now(Some(answer(false, told, wait))),
            Decision::Ask(want) => SharedTurn::Later(Box::pin(this.fill(budget, key, want, cost))),
        }
    }

    fn give_back(&self, shared: &Arc<SharedBudget>, key: &SharedKey, cost: u32) {
        let (budget, key) = (budget(shared), name(key));
        if self.leases.give_back(&key, cost, self.now()) {
            return;
        }
        let redis = self.redis.clone();
        // whoever drops a request may do so where nothing runs any more
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { budget.give_back(&redis, &key, cost).await });
        }
    }
}

fn answer(passes: bool, told: Told, wait: Duration) -> SharedAnswer {
    SharedAnswer {
        passes,
        remaining: told.remaining,
        reset: told.reset,
        wait,
    }
}

fn budget(shared: &SharedBudget) -> Budget {
    Budget {
        counting: match shared.algorithm {
            Algorithm::SlidingWindow => Counting::Sliding,
            Algorithm::FixedWindow => Counting::Fixed,
            Algorithm::TokenBucket => Counting::Bucket {
                burst: shared.burst,
            },
        },
        limit: shared.limit,
        window: shared.window,
    }
}

fn name(key: &SharedKey) -> Vec<u8> {
    [PREFIX, key].concat()
}
