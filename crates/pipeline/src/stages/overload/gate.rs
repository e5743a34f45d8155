//! A bound on how many requests are under way, shared by all threads of a gateway. Where nothing is exceeded, a request costs it
//! one atomic addition and one subtraction.

use std::collections::HashMap;
use std::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::queue::{Joined, Queue};
use super::{Adaptation, Adaptive, OverloadOptions, Priority};
use crate::Target;

/// No bound of its own.
const NONE: u32 = u32::MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Requests under way.
    in_flight: AtomicUsize,
    /// Requests that wait for a place.
    waiting: AtomicUsize,
    queue: Mutex<Queue<oneshot::Sender<Permit>>>,
    /// What is written: in all, or for each that is ready of `target`.
    bound: AtomicU32,
    target: Option<Arc<Target>>,
    /// What was found by itself.
    found: AtomicU32,
    adaptive: Mutex<Option<Adaptive>>,
    /// The longest wait for a place that has ended since it was asked for last, in microseconds.
    waited: AtomicU64,
}

/// A place among those under way; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gate>);

impl Gate {
    fn new(target: Option<Arc<Target>>) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            bound: AtomicU32::new(NONE),
            target,
            found: AtomicU32::new(NONE),
            adaptive: Mutex::default(),
            waited: AtomicU64::new(0),
        }
    }

    /// What holds from now on. None: no bound.
    pub(crate) fn set(self: &Arc<Self>, bound: Option<u32>, adaptation: Adaptation) {
        self.bound.store(bound.unwrap_or(NONE), Relaxed);
        let mut adaptive = lock(&self.adaptive);
        match adaptation {
            Adaptation::Off => {
                *adaptive = None;
                self.found.store(NONE, Relaxed);
            }
            Adaptation::Auto => {
                let adaptive = adaptive.get_or_insert_with(|| Adaptive::new(Instant::now()));
                self.found.store(narrow(adaptive.bound()), Relaxed);
            }
        }
        drop(adaptive);
        self.wake();
    }

    /// How many may be under way now; at least one, or nothing would ever end a wait.
    fn most(&self) -> usize {
        let written = match (self.bound.load(Relaxed), &self.target) {
            (NONE, _) => usize::MAX,
            (bound, None) => bound as usize,
            (bound, Some(target)) => (bound as usize).saturating_mul(target.ready()),
        };
        let found = match self.found.load(Relaxed) {
            NONE => usize::MAX,
            found => found as usize,
        };
        written.min(found).max(1)
    }

    /// A place, if there is one and nobody waits for it.
    fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        if self.waiting.load(SeqCst) > 0 {
            return None;
        }
        self.take()
    }

    fn take(self: &Arc<Self>) -> Option<Permit> {
        let most = self.most();
        let take = |under_way: usize| (under_way < most).then_some(under_way + 1);
        let taken = self.in_flight.fetch_update(SeqCst, SeqCst, take);
        taken.is_ok().then(|| Permit(Arc::clone(self)))
    }

    /// A place, at once or after a wait. None: too many wait, or the wait was in vain.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        priority: Priority,
        options: &OverloadOptions,
    ) -> Option<Permit> {
        match self.try_enter() {
            Some(permit) => Some(permit),
            None => Box::pin(self.wait(priority, options)).await,
        }
    }

    /// Counts one that is let in whatever the bound says. Whether it is within.
    pub(crate) fn count(self: &Arc<Self>) -> (Permit, bool) {
        let before = self.in_flight.fetch_add(1, SeqCst);
        (Permit(Arc::clone(self)), before < self.most())
    }

    async fn wait(
        self: &Arc<Self>,
        priority: Priority,
        options: &OverloadOptions,
    ) -> Option<Permit> {
        let since = Instant::now();
        let (told, mut granted) = oneshot::channel();
        let id = match self.join(priority, options, told) {
            Ok(permit) => return Some(permit),
            Err(id) => id?,
        };
        let place = Waiting {
            gate: self,
            priority,
            id,
        };
        let outcome = tokio::time::timeout(options.wait, &mut granted).await;
        drop(place);
        let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_max(waited, Relaxed);
        match outcome {
            Ok(granted) => granted.ok(),
            // granted while the clock struck
            Err(_) => granted.try_recv().ok(),
        }
    }

    /// The place that has just become free, or the number under which it waits; none if it may not.
    fn join(
        self: &Arc<Self>,
        priority: Priority,
        options: &OverloadOptions,
        told: oneshot::Sender<Permit>,
    ) -> Result<Permit, Option<u64>> {
        let mut queue = lock(&self.queue);
        // announced first: whoever gives a place back from now on looks into the queue
        self.waiting.fetch_add(1, SeqCst);
        if queue.len() == 0
            && let Some(permit) = self.take()
        {
            self.waiting.fetch_sub(1, SeqCst);
            return Ok(permit);
        }
        let most = options.queue as usize;
        match queue.join(priority, most, Instant::now(), told) {
            Joined::Waits(id) => Err(Some(id)),
            Joined::InPlaceOf(id, gone) => {
                self.waiting.fetch_sub(1, SeqCst);
                drop(gone);
                Err(Some(id))
            }
            Joined::Full => {
                self.waiting.fetch_sub(1, SeqCst);
                Err(None)
            }
        }
    }

    /// Lets in who waits, as far as there are places.
    fn wake(self: &Arc<Self>) {
        if self.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut spare = None;
        let mut queue = lock(&self.queue);
        while queue.len() > 0
            && let Some(permit) = spare.take().or_else(|| self.take())
        {
            let Some(told) = queue.next(Instant::now()) else {
                spare = Some(permit);
                break;
            };
            self.waiting.fetch_sub(1, SeqCst);
            // of one that went away in this moment the next has the place
            spare = told.send(permit).err();
        }
        // given back when nobody holds the queue any more: that looks into it again
        drop(queue);
        drop(spare);
    }

    fn leave(&self, priority: Priority, id: u64) {
        let mut queue = lock(&self.queue);
        if queue.leave(priority, id) {
            self.waiting.fetch_sub(1, SeqCst);
        }
    }

    /// The longest that anybody waited for a place since this was asked last, or waits now.
    fn take_wait(&self) -> Duration {
        let ended = Duration::from_micros(self.waited.swap(0, Relaxed));
        if self.waiting.load(SeqCst) == 0 {
            return ended;
        }
        ended.max(lock(&self.queue).oldest(Instant::now()))
    }

    /// Requests under way now.
    #[cfg(test)]
    fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }
}

/// Takes itself out of the queue, however the waiting ends.
struct Waiting<'a> {
    gate: &'a Gate,
    priority: Priority,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.leave(self.priority, self.id);
    }
}

impl Permit {
    /// The origin took so long to its answer's head.
    pub(crate) fn answered(&self, took: Duration) {
        let gate = &self.0;
        if gate.found.load(Relaxed) == NONE {
            return;
        }
        // one sample less is better than a request that waits for a lock
        let Ok(mut adaptive) = gate.adaptive.try_lock() else {
            return;
        };
        if let Some(adaptive) = adaptive.as_mut() {
            let in_flight = gate.in_flight.load(Relaxed);
            adaptive.answered(took, in_flight, Instant::now());
            gate.found.store(narrow(adaptive.bound()), Relaxed);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, SeqCst);
        self.0.wake();
    }
}

fn narrow(bound: usize) -> u32 {
    u32::try_from(bound).unwrap_or(NONE - 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // nothing in here can panic half-way, so a poisoned state is still a right state
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gates of a gateway, by name: those of the same name are the same on every thread, and stay when settings change.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<String, Weak<Gate>>>);

impl Gates {
    /// The gate of that name; `target` is whose ready ones its bound is multiplied by.
    pub(crate) fn of(&self, name: &str, target: Option<&Arc<Target>>) -> Arc<Gate> {
        let mut gates = lock(&self.0);
        gates.retain(|_, gate| gate.strong_count() > 0);
        if let Some(known) = gates.get(name).and_then(Weak::upgrade) {
            return known;
        }
        let gate = Arc::new(Gate::new(target.cloned()));
        gates.insert(name.to_owned(), Arc::downgrade(&gate));
        gate
    }

    /// By target, how long its requests waited for a place at most since this was asked last, where any did.
    pub(crate) fn take_waits(&self) -> Vec<(String, Duration)> {
        let gates = lock(&self.0);
        let open = gates.values().filter_map(Weak::upgrade);
        let waits = open.filter_map(|gate| {
            let waited = gate.take_wait();
            let target = gate.target.as_ref()?;
            (!waited.is_zero()).then(|| (target.name.clone(), waited))
        });
        waits.collect()
    }
}

/// The places that an exchange holds.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    pub(super) of_route: Option<Permit>,
    pub(super) of_target: Option<Permit>,
}

#[cfg(test)]
mod tests;
