//! Those who wait for a place: who goes next, who gives way. Keeps no clock, and grants nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Priority;

/// When the first of a line has waited for this long, more comes than goes. Bursts that come with every page are over
/// sooner.
const STANDING: Duration = Duration::from_millis(100);

/// See the module. `T` is how one of them is told.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// By priority, each in the order in which they came.
    lines: [VecDeque<Waiter<T>>; Priority::ALL.len()],
    next_id: u64,
}

#[derive(Debug)]
struct Waiter<T> {
    id: u64,
    since: Instant,
    told: T,
}

/// One who wanted to wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined<T> {
    /// Waits, under this number.
    Waits(u64),
    /// Waits, and this one of lower priority gave way.
    InPlaceOf(u64, T),
    /// There is no room.
    Full,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            lines: std::array::from_fn(|_| VecDeque::new()),
            next_id: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    /// How long the first of a line has waited.
    pub(super) fn oldest(&self, now: Instant) -> Duration {
        let firsts = self.lines.iter().filter_map(VecDeque::front);
        let waits = firsts.map(|first| now.saturating_duration_since(first.since));
        waits.max().unwrap_or_default()
    }

    /// Of those who are in the way of a higher priority, the one who has waited longest gives way: it is the nearest
    /// to being refused.
    pub(super) fn join(
        &mut self,
        priority: Priority,
        most: usize,
        now: Instant,
        told: T,
    ) -> Joined<T> {
        let gone = if self.len() < most {
            None
        } else {
            let lower = &mut self.lines[..priority as usize];
            let Some(gone) = lower.iter_mut().find_map(VecDeque::pop_front) else {
                return Joined::Full;
            };
            Some(gone.told)
        };
        self.next_id += 1;
        let id = self.next_id;
        self.lines[priority as usize].push_back(Waiter {
            id,
            since: now,
            told,
        });
        match gone {
            Some(gone) => Joined::InPlaceOf(id, gone),
            None => Joined::Waits(id),
        }
    }

    /// Who goes next: the highest priority, and of it the first who came; but the last, once the first has waited for
    /// [`STANDING`]. Then more comes than goes: whoever has waited long will soon be refused anyway, and serving the
    /// newest keeps some answers fast where serving the oldest makes all of them slow.
    pub(super) fn next(&mut self, now: Instant) -> Option<T> {
        let line = self.lines.iter_mut().rev().find(|line| !line.is_empty())?;
        let first = line.front()?;
        let next = if now.saturating_duration_since(first.since) > STANDING {
            line.pop_back()
        } else {
            line.pop_front()
        };
        next.map(|waiter| waiter.told)
    }

    /// Whether it still waited.
    pub(super) fn leave(&mut self, priority: Priority, id: u64) -> bool {
        let line = &mut self.lines[priority as usize];
        let place = line.iter().position(|waiter| waiter.id == id);
        place.and_then(|place| line.remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Priority::{High, Low, Normal};
    use super::*;

    fn order(mut queue: Queue<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.next(now)).collect()
    }

    fn queue(of: &[(Priority, &'static str)], now: Instant) -> Queue<&'static str> {
        let mut queue = Queue::default();
        for (priority, name) in of {
            let _ = queue.join(*priority, 10, now, *name);
        }
        queue
    }

    #[test]
    fn the_higher_priority_goes_first_and_the_first_who_came() {
        let now = Instant::now();
        let of = [(Low, "l"), (Normal, "n1"), (High, "h"), (Normal, "n2")];
        assert_eq!(order(queue(&of, now), now), ["h", "n1", "n2", "l"]);
    }

    #[test]
    fn the_newest_goes_first_when_the_oldest_has_waited_for_long() {
        let now = Instant::now();
        let mut queue = queue(&[(Normal, "old"), (Normal, "older")], now);
        let later = now + STANDING * 2;
        let _ = queue.join(Normal, 10, later, "new");
        assert_eq!(queue.next(later), Some("new"));
        assert_eq!(queue.next(now), Some("old"));
    }

    #[test]
    fn a_lower_priority_gives_way_and_nobody_else() {
        let now = Instant::now();
        let mut queue = queue(&[(Normal, "n"), (Low, "l1"), (Low, "l2")], now);
        let mut join = |priority, name| queue.join(priority, 3, now, name);
        assert_eq!(join(Low, "l3"), Joined::Full);
        assert_eq!(join(Normal, "n2"), Joined::InPlaceOf(4, "l1"));
        assert_eq!(join(High, "h1"), Joined::InPlaceOf(5, "l2"));
        assert_eq!(join(High, "h2"), Joined::InPlaceOf(6, "n"));
        assert_eq!(join(Normal, "n3"), Joined::Full);
        assert_eq!(order(queue, now), ["h1", "h2", "n2"]);
    }

    #[test]
    fn the_longest_wait_is_that_of_the_first_who_came() {
        let now = Instant::now();
        let empty = Queue::<()>::default();
        assert_eq!(empty.oldest(now), Duration::ZERO);
        let mut queue = queue(&[(Low, "l")], now);
        let _ = queue.join(High, 10, now + STANDING, "h");
        assert_eq!(queue.oldest(now + STANDING * 2), STANDING * 2);
    }

    #[test]
    fn whoever_leaves_is_not_served() {
        let now = Instant::now();
        let mut queue = queue(&[(Normal, "a"), (Normal, "b")], now);
        assert!(queue.leave(Normal, 1));
        assert!(!queue.leave(Normal, 1));
        assert_eq!(order(queue, now), ["b"]);
    }
}
