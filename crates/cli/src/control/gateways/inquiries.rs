//! Questions about kept answers: put to gateways, over when all have answered, ended, or had their time.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::protocol::CacheAnswer;

/// A gateway with millions of answers has to look at each of them.
const PATIENCE: Duration = Duration::from_secs(4);
/// Questions that may be open at once.
const MOST: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    open: Vec<Open>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Open {
    ticket: u64,
    /// Generations that have not answered.
    missing: HashSet<u64>,
    answers: Vec<CacheAnswer>,
    asker: oneshot::Sender<Inquired>,
    until: Instant,
}

/// What was said.
#[derive(Debug, Default)]
pub(in crate::control) struct Inquired {
    pub(in crate::control) answers: Vec<CacheAnswer>,
    /// Gateways that gave no answer in time.
    pub(in crate::control) silent: usize,
}

impl Inquiries {
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

    /// These are to be asked with the ticket. None when too many ask already.
    pub(super) fn ask(
        &mut self,
        generations: impl Iterator<Item = u64>,
        now: Instant,
    ) -> Option<(u64, oneshot::Receiver<Inquired>)> {
        if self.open.len() >= MOST {
            return None;
        }
        self.next_ticket += 1;
        let (asker, answer) = oneshot::channel();
        self.open.push(Open {
            ticket: self.next_ticket,
            missing: generations.collect(),
            answers: Vec::new(),
            asker,
            until: now + PATIENCE,
        });
        Some((self.next_ticket, answer))
    }

    /// A generation answered.
    pub(super) fn answered(&mut self, generation: u64, ticket: u64, answer: CacheAnswer) {
        let mut open = self.open.iter_mut();
        if let Some(open) = open.find(|open| open.ticket == ticket)
            && open.missing.remove(&generation)
        {
            open.answers.push(answer);
        }
    }

    /// A generation ended: it keeps nothing any more.
    pub(super) fn ended(&mut self, generation: u64) {
        for open in &mut self.open {
            open.missing.remove(&generation);
        }
    }

    /// When somebody's time is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.until).min()
    }

    /// Answers those that are over.
    pub(super) fn conclude(&mut self, now: Instant) {
        let is_over = |open: &mut Open| open.missing.is_empty() || open.until <= now;
        for open in self.open.extract_if(.., is_over) {
            // whoever asked may have gone away
            let _ = open.asker.send(Inquired {
                answers: open.answers,
                silent: open.missing.len(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PurgeKnown;

    fn purged(answers: u64) -> CacheAnswer {
        CacheAnswer::Purged {
            answers,
            known: PurgeKnown::Here,
        }
    }

    #[test]
    fn one_is_over_when_all_answered_ended_or_had_their_time() {
        let (mut inquiries, now) = (Inquiries::default(), Instant::now());
        let (ticket, mut answer) = inquiries.ask([1, 2, 3].into_iter(), now).expect("room");
        inquiries.answered(1, ticket, purged(2));
        inquiries.answered(1, ticket, purged(2));
        inquiries.answered(2, ticket + 1, purged(7));
        inquiries.ended(3);
        inquiries.conclude(now);
        assert!(answer.try_recv().is_err());
        assert_eq!(inquiries.due(), Some(now + PATIENCE));
        inquiries.conclude(now + PATIENCE);
        let found = answer.try_recv().expect("an answer");
        assert_eq!((found.answers.len(), found.silent), (1, 1));
        let (_, mut answer) = inquiries.ask(std::iter::empty(), now).expect("room");
        inquiries.conclude(now);
        assert_eq!(answer.try_recv().expect("an answer").silent, 0);
    }
}
