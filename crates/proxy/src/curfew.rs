//! When what still runs has to end though nobody has ended it: its worker leaves, or the gateway does.
//!
//! Nobody is told: whoever might have to end looks, when it is woken. Without a curfew a look costs a load.

use std::cell::Cell;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::deadline::{Deadline, Deadlines};

/// Which exchanges a curfew is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tunnels and event streams: they have no end of their own.
    Stream,
    /// Everything else.
    Plain,
}

/// By when each kind has to end; none while it may take its time.
#[derive(Debug, Default)]
pub(crate) struct Curfew {
    streams: Cell<Option<Instant>>,
    plain: Cell<Option<Instant>>,
}

impl Curfew {
    /// Streams have to end by `streams`, everything else by `plain`; what was set earlier stays if it is sooner.
    pub(crate) fn set(&self, streams: Instant, plain: Instant) {
        for (cell, by) in [(&self.streams, streams), (&self.plain, plain)] {
            cell.set(Some(cell.get().map_or(by, |sooner| sooner.min(by))));
        }
    }

    /// Whether the time of a kind is over.
    pub(crate) fn is_over(&self, kind: Kind) -> bool {
        self.of(kind).is_some_and(|by| by <= Instant::now())
    }

    fn of(&self, kind: Kind) -> Option<Instant> {
        match kind {
            Kind::Stream => self.streams.get(),
            Kind::Plain => self.plain.get(),
        }
    }
}

/// One exchange's way home.
#[derive(Debug, Default)]
pub(crate) struct Home {
    set: Option<(Instant, Deadline)>,
}

impl Home {
    /// Whether an exchange of this kind has to end now, by whichever curfew is sooner. Asks to be woken when
    /// it has to, once a curfew is set; until then whoever sets one must wake everybody.
    pub(crate) fn poll_due(
        &mut self,
        curfews: [&Curfew; 2],
        kind: Kind,
        deadlines: &Deadlines,
        context: &Context<'_>,
    ) -> bool {
        let times = curfews.into_iter().filter_map(|curfew| curfew.of(kind));
        let Some(by) = times.min() else { return false };
        let (known, deadline) = self.set.get_or_insert_with(|| {
            let deadline = deadlines.entry();
            deadline.set(within(by, kind));
            (by, deadline)
        });
        if by < *known {
            *known = by;
            deadline.set(within(by, kind));
        }
        deadline.poll_expired(context)
    }

    /// It cannot end just here: it is due once more when all its time is over, and a moment.
    pub(crate) fn wait_for_the_last_moment(&mut self) {
        if let Some((by, deadline)) = &self.set {
            deadline.set(by.saturating_duration_since(Instant::now()) + LAST_MOMENT);
        }
    }
}

/// For the rest of a frame that has begun.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Streams end one by one over the second half of their time, so that their clients do not come back all at
/// once; everything else has all of it.
fn within(by: Instant, kind: Kind) -> Duration {
    let left = by.saturating_duration_since(Instant::now());
    match kind {
        Kind::Plain => left,
        Kind::Stream => left / 2 + left.mul_f64(fastrand::f64() / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_spread_over_the_second_half() {
        let by = Instant::now() + Duration::from_secs(100);
        let times: Vec<u64> = (0..500)
            .map(|_| within(by, Kind::Stream).as_secs())
            .collect();
        assert!(times.iter().all(|time| (49..=100).contains(time)));
        assert!(times.iter().any(|time| *time < 60) && times.iter().any(|time| *time > 90));
        assert!(within(by, Kind::Plain).as_secs() >= 99);
    }

    #[test]
    fn the_sooner_curfew_holds() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let curfew = Curfew::default();
        assert_eq!(curfew.of(Kind::Plain), None);
        curfew.set(now + second, now + 3 * second);
        curfew.set(now + 2 * second, now + 2 * second);
        assert_eq!(curfew.of(Kind::Stream), Some(now + second));
        assert_eq!(curfew.of(Kind::Plain), Some(now + 2 * second));
    }
}
