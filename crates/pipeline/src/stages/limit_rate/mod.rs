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
//! does. A store that several machines share answers in a [`Turn`] too.

mod fields;
mod key;
mod meter;
mod operate;
mod options;
mod owed;
mod policy;
mod table;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use self::fields::Told;
use self::meter::{Outcome, Verdict, seconds};
pub(crate) use self::owed::Owed;
use self::policy::{Policy, Taken};
use crate::{Enforcement, Exchange, Readings, Refusal, Response, RouteOptions, Standing, Step};

pub use meter::Algorithm;
pub use operate::{RatePolicies, RateState};
pub use options::{BanOptions, KeyPart, Listed, QuotaHeaders, RatePolicy, Skip};
pub use table::{NotATable, RateTable, SharedWords};

/// What is to be waited for before a request goes on.
pub(crate) type Turn = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

#[derive(Debug)]
pub(crate) struct LimitRate(
    /// None: there are no policies, and nothing to do.
    Option<Arc<Policies>>,
);

#[derive(Debug)]
struct Policies {
    table: RateTable,
    each: Vec<Policy>,
}

/// The budget of a request that is nearest to its end.
#[derive(Debug)]
pub(crate) struct Quota {
    policies: Arc<Policies>,
    policy: usize,
    told: Told,
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
        })))
    }

    /// Counts the request against the policies of this step. What it gives back is to be waited for.
    pub(crate) fn take(
        &self,
        step: Step,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<Option<Turn>, Refusal> {
        exchange.pass(step);
        match &self.0 {
            // whoever watches the app is not to be turned away
            Some(policies) if !exchange.is_probe => policies.take(step, exchange, headers),
            _ => Ok(None),
        }
    }
}

impl Policies {
    fn take(
        self: &Arc<Self>,
        step: Step,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<Option<Turn>, Refusal> {
        if self.each.iter().all(|policy| policy.step != step) {
            return Ok(None);
        }
        let uri = exchange.uri.clone();
        let readings = Readings::of(uri.path());
        let now = self.table.now();
        let mut wait = 0;
        for (index, policy) in self.each.iter().enumerate() {
            if policy.step != step {
                continue;
            }
            let taken = policy.take(&self.table, exchange, headers, &readings, now);
            if let Taken::Counted { outcome, .. } = &taken {
                self.follow(exchange, headers, index, outcome);
            }
            match self.judge(exchange, index, taken, now) {
                Ok(turn) => wait = wait.max(turn),
                Err(refusal) => {
                    self.table.note_refusal(policy.number);
                    policy.enforcement.apply(exchange, step, refusal)?;
                }
            }
        }
        Ok((wait > 0).then(|| turn(wait)))
    }

    /// What came of asking a policy: microseconds to wait, or a refusal.
    fn judge(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        policy: usize,
        taken: Taken,
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
                    Owed::add(&mut exchange.owed, self, policy, key, now);
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
            key::partition(&policy.key.text(exchange, headers))
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

/// A place in the queue, so many microseconds from now.
fn turn(micros: u64) -> Turn {
    #[expect(
        clippy::disallowed_methods,
        reason = "few requests wait, and only where the user asks for it"
    )]
    let sleep = tokio::time::sleep(Duration::from_micros(micros));
    Box::pin(async move {
        sleep.await;
        Ok(())
    })
}

/// What is known once the answer is: gives back what it makes free, and tells the client of its budget.
pub(crate) fn conclude(exchange: &mut Exchange, response: &mut Response) {
    if let Some(owed) = exchange.owed.take() {
        owed.settle(response.status());
    }
    if let Some(quota) = exchange.quota.take() {
        let policy = &quota.policies.each[quota.policy];
        policy.fields.write(&quota.told, response.headers_mut());
        exchange.note(Step::LimitRate, response.headers());
    }
}

#[cfg(test)]
mod tests;
