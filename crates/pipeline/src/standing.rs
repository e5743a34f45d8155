//! How the service stands: starting, ready, draining; which targets have somebody to answer.
//!
//! Shared by all threads of a gateway. Starts and stops nothing; it is told.

use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::stages::overload::{Connections, Gates};
use crate::{CacheMemory, RateTable, Refusal, SharedAnswers, SharedBudgets, Suspension};

/// The life of a gateway as clients may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not every target had somebody to answer yet.
    Starting,
    /// Serving.
    Ready,
    /// On the way out: what comes is still answered, on connections that close.
    Draining,
}

/// What kind of origin a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// Workers that are started by us.
    App,
    /// Servers that are there already.
    Upstream,
}

/// Whom routes lead to: an app or an upstream.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TargetKind,
    wanted: AtomicUsize,
    ready: AtomicUsize,
    /// For those who wait: told after `ready`.
    changes: watch::Sender<usize>,
}

impl Target {
    /// A target of which nobody is ready yet.
    pub fn new(name: impl Into<String>, kind: TargetKind, wanted: usize) -> Self {
        Self {
            name: name.into(),
            kind,
            wanted: AtomicUsize::new(wanted),
            ready: AtomicUsize::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// How many workers or servers it should have.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Relaxed)
    }

    /// Nobody answers yet, and somebody should. Of an app that an operator stopped nobody is expected.
    fn is_awaited(&self) -> bool {
        self.ready() == 0 && self.wanted() > 0
    }

    /// Tells how many are ready now.
    pub fn set_ready(&self, count: usize) {
        self.ready.store(count, Release);
        self.changes.send_replace(count);
    }

    /// How many are ready.
    pub fn ready(&self) -> usize {
        self.ready.load(Acquire)
    }
}

/// Bounds on waiting for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitOptions {
    /// Requests that may wait at once, in all. One more is refused with 503.
    pub queue: usize,
    /// How long one may wait before it is refused with 503.
    pub patience: Duration,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            queue: 1_000,
            patience: Duration::from_secs(10),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Standing {
    life: Arc<Life>,
    targets: Vec<Arc<Target>>,
    wait: WaitOptions,
    budgets: Option<Arc<dyn SharedBudgets>>,
    answers: Option<Arc<dyn SharedAnswers>>,
}

/// What stays the same when settings change.
#[derive(Debug)]
struct Life {
    draining: AtomicBool,
    was_ready: AtomicBool,
    waiting: AtomicUsize,
    /// Whether `suspension` says so: looked at for every request.
    suspended: AtomicBool,
    suspension: watch::Sender<Suspension>,
    gates: Gates,
    connections: Arc<Connections>,
    began: Instant,
    rates: OnceLock<RateTable>,
    cache: OnceLock<Arc<CacheMemory>>,
}

impl Standing {
    /// Nobody is ready yet.
    pub fn new(targets: Vec<Target>, wait: WaitOptions) -> Self {
        let life = Life {
            draining: AtomicBool::new(false),
            was_ready: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            suspended: AtomicBool::new(false),
            suspension: watch::Sender::default(),
            gates: Gates::default(),
            connections: Arc::default(),
            began: Instant::now(),
            rates: OnceLock::new(),
            cache: OnceLock::new(),
        };
        Self {
            life: Arc::new(life),
            targets: targets.into_iter().map(Arc::new).collect(),
            wait,
            budgets: None,
            answers: None,
        }
    }

    /// The same service with other targets and bounds. A target of the same name and kind stays: whoever is
    /// ready for it is ready, whoever waits for it waits on.
    #[must_use]
    pub fn succeed(&self, targets: Vec<Target>, wait: WaitOptions) -> Self {
        let stays = |next: &Target| {
            self.targets
                .iter()
                .find(|target| target.name == next.name && target.kind == next.kind)
        };
        let targets = targets.into_iter().map(|next| match stays(&next) {
            Some(target) => {
                target.wanted.store(next.wanted(), Relaxed);
                Arc::clone(target)
            }
            None => Arc::new(next),
        });
        Self {
            life: Arc::clone(&self.life),
            targets: targets.collect(),
            wait,
            budgets: self.budgets.clone(),
            answers: self.answers.clone(),
        }
    }

    /// Counts rates together with other machines, where policies want it. None: nobody else counts.
    #[must_use]
    pub fn with_budgets(self, budgets: Option<Arc<dyn SharedBudgets>>) -> Self {
        Self { budgets, ..self }
    }

    /// Keeps answers together with other machines, where routes want it. None: nobody else keeps them.
    #[must_use]
    pub fn with_answers(self, answers: Option<Arc<dyn SharedAnswers>>) -> Self {
        Self { answers, ..self }
    }

    /// Who keeps answers together with other machines.
    pub fn answers(&self) -> Option<&Arc<dyn SharedAnswers>> {
        self.answers.as_ref()
    }

    /// Who counts together with other machines.
    pub(crate) fn budgets(&self) -> Option<&Arc<dyn SharedBudgets>> {
        self.budgets.as_ref()
    }

    /// Counts rates in this table from the beginning, with all others who do: before anything asks for it.
    #[must_use]
    pub fn with_rates(self, table: RateTable) -> Self {
        let _ = self.life.rates.set(table);
        self
    }

    /// Where rates are counted: without a table that was given, in one of this process alone.
    pub fn rates(&self) -> &RateTable {
        self.life.rates.get_or_init(RateTable::private)
    }

    /// Keeps answers in this memory from the beginning: before anything asks for it.
    #[must_use]
    pub fn with_cache(self, memory: Arc<CacheMemory>) -> Self {
        let _ = self.life.cache.set(memory);
        self
    }

    /// Where answers are kept: without a memory that was given, in one of its own.
    pub fn cache(&self) -> &Arc<CacheMemory> {
        let cache = &self.life.cache;
        cache.get_or_init(|| Arc::new(CacheMemory::new(CacheMemory::USUAL_CAPACITY)))
    }

    /// The same, if anything was asked of it.
    pub fn used_cache(&self) -> Option<&Arc<CacheMemory>> {
        self.life.cache.get()
    }

    /// The targets, by index.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// Tells how many of a target are ready now. An index out of range is ignored.
    pub fn set_ready(&self, target: usize, count: usize) {
        if let Some(target) = self.targets.get(target) {
            target.set_ready(count);
        }
    }

    /// From now on on the way out.
    pub fn drain(&self) {
        self.life.draining.store(true, Release);
    }

    /// From now on this holds for whoever is not let in yet, on all threads.
    pub fn suspend(&self, suspension: Suspension) {
        self.life
            .suspended
            .store(suspension != Suspension::None, Release);
        self.life.suspension.send_replace(suspension);
    }

    /// Whether an operator keeps new requests out. It changes nothing about the phase: balancers must go on asking.
    pub fn is_suspended(&self) -> bool {
        self.life.suspended.load(Acquire)
    }

    /// What keeps new requests out now.
    pub fn suspension(&self) -> Suspension {
        *self.life.suspension.borrow()
    }

    /// Waits until a pause is over, in the queue of those who wait. Gives what took its place.
    ///
    /// # Errors
    /// [`Refusal::Paused`] when too many wait already, or the pause outlasts the deadline.
    pub(crate) async fn resumed(&self, deadline: Duration) -> Result<Suspension, Refusal> {
        let _place = Place::take(self).ok_or(Refusal::Paused)?;
        let mut changes = self.life.suspension.subscribe();
        let is_over = |now: &Suspension| !matches!(now, Suspension::Pause { .. });
        match tokio::time::timeout(deadline, changes.wait_for(is_over)).await {
            Ok(Ok(now)) => Ok(*now),
            _ => Err(Refusal::Paused),
        }
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        if self.life.draining.load(Acquire) {
            Phase::Draining
        } else if self.targets.iter().all(|target| !target.is_awaited()) {
            self.life.was_ready.store(true, Relaxed);
            Phase::Ready
        } else {
            Phase::Starting
        }
    }

    /// Whether every target has had somebody to answer at least once.
    pub fn has_started(&self) -> bool {
        self.phase() == Phase::Ready || self.life.was_ready.load(Relaxed)
    }

    /// Since this was made.
    pub fn uptime(&self) -> Duration {
        self.life.began.elapsed()
    }

    /// The bounds on what is under way, shared by all threads.
    pub(crate) fn gates(&self) -> &Gates {
        &self.life.gates
    }

    /// By target, how long requests waited for a place at its workers at most, since this was asked last; only where
    /// any did.
    pub fn take_waits(&self) -> Vec<(String, Duration)> {
        self.life.gates.take_waits()
    }

    /// The connections of clients, on all threads.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.life.connections
    }

    /// A place among those who wait, for one whose worker has just gone. None when too many wait already.
    pub fn queue(&self) -> Option<Place<'_>> {
        Place::take(self)
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.life.waiting.load(Relaxed)
    }

    /// How long anybody may wait.
    pub fn patience(&self) -> Duration {
        self.wait.patience
    }

    /// Waits until a target has somebody to answer.
    ///
    /// # Errors
    /// [`Refusal::NoWorker`] when nobody is to be expected, too many wait already, or patience ends.
    pub async fn ready(&self, target: usize) -> Result<(), Refusal> {
        let Some(target) = self.targets.get(target) else {
            return Err(Refusal::NoWorker);
        };
        if target.ready() > 0 {
            return Ok(());
        }
        if target.wanted() == 0 {
            return Err(Refusal::NoWorker);
        }
        let _place = Place::take(self).ok_or(Refusal::NoWorker)?;
        let mut changes = target.changes.subscribe();
        let wait = changes.wait_for(|count| *count > 0);
        match tokio::time::timeout(self.wait.patience, wait).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Refusal::NoWorker),
        }
    }
}

/// A place in the queue, given back however the waiting ends.
#[derive(Debug)]
pub struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(standing: &'a Standing) -> Option<Self> {
        let place = Place(&standing.life.waiting);
        // the place counts itself; dropping it on refusal takes the count back
        (standing.life.waiting.fetch_add(1, AcqRel) < standing.wait.queue).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(queue: usize) -> Arc<Standing> {
        let wait = WaitOptions {
            queue,
            ..WaitOptions::default()
        };
        Arc::new(Standing::new(
            vec![Target::new("api", TargetKind::App, 2)],
            wait,
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_until_a_worker_is_ready() {
        let standing = standing(10);
        let waiter = tokio::spawn({
            let standing = Arc::clone(&standing);
            async move { standing.ready(0).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        standing.set_ready(0, 1);
        assert_eq!(waiter.await.expect("no panic"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_an_app_that_was_stopped() {
        let targets = vec![
            Target::new("api", TargetKind::App, 1),
            Target::new("stopped", TargetKind::App, 0),
        ];
        let standing = Standing::new(targets, WaitOptions::default());
        let before = tokio::time::Instant::now();
        assert_eq!(standing.ready(1).await, Err(Refusal::NoWorker));
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(standing.phase(), Phase::Starting);
        standing.set_ready(0, 1);
        assert_eq!(standing.phase(), Phase::Ready, "the other one serves");
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let standing = standing(10);
        let before = tokio::time::Instant::now();
        assert_eq!(standing.ready(0).await, Err(Refusal::NoWorker));
        assert_eq!(before.elapsed().as_secs(), 10);
        assert_eq!(standing.life.waiting.load(Acquire), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded() {
        let standing = standing(1);
        let first = tokio::spawn({
            let standing = Arc::clone(&standing);
            async move { standing.ready(0).await }
        });
        tokio::task::yield_now().await;
        let before = tokio::time::Instant::now();
        assert_eq!(standing.ready(0).await, Err(Refusal::NoWorker));
        assert_eq!(before.elapsed(), Duration::ZERO);
        standing.set_ready(0, 1);
        assert_eq!(first.await.expect("no panic"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_stays_keeps_who_is_ready_and_who_waits() {
        let before = standing(10);
        let waiter = tokio::spawn({
            let before = Arc::clone(&before);
            async move { before.ready(0).await }
        });
        tokio::task::yield_now().await;
        let targets = vec![
            Target::new("new", TargetKind::App, 1),
            Target::new("api", TargetKind::App, 4),
        ];
        let after = before.succeed(targets, WaitOptions::default());
        after.set_ready(1, 3);
        assert_eq!(waiter.await.expect("no panic"), Ok(()));
        assert_eq!(
            (before.targets()[0].ready(), after.targets()[1].wanted()),
            (3, 4)
        );
        after.drain();
        assert_eq!(before.phase(), Phase::Draining);
    }

    #[test]
    fn phases_follow_the_workers() {
        let standing = standing(1);
        assert_eq!(standing.phase(), Phase::Starting);
        assert!(!standing.has_started());
        standing.set_ready(0, 1);
        assert_eq!(standing.phase(), Phase::Ready);
        standing.set_ready(0, 0);
        assert_eq!(standing.phase(), Phase::Starting);
        assert!(standing.has_started());
        standing.drain();
        assert_eq!(standing.phase(), Phase::Draining);
    }
}
