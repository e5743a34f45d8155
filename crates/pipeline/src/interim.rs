//! Interim answers (1xx) on their way to the client. Decides nothing about them.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

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
#[derive(Clone, Debug, Default)]
pub struct Interim(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    heads: Vec<InterimHead>,
    waker: Option<Waker>,
}

impl Interim {
    /// Hands on one interim answer.
    pub fn send(&self, head: InterimHead) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.heads.len() < CAPACITY {
            shared.heads.push(head);
        }
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    }

    /// Takes what has come so far, without waiting.
    pub fn take(&self) -> Vec<InterimHead> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).heads)
    }

    /// Takes what has come.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Vec<InterimHead>> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.heads.is_empty() {
            if !shared
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                shared.waker = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut shared.heads))
    }
}
