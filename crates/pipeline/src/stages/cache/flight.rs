//! Fetching one answer for all who want it: who fetches holds a [`Ticket`], the others wait for its [`Landing`], on whichever thread
//! they are. Fetches nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::fill::Fill;
use super::key::Key;
use super::memory::CacheMemory;
use super::together::Hold;
use crate::Refusal;

/// What became of a fetch, for those who wait. When it is given up, the channel closes, and one of them fetches.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// The origin has not answered yet.
    Pending,
    /// Its answer is coming, and may be read along.
    Coming(Weak<Fill>),
    /// Its answer is there: look again.
    Kept,
    /// Its answer is not for others: each fetches its own, at once.
    Passing,
    /// The origin has failed: by a refusal, or by an answer that says so.
    Failed(Option<Refusal>),
}

/// One fetch, as the memory knows it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u64,
    /// Which of the resource's answers it brings, as far as that is known.
    pub(super) digest: u128,
    /// Whether others may wait for it.
    pub(super) is_joined: bool,
    pub(super) landing: watch::Sender<Landing>,
    pub(super) is_outdated: Arc<AtomicBool>,
}

/// The right to fetch and to keep what comes. Dropping it gives the fetch up.
#[derive(Debug)]
pub(super) struct Ticket {
    memory: Arc<CacheMemory>,
    pub(super) key: Key,
    id: u64,
    landing: watch::Sender<Landing>,
    is_outdated: Arc<AtomicBool>,
    /// The same right for all machines that share.
    hold: Option<Box<Hold>>,
}

impl Ticket {
    pub(super) fn new(memory: &Arc<CacheMemory>, key: Key, flight: &Flight) -> Self {
        Self {
            memory: Arc::clone(memory),
            key,
            id: flight.id,
            landing: flight.landing.clone(),
            is_outdated: Arc::clone(&flight.is_outdated),
            hold: None,
        }
    }

    pub(super) fn memory(&self) -> &Arc<CacheMemory> {
        &self.memory
    }

    /// Whether the resource was changed or purged since it was asked for.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_outdated.load(Relaxed)
    }

    /// The right holds on all machines.
    pub(super) fn hold(&mut self, hold: Hold) {
        self.hold = Some(Box::new(hold));
    }

    /// The right for all machines, if it was given.
    pub(super) fn held(&self) -> Option<&Hold> {
        self.hold.as_deref()
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.landing.receiver_count() > 0
    }

    /// Tells those who wait.
    pub(super) fn tell(&self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.memory.end(self.key, self.id);
    }
}

/// Waits for what becomes of somebody's fetch. None: it was given up.
pub(super) async fn landing(mut waiting: watch::Receiver<Landing>) -> Option<Landing> {
    let landed = waiting
        .wait_for(|landing| !matches!(landing, Landing::Pending))
        .await;
    landed.ok().map(|landing| landing.clone())
}
