//! An attempt, in order: pick, connect, send, judge, and once more if that is safe.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_codec::Limits;
use mainstay_pipeline::{
    Exchange, Origin, Place, Refusal, Request, Response, Standing, TargetKind,
};

use super::attempt::{self, Answered, Failure, Reach};
use super::budget::Budget;
use super::endpoint::Endpoint;
use super::group::{Group, Member};
use super::outgoing::Outgoing;
use crate::options::UpstreamOptions;
use crate::thread::Workshop;

/// Between two attempts at a worker that is being replaced.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// See [`SHORTEST_PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// So long after a worker's connections broke off its death should have been told.
const NEWS_OF_DEATH: Duration = Duration::from_millis(500);

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// All targets of one thread. Cheap to clone; clones share members and connections.
#[derive(Clone, Debug)]
pub struct Upstreams {
    tools: Rc<Tools>,
    /// By target of `standing`.
    groups: Rc<Vec<Rc<Group>>>,
    /// Groups of targets that `standing` does not know any more, or not yet.
    others: Rc<RefCell<HashMap<String, Rc<Group>>>>,
    standing: Arc<Standing>,
    budget: Rc<Budget>,
}

/// What every attempt needs.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) workshop: Workshop,
    pub(super) options: UpstreamOptions,
    pub(super) limits: Limits,
}

impl Tools {
    /// From the request's last byte to the answer's head.
    pub(super) fn head_timeout(&self, exchange: &Exchange) -> Duration {
        exchange
            .timeouts
            .response
            .unwrap_or(self.options.head_timeout)
    }

    /// Between two pieces of the answer's body.
    pub(super) fn body_timeout(&self, exchange: &Exchange) -> Duration {
        exchange.timeouts.idle.unwrap_or(self.options.body_timeout)
    }
}

impl Upstreams {
    /// As many targets as `standing` has, without members. Must be called inside a `LocalRuntime`.
    pub fn new(workshop: &Workshop, options: UpstreamOptions, standing: Arc<Standing>) -> Self {
        let groups: Vec<Rc<Group>> = standing.targets().iter().map(|_| Rc::default()).collect();
        let upstreams = Self {
            tools: Rc::new(Tools {
                workshop: workshop.clone(),
                options,
                limits: attempt::limits(),
            }),
            groups: Rc::new(groups),
            others: Rc::default(),
            standing,
            budget: Rc::new(Budget::new()),
        };
        tokio::task::spawn_local(sweep(Rc::downgrade(&upstreams.groups)));
        upstreams
    }

    /// The same with other options and targets, those of `standing`. A target of the same name keeps its
    /// members and their connections.
    #[must_use]
    pub fn succeed(&self, options: UpstreamOptions, standing: Arc<Standing>) -> Self {
        let mut others = self.others.borrow_mut();
        others.retain(|_, group| !group.is_over());
        for (target, group) in self.standing.targets().iter().zip(&*self.groups) {
            others.insert(target.name.clone(), Rc::clone(group));
        }
        let next = standing.targets().iter();
        let groups: Vec<Rc<Group>> = next
            .map(|target| others.remove(&target.name).unwrap_or_default())
            .collect();
        drop(others);
        let upstreams = Self {
            tools: Rc::new(Tools {
                workshop: self.tools.workshop.clone(),
                options,
                limits: attempt::limits(),
            }),
            groups: Rc::new(groups),
            others: Rc::clone(&self.others),
            standing,
            budget: Rc::clone(&self.budget),
        };
        tokio::task::spawn_local(sweep(Rc::downgrade(&upstreams.groups)));
        upstreams
    }

    /// Replaces the members of a target; members that stay keep their connections. Those who leave get no new
    /// request; what still runs on any who left has to end after `leave_within`, or, without it, takes its
    /// time. Members of a target that is not known yet are remembered.
    pub fn set_members(
        &self,
        target: &str,
        endpoints: &[Arc<Endpoint>],
        leave_within: Option<Duration>,
    ) {
        let mut targets = self.standing.targets().iter();
        let group = match targets.position(|known| known.name == target) {
            Some(index) => self.group(index),
            None => Some(Rc::clone(
                self.others
                    .borrow_mut()
                    .entry(target.to_owned())
                    .or_default(),
            )),
        };
        let Some(group) = group else { return };
        group.set(endpoints, leave_within);
        if leave_within.is_some() {
            self.tools.workshop.deadlines.wake_all();
        }
    }

    fn group(&self, target: usize) -> Option<Rc<Group>> {
        self.groups.get(target).cloned()
    }

    /// Whether a failed attempt may be followed by another, by the resend rule: anything of which not a
    /// byte was written; what may be repeated if not a byte of an answer came. Bounded by a budget.
    fn may_resend(&self, failure: &Failure, outgoing: &Outgoing) -> bool {
        let is_safe = match failure.reach {
            Reach::Nothing => outgoing.may_replay(),
            Reach::Asked => outgoing.may_repeat(),
            Reach::Final => false,
        };
        is_safe && self.budget.spend()
    }
}

impl Origin for Upstreams {
    async fn respond(
        &self,
        exchange: &mut Exchange,
        request: Request,
    ) -> Result<Response, Refusal> {
        let group = self.group(exchange.target).ok_or(Refusal::NoWorker)?;
        let mut outgoing = Outgoing::new(request);
        let mut failed = None;
        let mut waiting = None;
        self.budget.earn();
        loop {
            let Some(member) = group.pick(failed) else {
                // the last worker has just gone
                self.standing.ready(exchange.target).await?;
                if group.pick(None).is_none() {
                    return Err(Refusal::NoWorker);
                }
                continue;
            };
            exchange.origin = Some(Arc::clone(&member.endpoint.name));
            let asked = Instant::now();
            match attempt::attempt(&self.tools, &member, &mut outgoing, exchange, asked).await {
                Ok(Answered {
                    response,
                    rest,
                    came,
                }) => {
                    exchange.origin_duration = Some(came.saturating_duration_since(asked));
                    if let Some(rest) = rest {
                        attempt::go_on(&self.tools, outgoing, rest);
                    }
                    return Ok(response);
                }
                Err(failure)
                    if exchange.resends < MOST_RESENDS && self.may_resend(&failure, &outgoing) =>
                {
                    exchange.resends += 1;
                    self.tools.workshop.counters.resends.increment();
                    failed = Some(member.endpoint.id);
                }
                // both attempts met the same worker as it died: its death is one, and its successor may be asked
                Err(failure)
                    if failed == Some(member.endpoint.id)
                        && failure.reach == Reach::Asked
                        && outgoing.may_repeat()
                        && self.is_dying(exchange, &member).await =>
                {
                    failed = None;
                }
                Err(failure) if self.is_restarting(exchange, &failure) => {
                    self.pause(&mut waiting).await?;
                    failed = None;
                }
                Err(failure) => return Err(failure.refusal),
            }
        }
    }
}

impl Upstreams {
    /// Whether nobody listens because a worker of ours has just ended, and its successor is on its way.
    fn is_restarting(&self, exchange: &Exchange, failure: &Failure) -> bool {
        let target = self.standing.targets().get(exchange.target);
        failure.refusal == Refusal::OriginUnreachable
            && target.is_some_and(|target| target.kind == TargetKind::App)
    }

    /// Whether a worker of ours that broke off is about to be known as gone: the kernel closes a dying
    /// process's connections before anybody can be told of its death.
    async fn is_dying(&self, exchange: &Exchange, member: &Member) -> bool {
        let target = self.standing.targets().get(exchange.target);
        if target.is_none_or(|target| target.kind != TargetKind::App) {
            return false;
        }
        let begun = Instant::now();
        while !member.has_left() {
            if begun.elapsed() > NEWS_OF_DEATH {
                return false;
            }
            pause(SHORTEST_PAUSE).await;
        }
        true
    }

    /// Waits a moment before the next attempt, in the queue of those who wait for a worker and for no longer
    /// than they do.
    async fn pause<'a>(
        &'a self,
        waiting: &mut Option<(Place<'a>, Instant)>,
    ) -> Result<(), Refusal> {
        let since = if let Some((_, since)) = waiting {
            *since
        } else {
            let place = self.standing.queue().ok_or(Refusal::NoWorker)?;
            waiting.insert((place, Instant::now())).1
        };
        if since.elapsed() > self.standing.patience() {
            return Err(Refusal::NoWorker);
        }
        // soon at first, since a restart is quick; then seldom, since many may wait
        pause((since.elapsed() / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "only after a worker's death")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Attempts beyond the first.
const MOST_RESENDS: u8 = 1;

#[expect(
    clippy::disallowed_methods,
    reason = "one clock for all idle connections of the thread"
)]
async fn sweep(groups: std::rc::Weak<Vec<Rc<Group>>>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(groups) = groups.upgrade() else {
            return;
        };
        groups.iter().for_each(|group| group.sweep());
    }
}
