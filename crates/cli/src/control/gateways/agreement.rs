//! What every gateway must have taken in before somebody is told that it holds: asked of all that live, over when all have
//! answered, ended, or had their time.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

/// Beyond the time that gateways were given, an answer gets so long on its way.
const WAY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Agreements {
    open: Vec<Open>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Open {
    ticket: u64,
    /// Generations that have not answered.
    missing: HashSet<u64>,
    /// Requests that were still running at those that have.
    running: u64,
    until: Instant,
}

/// How one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct Agreement {
    pub(in crate::control) ticket: u64,
    /// Requests that had begun before and still run.
    pub(in crate::control) running: u64,
    /// Gateways that gave no answer in time.
    pub(in crate::control) silent: usize,
}

impl Agreements {
    /// Tickets go on after this one.
    pub(super) fn after(next_ticket: u64) -> Self {
        Self {
            open: Vec::new(),
            next_ticket,
        }
    }

    pub(super) fn next_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// These are to be asked with the ticket, and answer within this time.
    pub(super) fn ask(
        &mut self,
        generations: impl Iterator<Item = u64>,
        within: Duration,
        now: Instant,
    ) -> u64 {
        self.next_ticket += 1;
        self.open.push(Open {
            ticket: self.next_ticket,
            missing: generations.collect(),
            running: 0,
            until: now + within + WAY,
        });
        self.next_ticket
    }

    /// A generation answered.
    pub(super) fn answered(&mut self, generation: u64, ticket: u64, running: u64) {
        for open in &mut self.open {
            if open.ticket == ticket && open.missing.remove(&generation) {
                open.running += running;
            }
        }
    }

    /// A generation ended: nothing runs there.
    pub(super) fn ended(&mut self, generation: u64) {
        for open in &mut self.open {
            open.missing.remove(&generation);
        }
    }

    /// When somebody's time is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.until).min()
    }

    /// Those that are over.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Agreement> {
        self.open
            .extract_if(.., |open| open.missing.is_empty() || open.until <= now)
            .map(|open| Agreement {
                ticket: open.ticket,
                running: open.running,
                silent: open.missing.len(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_over_when_all_answered_ended_or_had_their_time() {
        let (mut agreements, now) = (Agreements::default(), Instant::now());
        let within = Duration::from_secs(5);
        let ticket = agreements.ask([1, 2, 3].into_iter(), within, now);
        agreements.answered(1, ticket, 2);
        agreements.answered(1, ticket, 2);
        agreements.answered(2, ticket + 1, 7);
        agreements.ended(3);
        assert_eq!(agreements.over(now), []);
        agreements.answered(2, ticket, 1);
        let found = agreements.over(now);
        let expected = Agreement {
            ticket,
            running: 3,
            silent: 0,
        };
        assert_eq!(found, [expected]);

        let ticket = agreements.ask([1, 2].into_iter(), within, now);
        agreements.answered(2, ticket, 0);
        assert_eq!(agreements.due(), Some(now + within + WAY));
        let expected = Agreement {
            ticket,
            running: 0,
            silent: 1,
        };
        assert_eq!(agreements.over(now + within + WAY), [expected]);
        assert_eq!(agreements.due(), None);
    }

    #[test]
    fn without_gateways_it_is_over_at_once() {
        let (mut agreements, now) = (Agreements::default(), Instant::now());
        agreements.ask(std::iter::empty(), Duration::ZERO, now);
        assert_eq!(agreements.over(now).len(), 1);
    }
}
