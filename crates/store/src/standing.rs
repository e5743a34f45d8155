//! Whether the store can be asked: its connection is made, tried, given up and made again, by a task of its own.
//! Requests never wait for any of that. Knows no command of theirs.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::failure::in_words;
use crate::link::{Link, connect};
use crate::redis::{End, Heard, Purpose, RedisOptions, Shared};
use crate::server::Server;

/// How long a new connection may take to be made and to answer. Nobody waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection that was doubted may take to answer before another is made.
const DOUBT: Duration = Duration::from_millis(250);
/// The least and the most between two attempts; each failure doubles it, and chance takes up to half of it away, so that
/// many gateways do not come back in the same moment.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A connection that served for so long was a good one.
const PROVEN: Duration = Duration::from_secs(5);
/// Of so many pings one must be answered in the time that a request would wait.
const PINGS: usize = 3;

/// Whether the store can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was heard of it yet.
    Unknown,
    /// It answers.
    There,
    /// It does not, and why: a sentence without secrets.
    Away(String),
}

/// Why a call had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// It is known to be away, or being tried: nothing was asked.
    #[error("the store is away")]
    Known,
    /// It did not answer within the budget. Whether it did what was asked is not known.
    #[error("the store did not answer in time")]
    Slow,
    /// It answered with an error, or the connection broke.
    #[error("the store failed")]
    Failed,
}

/// Keeps a connection, for as long as anybody but itself holds the shared part.
pub(crate) async fn keep(
    server: Server,
    options: RedisOptions,
    purpose: Purpose,
    shared: Arc<Shared>,
    standing: watch::Sender<Standing>,
) {
    let mut pause = PAUSES.0;
    while Arc::strong_count(&shared) > 1 {
        let (lasted, why) = match made(&server, &options, &purpose).await {
            Ok(link) => {
                let began = Instant::now();
                shared.begin(link.clone());
                if let Purpose::Answers(listening) = &purpose {
                    let _ = listening.heard.try_send(Heard::Began);
                }
                tell(&standing, Standing::There);
                let why = tokio::select! {
                    why = serve(link, &options, &shared) => Some(why),
                    () = standing.closed() => None,
                };
                shared.end();
                (began.elapsed(), why)
            }
            Err(why) => (Duration::ZERO, Some(why)),
        };
        if let Some(why) = why {
            tell(&standing, Standing::Away(why));
        }
        pause = match lasted {
            lasted if lasted >= PROVEN => PAUSES.0,
            _ => (pause * 2).min(PAUSES.1),
        };
        rest(pause.mul_f32(1.0 - fastrand::f32() / 2.0)).await;
    }
}

/// A new connection that was tried, or why there is none.
async fn made(server: &Server, options: &RedisOptions, purpose: &Purpose) -> Result<Link, String> {
    let making = async {
        let mut link = connect(server, options, purpose)
            .await
            .map_err(|error| in_words(&error))?;
        swift(&mut link, options.budget).await?;
        Ok(link)
    };
    let silent = || format!("it did not answer within {} s", PATIENCE.as_secs());
    timeout(PATIENCE, making)
        .await
        .unwrap_or_else(|_| Err(silent()))
}

/// Lends the connection out until it is no good any more; returns why. Whenever somebody waited in vain it is tried before
/// anybody else has to.
async fn serve(mut link: Link, options: &RedisOptions, shared: &Shared) -> String {
    loop {
        if let End::Broken(why) = shared.ended().await {
            return why;
        }
        match timeout(DOUBT, swift(&mut link, options.budget)).await {
            Ok(Ok(())) => shared.lend(link.clone()),
            Ok(Err(why)) => return why,
            Err(_) => {
                return format!(
                    "it did not answer within {} ms, nor a ping within {} ms",
                    options.budget.as_millis(),
                    DOUBT.as_millis()
                );
            }
        }
    }
}

/// Whether requests would have their answers in time; else why not.
async fn swift(link: &mut Link, budget: Duration) -> Result<(), String> {
    let mut least = Duration::MAX;
    for _ in 0..PINGS {
        let asked = Instant::now();
        let answer: RedisResult<()> = redis::cmd("PING").query_async(link).await;
        answer.map_err(|error| in_words(&error))?;
        least = least.min(asked.elapsed());
        if least <= budget {
            return Ok(());
        }
    }
    Err(format!(
        "it takes {} ms to answer, and requests wait {} ms at most",
        least.as_millis(),
        budget.as_millis()
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two attempts of a task that nobody waits for"
)]
async fn rest(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Tells only what is new.
fn tell(standing: &watch::Sender<Standing>, now: Standing) {
    standing.send_if_modified(|before| {
        let is_news = *before != now;
        *before = now;
        is_news
    });
}
