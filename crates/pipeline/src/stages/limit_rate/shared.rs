//! Budgets that several machines share: what is asked of whoever keeps them, and what holds without an answer. Keeps
//! nothing itself.

use std::fmt;
use std::hash::Hasher;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::meter::{Algorithm, Outcome, Verdict};
use super::options::RatePolicy;
use crate::Refusal;

/// Who counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// All machines with the same store, by blocks that each takes ahead; a machine alone where there is no store.
    #[default]
    Leased,
    /// All machines with the same store; each request asks.
    Exact,
    /// This machine alone.
    Machine,
}

/// What holds while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutStore {
    /// What this machine counts.
    #[default]
    Local,
    /// Everything passes.
    Open,
    /// Nothing passes.
    Closed,
}

/// One budget of many: so many hits in so much time, for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBudget {
    /// How hits are counted.
    pub algorithm: Algorithm,
    /// The most in a window.
    pub limit: u32,
    /// How long a window is.
    pub window: Duration,
    /// For a token bucket: hits beyond the first that may come at once.
    pub burst: u32,
    /// Whether blocks may be taken ahead.
    pub sharing: Sharing,
}

/// How a shared budget stands after a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedAnswer {
    /// Whether the hit passes.
    pub passes: bool,
    /// Hits that would still pass.
    pub remaining: u32,
    /// Until the window ends.
    pub reset: Duration,
    /// If it does not pass: until one would.
    pub wait: Duration,
}

/// The answer, now or later. None: nobody answers.
pub enum SharedTurn {
    /// It is known.
    Now(Option<SharedAnswer>),
    /// It must be waited for; never long.
    Later(Pin<Box<dyn Future<Output = Option<SharedAnswer>> + Send>>),
}

/// Keeps budgets for several machines.
pub trait SharedBudgets: fmt::Debug + Send + Sync {
    /// Takes so many hits from the budget of a key.
    fn take(&self, budget: &Arc<SharedBudget>, key: &SharedKey, cost: u32) -> SharedTurn;

    /// Gives back hits that passed and do not count.
    fn give_back(&self, budget: &Arc<SharedBudget>, key: &SharedKey, cost: u32);
}

/// What a key is called between machines. Nobody can tell whose it is, or make another key with the same name.
pub type SharedKey = [u8; 16];

impl SharedBudget {
    /// None for what is counted on this machine alone: what waits its turn, and what refuses nobody.
    pub(super) fn of(options: &RatePolicy) -> Option<Arc<Self>> {
        let is_apart = options.sharing == Sharing::Machine
            || options.delay.is_some()
            || options.enforcement == crate::Enforcement::DryRun;
        (!is_apart).then(|| {
            Arc::new(Self {
                algorithm: options.algorithm,
                limit: options.rate.count.get(),
                window: options.rate.window,
                burst: options.burst,
                sharing: options.sharing,
            })
        })
    }
}

/// Makes a [`SharedKey`] of what is written.
#[derive(Default)]
pub(super) struct KeyHasher(Sha256);

impl KeyHasher {
    pub(super) fn name(self) -> SharedKey {
        let mut name = [0; 16];
        name.copy_from_slice(&self.0.finalize()[..16]);
        name
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Nobody asks a number of this one.
    fn finish(&self) -> u64 {
        0
    }
}

/// What a hit came to, when the store was asked: its word, or what holds without it.
pub(super) fn settle(
    local: Outcome,
    answer: Option<SharedAnswer>,
    without: WithoutStore,
) -> Result<Outcome, Refusal> {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    match (answer, without) {
        (Some(answer), _) => Ok(Outcome {
            verdict: if answer.passes {
                Verdict::Pass
            } else {
                Verdict::Refuse(micros(answer.wait))
            },
            remaining: answer.remaining,
            reset: micros(answer.reset),
            ..local
        }),
        (None, WithoutStore::Local) => Ok(local),
        (None, WithoutStore::Open) => Ok(Outcome {
            verdict: Verdict::Pass,
            ..local
        }),
        (None, WithoutStore::Closed) => Err(Refusal::StoreAway),
    }
}
