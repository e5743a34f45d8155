//! Interim answers (1xx) on their way to the client. Decides nothing about them.

use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode};

/// How many interim answers may wait for a slow client; more are dropped, as RFC 9110, 15.2 allows.
const CAPACITY: usize = 8;

/// An interim answer: 100, 103 and the like.
#[derive(Debug)]
pub struct InterimHead {
    /// Its status, 1xx but never 101.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
}

/// A small queue from the origin to the client's connection; one a connection.
///
/// Nobody is woken by it: the connection's own task drives the origin, and looks here whenever it has.
#[derive(Clone, Debug, Default)]
pub struct Interim(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many wait, so that looking costs no lock.
    waiting: AtomicUsize,
    heads: Mutex<Vec<InterimHead>>,
}

impl Interim {
    /// Hands on one interim answer.
    pub fn send(&self, head: InterimHead) {
        let mut heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() < CAPACITY {
            heads.push(head);
            self.0.waiting.store(heads.len(), Release);
        }
    }

    /// Takes what has come so far.
    pub fn take(&self) -> Vec<InterimHead> {
        if self.0.waiting.load(Acquire) == 0 {
            return Vec::new();
        }
        let mut heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.waiting.store(0, Release);
        std::mem::take(&mut heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_taken_once_and_never_too_much() {
        let interim = Interim::default();
        assert!(interim.take().is_empty());
        for _ in 0..2 * CAPACITY {
            interim.send(InterimHead {
                status: StatusCode::CONTINUE,
                headers: HeaderMap::new(),
            });
        }
        assert_eq!(interim.take().len(), CAPACITY);
        assert!(interim.take().is_empty());
    }
}
