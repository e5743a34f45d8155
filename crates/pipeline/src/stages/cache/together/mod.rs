//! What machines share of what the cache keeps: answers, the right to fetch one, and what is to be forgotten. Where it is kept, others
//! say; whatever comes from there may be anything, and is judged here before it is used.

mod ask;
mod entry;
mod hold;
mod purges;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::purge::Purge;

pub(super) use ask::{For, Others};
pub use entry::check_entry;
pub(super) use hold::Hold;
pub(super) use purges::Purges;

/// What a resource, or one of its answers, is called between machines: nobody can find another one with the same name.
pub type SharedName = [u8; 16];

/// A resource, as machines speak of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedPlace {
    /// Whoever answers for it.
    pub target: String,
    /// `http` or `https`.
    pub scheme: String,
    /// In lower case.
    pub host: String,
    /// Where it was asked for.
    pub port: u16,
    /// With the query, as far as it counts.
    pub path: String,
}

impl SharedPlace {
    /// Its name.
    pub fn name(&self) -> SharedName {
        let mut hasher = Sha256::new();
        for part in [&self.target, &self.scheme, &self.host, &self.path] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(self.port.to_le_bytes());
        shortened(hasher)
    }
}

pub(super) fn shortened(hasher: Sha256) -> SharedName {
    let mut name = [0; 16];
    name.copy_from_slice(&hasher.finalize()[..16]);
    name
}

/// A wish for an answer, or for the right to fetch it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The resource.
    pub resource: SharedName,
    /// Which of its answers; none: the one that is for all, or what tells them apart.
    pub answer: Option<SharedName>,
    /// What is known already, by its token: it is not wanted again.
    pub known: Option<u64>,
    /// How long somebody else who fetches it is waited for.
    pub patience: Duration,
}

/// What came of a [`Claim`].
#[derive(Clone, Debug)]
pub enum Claimed {
    /// It is there.
    Found(Shared),
    /// It is not, and who asked has the right to fetch it, until this token is released or its time is over.
    Ours(Right),
    /// Somebody else has the right, and has not been ready in time.
    Taken,
    /// Nobody can be asked now.
    Away,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Shared {
    /// By whose right it was put in.
    pub token: u64,
    /// Time since that was given, by the clock of who keeps it. What was fetched is no older than this.
    pub age: Duration,
    /// As it was put in, or anything else.
    pub bytes: Bytes,
}

/// The right to fetch and to put in. Tokens grow: what was put in by a newer one is never overwritten by an older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// See above.
    pub token: u64,
    /// The number of the last purge when it was given.
    pub purges: u64,
}

/// Something to put in.
#[derive(Clone, Debug)]
pub struct Put {
    /// Under this name of the resource; none: under the resource's own.
    pub answer: Option<SharedName>,
    /// What.
    pub bytes: Bytes,
    /// It goes by itself after this time.
    pub lifetime: Duration,
}

/// What follows from a promise that is kept later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Keeps answers for several machines.
pub trait SharedAnswers: fmt::Debug + Send + Sync {
    /// Asks for an answer, or for the right to fetch it. Waits for nobody longer than the claim says, but for one short call.
    fn claim(&self, claim: Claim) -> Later<Claimed>;

    /// Puts these in and gives the right back; nobody waits for it.
    fn keep(&self, resource: SharedName, answer: Option<SharedName>, right: Right, puts: Vec<Put>);

    /// Gives the right back. Whoever waits is told `instead`, if anything.
    fn release(
        &self,
        resource: SharedName,
        answer: Option<SharedName>,
        right: Right,
        instead: Option<Put>,
    );

    /// A resource was changed: what is kept of it is to be forgotten everywhere. Until that is done, nobody here is given it.
    fn forget(&self, place: SharedPlace);

    /// Has all machines forget whatever is meant. Whether they know.
    fn purge(&self, purge: Purge) -> Later<bool>;
}
