//! One Redis as the threads of a gateway use it: each call has a budget, and none is made while it is away.
//! What is called is others' business.

use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisFuture, ScriptInvocation};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::link::{self, Away, Link, Standing, in_words};
use crate::server::{BadServer, Server};

/// So many calls in a row without an answer in time, and it counts as away.
const MISSES: u32 = 3;

/// Options of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisOptions {
    /// How long one call may take; 1 ms to 1 s.
    pub budget: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            budget: Duration::from_millis(10),
        }
    }
}

/// A handle; clones share the connection.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
    standing: watch::Receiver<Standing>,
    budget: Duration,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let standing = self.standing.borrow();
        f.debug_struct("Redis")
            .field("standing", &*standing)
            .finish_non_exhaustive()
    }
}

/// What callers and the keeper of the connection share.
#[derive(Default)]
pub(crate) struct Shared {
    link: Mutex<Option<Link>>,
    misses: AtomicU32,
    broken: Notify,
    why: Mutex<Option<String>>,
}

impl Redis {
    /// Begins to connect, on this runtime. Never waits and never fails: a store that is away is asked again by itself.
    ///
    /// # Errors
    /// [`BadServer`] when `address` is none.
    pub fn connect(address: &str, options: &RedisOptions) -> Result<Self, BadServer> {
        let server = Server::parse(address)?;
        let shared = Arc::new(Shared::default());
        let (told, standing) = watch::channel(Standing::Unknown);
        tokio::spawn(link::keep(server, Arc::clone(&shared), told));
        Ok(Self {
            shared,
            standing,
            budget: options.budget,
        })
    }

    /// How it stands, and whenever that changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Whether it can be asked now.
    pub fn is_there(&self) -> bool {
        lock(&self.shared.link).is_some()
    }

    /// Runs a script: one round trip.
    ///
    /// # Errors
    /// [`Away`] at the latest when the budget is spent.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        let mut link = self.link()?;
        let call = script.invoke_async(&mut link);
        self.judge(timeout(self.budget, call).await)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`Away`] at the latest when the budget is spent.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        let mut link = self.link()?;
        let call: RedisFuture<'_, T> = Box::pin(command.query_async(&mut link));
        self.judge(timeout(self.budget, call).await)
    }

    fn link(&self) -> Result<Link, Away> {
        lock(&self.shared.link).clone().ok_or(Away::Known)
    }

    fn judge<T>(
        &self,
        outcome: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, Away> {
        match outcome {
            Ok(Ok(value)) => {
                if self.shared.misses.load(Relaxed) != 0 {
                    self.shared.misses.store(0, Relaxed);
                }
                Ok(value)
            }
            Ok(Err(error)) => {
                if !is_ours(&error) {
                    self.shared.give_up(in_words(&error));
                }
                Err(Away::Failed)
            }
            Err(_) => {
                if self.shared.misses.fetch_add(1, AcqRel) + 1 >= MISSES {
                    let budget = self.budget.as_millis();
                    self.shared.give_up(format!(
                        "it did not answer within {budget} ms, {MISSES} times in a row"
                    ));
                }
                Err(Away::Slow)
            }
        }
    }
}

/// Whether an error says nothing about the server: what was sent was wrong, another connection would not help.
fn is_ours(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse | ErrorKind::Client
    ) && !error.is_io_error()
}

impl Shared {
    pub(crate) fn put(&self, link: Link) {
        self.misses.store(0, Relaxed);
        *lock(&self.why) = None;
        *lock(&self.link) = Some(link);
    }

    pub(crate) fn take(&self) {
        *lock(&self.link) = None;
    }

    /// Waits until somebody gave the connection up, or nobody is there any more who could use it.
    pub(crate) async fn broken(&self, standing: &watch::Sender<Standing>) -> Option<String> {
        tokio::select! {
            () = self.broken.notified() => lock(&self.why).take(),
            () = standing.closed() => None,
        }
    }

    /// From now on nobody asks; the keeper makes another connection.
    fn give_up(&self, why: String) {
        if lock(&self.link).take().is_some() {
            *lock(&self.why) = Some(why);
            self.broken.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
