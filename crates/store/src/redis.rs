//! One Redis as the threads of a gateway use it: each call has a budget, and none is made while it is away.
//! What is called is others' business.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisFuture, ScriptInvocation};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use crate::failure::in_words;
use crate::link::Link;
use crate::server::{BadServer, Server};
use crate::standing::{Away, Standing, keep};

/// So many times in a row that it did not answer in time, and it counts as away however soon it answers a ping.
const MISSES: u32 = 3;

/// Options of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisOptions {
    /// How long one call may take; 1 ms to 1 s.
    pub budget: Duration,
    /// Certificates in PEM (RFC 7468) of the authorities that are believed over TLS; without any, those of the machine.
    #[serde(default)]
    pub authorities: Option<String>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            budget: Duration::from_millis(10),
            authorities: None,
        }
    }
}

/// What a connection is for: it is tried for just that.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// Budgets of rate limits.
    Budgets,
    /// Answers of caches, and what machines say of them.
    Answers(Listening),
}

/// Who hears what is said on a channel.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    pub(crate) channel: String,
    pub(crate) heard: mpsc::Sender<Heard>,
}

/// What is heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// From now on whatever is said; before that something may have been missed.
    Began,
    Said(Vec<u8>),
    /// The connection broke.
    Ended,
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
    lent: Mutex<Lent>,
    ended: Notify,
}

/// The connection as it is lent out.
#[derive(Default)]
struct Lent {
    link: Option<Link>,
    /// Counts how often one was lent out: what a call says of an earlier time counts no more.
    turn: u64,
    misses: u32,
    end: Option<End>,
}

/// Why the connection is lent out no longer.
#[derive(Debug)]
pub(crate) enum End {
    /// Somebody waited in vain. It may be the connection, or one slow answer.
    Doubted,
    /// It is no good any more, and why.
    Broken(String),
}

impl Redis {
    /// Begins to connect, on this runtime. Never waits and never fails: a store that is away is asked again by itself.
    ///
    /// # Errors
    /// [`BadServer`] when `address` is none.
    pub fn connect(address: &str, options: &RedisOptions) -> Result<Self, BadServer> {
        Self::open(address, options, Purpose::Budgets)
    }

    /// The same, and what is said on a channel is heard.
    ///
    /// # Errors
    /// [`BadServer`] when `address` is none.
    pub(crate) fn listen(
        address: &str,
        options: &RedisOptions,
        listening: Listening,
    ) -> Result<Self, BadServer> {
        Self::open(address, options, Purpose::Answers(listening))
    }

    fn open(address: &str, options: &RedisOptions, purpose: Purpose) -> Result<Self, BadServer> {
        let server = Server::parse(address)?;
        let shared = Arc::new(Shared::default());
        let (told, standing) = watch::channel(Standing::Unknown);
        let (options_kept, shared_kept) = (options.clone(), Arc::clone(&shared));
        tokio::spawn(keep(server, options_kept, purpose, shared_kept, told));
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

    /// How long one call may take.
    pub(crate) const fn budget(&self) -> Duration {
        self.budget
    }

    /// Whether it can be asked now.
    pub fn is_there(&self) -> bool {
        self.shared.lent().link.is_some()
    }

    /// Runs a script: one round trip.
    ///
    /// # Errors
    /// [`Away`] at the latest when the budget is spent.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        self.script_within(self.budget, script).await
    }

    /// The same for what nobody waits for, with a time of its own.
    pub(crate) async fn script_within<T: FromRedisValue>(
        &self,
        time: Duration,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        let (mut link, turn) = self.link()?;
        let call = script.invoke_async(&mut link);
        self.judge(turn, time, timeout(time, call).await)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`Away`] at the latest when the budget is spent.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        self.command_within(self.budget, command).await
    }

    /// The same for what nobody waits for, with a time of its own.
    pub(crate) async fn command_within<T: FromRedisValue>(
        &self,
        time: Duration,
        command: &Cmd,
    ) -> Result<T, Away> {
        let (mut link, turn) = self.link()?;
        let call: RedisFuture<'_, T> = Box::pin(command.query_async(&mut link));
        self.judge(turn, time, timeout(time, call).await)
    }

    fn link(&self) -> Result<(Link, u64), Away> {
        let lent = self.shared.lent();
        let link = lent.link.clone().ok_or(Away::Known)?;
        Ok((link, lent.turn))
    }

    fn judge<T>(
        &self,
        turn: u64,
        time: Duration,
        outcome: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, Away> {
        match outcome {
            Ok(Ok(value)) => {
                self.shared.answered();
                Ok(value)
            }
            Ok(Err(error)) => {
                if !is_ours(&error) {
                    self.shared
                        .take_back(turn, |_| End::Broken(in_words(&error)));
                }
                Err(Away::Failed)
            }
            Err(_) => {
                self.shared.take_back(turn, |misses| {
                    if misses < MISSES {
                        return End::Doubted;
                    }
                    let budget = time.as_millis();
                    End::Broken(format!(
                        "it did not answer within {budget} ms, {MISSES} times in a row"
                    ))
                });
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
    /// Lends a new connection out.
    pub(crate) fn begin(&self, link: Link) {
        self.lent().misses = 0;
        self.lend(link);
    }

    /// Lends a connection out that was known before.
    pub(crate) fn lend(&self, link: Link) {
        let mut lent = self.lent();
        lent.link = Some(link);
        lent.turn += 1;
        lent.end = None;
    }

    /// Nobody is lent it any more.
    pub(crate) fn end(&self) {
        self.lent().link = None;
    }

    /// Waits until it was taken back.
    pub(crate) async fn ended(&self) -> End {
        loop {
            if let Some(end) = self.lent().end.take() {
                return end;
            }
            self.ended.notified().await;
        }
    }

    fn answered(&self) {
        let mut lent = self.lent();
        lent.misses = 0;
    }

    /// From now on nobody asks: the keeper tries it, or makes another. Only the first who failed in its turn counts.
    fn take_back(&self, turn: u64, why: impl FnOnce(u32) -> End) {
        let mut lent = self.lent();
        if lent.turn == turn && lent.link.take().is_some() {
            lent.misses += 1;
            lent.end = Some(why(lent.misses));
            self.ended.notify_one();
        }
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
