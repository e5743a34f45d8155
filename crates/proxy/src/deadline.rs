//! Deadlines of a thread's connections: coarse, and free as long as nothing expires.
//!
//! A deadline is a number in a table; setting it is a store, counted from the last tick: no clock is read.
//! One ticker per thread looks through the table. Precision is two ticks late, never early.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// How often the table is looked through.
pub(crate) const TICK: Duration = Duration::from_millis(100);

const NEVER: u64 = u64::MAX;

/// The table of one thread.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines(Rc<RefCell<Table>>);

#[derive(Debug)]
struct Table {
    /// When the last tick was.
    last_real: Instant,
    /// Milliseconds in which the thread ran, at the last tick.
    last_tick: u64,
    /// Deadlines in the same measure.
    at: Vec<u64>,
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// One entry of the table, given back on drop.
#[derive(Debug)]
pub(crate) struct Deadline {
    table: Rc<RefCell<Table>>,
    index: usize,
}

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Table {
            last_real: Instant::now(),
            at: Vec::new(),
            wakers: Vec::new(),
            free: Vec::new(),
            last_tick: 0,
        })))
    }

    /// An entry that is not set.
    pub(crate) fn entry(&self) -> Deadline {
        let mut table = self.0.borrow_mut();
        let index = table.free.pop().unwrap_or_else(|| {
            table.at.push(NEVER);
            table.wakers.push(None);
            table.at.len() - 1
        });
        table.at[index] = NEVER;
        Deadline {
            table: Rc::clone(&self.0),
            index,
        }
    }

    /// Wakes whoever is late. To be called once a [`TICK`].
    pub(crate) fn tick(&self) {
        let mut table = self.0.borrow_mut();
        let now = Instant::now();
        let since = now - table.last_real;
        table.last_real = now;
        // While the thread did not run, nobody could be served: that time does not count against anybody.
        let counted = since.min(2 * TICK);
        table.last_tick += u64::try_from(counted.as_millis()).unwrap_or(0);
        let Table {
            at,
            wakers,
            last_tick,
            ..
        } = &mut *table;
        let late: Vec<Waker> = at
            .iter()
            .zip(wakers.iter_mut())
            .filter(|(at, _)| **at <= *last_tick)
            .filter_map(|(_, waker)| waker.take())
            .collect();
        drop(table);
        late.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody, so that all look around them: the thread has begun to drain.
    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> = self
            .0
            .borrow_mut()
            .wakers
            .iter_mut()
            .filter_map(Option::take)
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Deadline {
    /// Expires after this long.
    pub(crate) fn set(&self, after: Duration) {
        let mut table = self.table.borrow_mut();
        // the last tick is up to a tick ago
        let from = table.last_tick + TICK.as_millis() as u64;
        table.at[self.index] =
            from.saturating_add(u64::try_from(after.as_millis()).unwrap_or(NEVER));
    }

    /// Expires after this long, unless it does so sooner.
    pub(crate) fn shorten(&self, after: Duration) {
        let sooner = self.table.borrow().at[self.index];
        self.set(after);
        let mut table = self.table.borrow_mut();
        table.at[self.index] = table.at[self.index].min(sooner);
    }

    /// Whether it will expire some time.
    pub(crate) fn is_set(&self) -> bool {
        self.table.borrow().at[self.index] != NEVER
    }

    /// Does not expire.
    pub(crate) fn clear(&self) {
        self.table.borrow_mut().at[self.index] = NEVER;
    }

    /// Whether it has expired; if not, wakes the task when it does.
    pub(crate) fn poll_expired(&self, context: &Context<'_>) -> bool {
        let mut table = self.table.borrow_mut();
        let at = table.at[self.index];
        if at <= table.last_tick {
            return true;
        }
        let waker = &mut table.wakers[self.index];
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
        false
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut table = self.table.borrow_mut();
        table.at[self.index] = NEVER;
        table.wakers[self.index] = None;
        let index = self.index;
        table.free.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    async fn expire(deadline: &Deadline) {
        poll_fn(|context| {
            if deadline.poll_expired(context) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn ticking(deadlines: &Deadlines) -> impl Future<Output = ()> + use<> {
        let deadlines = deadlines.clone();
        async move {
            let mut interval = tokio::time::interval(TICK);
            loop {
                interval.tick().await;
                deadlines.tick();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn late_by_a_tick_at_most_and_never_early() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.entry();
        deadline.set(Duration::from_millis(950));
        let begun = Instant::now();
        tokio::select! {
            () = ticking(&deadlines) => {}
            () = expire(&deadline) => {}
        }
        let waited = begun.elapsed();
        assert!(
            waited >= Duration::from_millis(950) && waited <= Duration::from_millis(950) + 3 * TICK,
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_thread_did_not_run_does_not_count() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.entry();
        let is_late = || deadline.poll_expired(&Context::from_waker(Waker::noop()));
        deadline.set(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(5)).await;
        deadlines.tick();
        assert!(!is_late(), "the stall is nobody's fault");
        for _ in 0..10 {
            tokio::time::advance(TICK).await;
            deadlines.tick();
        }
        assert!(is_late());
    }

    #[test]
    fn entries_are_used_again() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let _inside = runtime.enter();
        let deadlines = Deadlines::new();
        let first = deadlines.entry();
        first.set(Duration::ZERO);
        drop(first);
        let second = deadlines.entry();
        assert_eq!(second.index, 0);
        assert!(!second.poll_expired(&Context::from_waker(Waker::noop())));
    }
}
