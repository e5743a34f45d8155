//! Which budget a request takes from, and whether anything is left of it.
//!
//! - **Does**: counts a request against every policy that is for it, in the order of the settings; tells clients
//!   of the budget that is nearest to its end.
//! - **Refuses**: 429 for a budget that is used up or a key that is banned, 403 for one that is denied. The first
//!   policy that refuses ends it: what was counted by those before it stays counted.
//! - **Deployment caveat**: budgets are the clients' own only if clients are known: behind a balancer that is not
//!   in `trusted_proxies` everybody is the balancer. Headers and cookies are what clients like to send: a budget
//!   by them alone holds for honest clients only.
//!
//! One table serves all threads of all gateways of a machine, so a decision takes no waiting; a turn in a queue
//! does, and so does a budget that several machines share: whoever keeps it is asked beside the table.

mod fields;
mod guesses;
mod key;
mod meter;
mod operate;
mod options;
mod owed;
mod policy;
mod shared;
mod table;
mod traps;

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName};

use self::fields::Told;
pub(crate) use self::guesses::Guesses;
use self::key::Partitions;
use self::meter::{Outcome, Verdict, seconds};
use self::owed::Hit;
pub(crate) use self::owed::Owed;
use self::policy::{Policy, Taken};
use self::shared::settle;
pub(crate) use self::traps::TrapBans;
use crate::{Enforcement, Exchange, Readings, Refusal, Response, RouteOptions, Standing, Step};

pub use meter::Algorithm;
pub use operate::{RatePolicies, RateState};
pub use options::{BanOptions, KeyPart, Listed, QuotaHeaders, RatePolicy, Skip};
pub use shared::{
    SharedAnswer, SharedBudget, SharedBudgets, SharedKey, SharedTurn, Sharing, WithoutStore,
};
pub use table::{NotATable, RateTable, SharedWords};

/// What is still to be done before a request goes on.
pub(crate) enum Turn {
    /// Nothing.
    Come,
    /// It waits for its place in the queue.
    Wait(Duration),
    /// Others count too, who must be asked.
    Ask(Arc<Policies>),
}

#[derive(Debug)]
pub(crate) struct LimitRate(
    /// None: there are no policies, and nothing to do.
    Option<Arc<Policies>>,
);

#[derive(Debug)]
pub(crate) struct Policies {
    table: RateTable,
    each: Vec<Policy>,
    /// Who counts together with other machines.
    budgets: Option<Arc<dyn SharedBudgets>>,
    partitions: Partitions,
}

/// The budget of a request that is nearest to its end.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    policies: Arc<Policies>,
    policy: usize,
    told: Told,
}

impl Quota {
    /// The names of the fields that tell of it, whatever the words.
    pub(crate) const FIELDS: [HeaderName; 8] = fields::NAMES;

    /// Tells the client of it, among an answer's other fields.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let policy = &self.policies.each[self.policy];
        policy.fields.write(&self.told, headers);
    }

    /// The same where no such field is among them: `name: value` and CRLF each.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let policy = &self.policies.each[self.policy];
        policy.fields.write_out(&self.told, out);
    }
}

impl LimitRate {
    /// These policies, counted in the table that the service has.
    pub(crate) fn new(
        policies: &[RatePolicy],
        routes: &[RouteOptions],
        standing: &Standing,
    ) -> Self {
        if policies.is_empty() {
            return Self(None);
        }
        let table = standing.rates();
        let routes: Arc<[String]> = routes.iter().map(|route| route.name.clone()).collect();
        let of = |policy| Policy::new(policy, &routes, table);
        Self(Some(Arc::new(Policies {
            table: table.clone(),
            each: policies.iter().map(of).collect(),
            budgets: standing.budgets().cloned(),
            partitions: Partitions::default(),
        })))
    }

    /// Counts the request against the policies of this step, where this machine is the only one that counts.
    pub(crate) fn take(
        &self,
        step: Step,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<Turn, Refusal> {
        exchange.pass(step);
        let Some(policies) = &self.0 else {
            return Ok(Turn::Come);
        };
        let mut of_step = policies.each.iter().filter(|policy| policy.step == step);
        // whoever watches the app is not to be turned away
        if exchange.is_probe || of_step.clone().next().is_none() {
            return Ok(Turn::Come);
        }
        if policies.budgets.is_some() && of_step.any(|policy| policy.shared.is_some()) {
            return Ok(Turn::Ask(Arc::clone(policies)));
        }
        let wait = policies.take(step, exchange, headers)?;
        Ok(match wait {
            0 => Turn::Come,
            wait => Turn::Wait(Duration::from_micros(wait)),
        })
    }
}

impl Policies {
    fn take(
        self: &Arc<Self>,
        step: Step,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<u64, Refusal> {
        let path = exchange.uri.path_and_query().cloned();
        let readings = Readings::of(path.as_ref().map_or("", PathAndQuery::path));
        let now = self.table.now();
        let mut wait = 0;
        for (index, policy) in self.each.iter().enumerate() {
            if policy.step != step {
                continue;
            }
            let taken = policy.take(&self.table, exchange, headers, &readings, now);
            wait = wait.max(self.weigh(exchange, headers, index, taken, None, now)?);
        }
        Ok(wait)
    }

    /// As [`Policies::take`], with those who count on other machines.
    pub(crate) async fn take_together(
        self: &Arc<Self>,
        step: Step,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let uri = exchange.uri.clone();
        let readings = Readings::of(uri.path());
        let now = self.table.now();
        let mut wait = 0;
        for (index, policy) in self.each.iter().enumerate() {
            if policy.step != step {
                continue;
            }
            let mut taken = policy.take(&self.table, exchange, headers, &readings, now);
            let mut shared = None;
            if let (Taken::Counted { outcome, .. }, Some(budget), Some(budgets)) =
                (&mut taken, &policy.shared, &self.budgets)
            {
                let key = policy.shared_key(exchange, headers);
                let answer = match budgets.take(budget, &key, policy.cost) {
                    SharedTurn::Now(answer) => answer,
                    SharedTurn::Later(answer) => answer.await,
                };
                *outcome = settle(*outcome, answer, policy.without_store)
                    .inspect_err(|_| self.table.note_refusal(policy.number))?;
                shared = answer.is_some().then_some(key);
            }
            wait = wait.max(self.weigh(exchange, headers, index, taken, shared, now)?);
        }
        if wait > 0 {
            queue(Duration::from_micros(wait)).await;
        }
        Ok(())
    }

    /// Gives back to the store what an answer made free.
    fn give_back_shared(&self, policy: &Policy, key: Option<&SharedKey>) {
        if let (Some(key), Some(budget), Some(budgets)) = (key, &policy.shared, &self.budgets) {
            budgets.give_back(budget, key, policy.cost);
        }
    }

    /// What a request came to at one policy: microseconds to wait, or a refusal that holds.
    fn weigh(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        headers: &HeaderMap,
        index: usize,
        taken: Taken,
        shared: Option<SharedKey>,
        now: u64,
    ) -> Result<u64, Refusal> {
        if let Taken::Counted { key, outcome } = &taken {
            self.follow(exchange, headers, index, *key, outcome);
        }
        let policy = &self.each[index];
        self.judge(exchange, index, taken, shared, now)
            .or_else(|refusal| {
                self.table.note_refusal(policy.number);
                policy.enforcement.apply(exchange, policy.step, refusal)?;
                Ok(0)
            })
    }

    /// What came of asking a policy: microseconds to wait, or a refusal.
    fn judge(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        policy: usize,
        taken: Taken,
        shared: Option<SharedKey>,
        now: u64,
    ) -> Result<u64, Refusal> {
        match taken {
            Taken::Nothing => Ok(0),
            Taken::Denied => Err(Refusal::RateDenied),
            Taken::Banned(retry_after) => Err(Refusal::RateBanned { retry_after }),
            Taken::Counted { key, outcome } => {
                let wait = match outcome.verdict {
                    Verdict::Refuse(micros) => {
                        let retry_after = seconds(micros);
                        return Err(Refusal::RateLimited { retry_after });
                    }
                    Verdict::Wait(micros) => micros,
                    Verdict::Pass => 0,
                };
                let asked = &self.each[policy];
                if asked.skip.successful || asked.skip.failed {
                    let hit = Hit {
                        policy,
                        key,
                        then: now,
                        shared,
                    };
                    Owed::add(&mut exchange.owed, self, hit);
                }
                match asked.enforcement {
                    Enforcement::Enforce => Ok(wait),
                    Enforcement::DryRun => Ok(0),
                }
            }
        }
    }

    /// Remembers the budget that is nearest to its end; of two, the later.
    fn follow(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        headers: &HeaderMap,
        index: usize,
        key: u64,
        outcome: &Outcome,
    ) {
        let policy = &self.each[index];
        let is_nearest = exchange
            .quota
            .as_ref()
            .is_none_or(|quota| outcome.remaining <= quota.told.remaining);
        if policy.fields.are_none() || !is_nearest {
            return;
        }
        let partition = if policy.fields.need_partition() {
            self.partitions
                .of(key, || policy.key.text(exchange, headers))
        } else {
            [0; 16]
        };
        exchange.quota = Some(Quota {
            policies: Arc::clone(self),
            policy: index,
            told: Told {
                remaining: outcome.remaining,
                reset: outcome.reset,
                partition,
            },
        });
    }
}

/// A place in the queue.
#[expect(
    clippy::disallowed_methods,
    reason = "few requests wait, and only where the user asks for it"
)]
pub(crate) async fn queue(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What is known once the answer is: gives back what it makes free. The client is told of its budget with the last
/// fields, but here where somebody asked who sets which.
pub(crate) fn conclude(exchange: &mut Exchange, response: &mut Response) {
    if let Some(owed) = exchange.owed.take() {
        owed.settle(response.status());
    }
    if exchange.account.is_some()
        && let Some(quota) = exchange.quota.take()
    {
        quota.tell(response.headers_mut());
        exchange.note(Step::LimitRate, response.headers());
    }
}

#[cfg(test)]
mod tests;
