//! A connection to Redis that is looked after: made, tried, given up and made again, by a task of its own.
//! Requests never wait for any of that. Knows no command but the one it tries connections with.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::Sentinel;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::redis::Shared;
use crate::server::Server;

/// How long a new connection may take to be made and to answer. Nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The least and the most between two attempts; each failure doubles it, and chance takes up to half of it away, so that
/// many gateways do not come back in the same moment.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A connection that served for so long was a good one.
const PROVEN: Duration = Duration::from_secs(5);
/// What a new connection must be able to write; it expires by itself.
const PROBE: &str = "mainstay:probe";

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
    /// It is known to be away: nothing was asked.
    #[error("the store is away")]
    Known,
    /// It did not answer within the budget. Whether it did what was asked is not known.
    #[error("the store did not answer in time")]
    Slow,
    /// It answered with an error, or the connection broke.
    #[error("the store failed")]
    Failed,
}

/// Somebody who can be asked.
#[derive(Clone)]
pub(crate) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(command),
            Self::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(commands, offset, count),
            Self::Cluster(link) => link.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

/// Keeps a connection, for as long as anybody but itself holds the shared part.
pub(crate) async fn keep(server: Server, shared: Arc<Shared>, standing: watch::Sender<Standing>) {
    let mut pause = PAUSES.0;
    while Arc::strong_count(&shared) > 1 {
        let began = match timeout(PATIENCE, connect(&server)).await {
            Ok(Ok(link)) => {
                shared.put(link);
                tell(&standing, Standing::There);
                let began = Instant::now();
                let why = shared.broken(&standing).await;
                shared.take();
                if let Some(why) = why {
                    tell(&standing, Standing::Away(why));
                }
                Some(began)
            }
            Ok(Err(error)) => {
                tell(&standing, Standing::Away(in_words(&error)));
                None
            }
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                tell(
                    &standing,
                    Standing::Away(format!("it did not answer within {seconds} s")),
                );
                None
            }
        };
        pause = match began {
            Some(began) if began.elapsed() >= PROVEN => PAUSES.0,
            _ => (pause * 2).min(PAUSES.1),
        };
        rest(pause.mul_f32(1.0 - fastrand::f32() / 2.0)).await;
    }
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

/// A connection on which a write was answered: a replica, a server that still loads, one without memory and one that
/// does not know us all fail here and not at a request.
async fn connect(server: &Server) -> RedisResult<Link> {
    let config = || {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            // each call has its own budget
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1_024)
    };
    let mut link = match server {
        Server::One(info) => {
            let client = Client::open(info.as_ref().clone())?;
            Link::One(
                client
                    .get_multiplexed_async_connection_with_config(&config())
                    .await?,
            )
        }
        Server::Sentinel {
            sentinels,
            service,
            node,
        } => {
            let mut sentinels = Sentinel::build(sentinels.clone())?;
            let client = sentinels.async_master_for(service, Some(node)).await?;
            Link::One(
                client
                    .get_multiplexed_async_connection_with_config(&config())
                    .await?,
            )
        }
        Server::Cluster(nodes) => {
            let client = redis::cluster::ClusterClient::builder(nodes.clone())
                .connection_timeout(PATIENCE)
                .retries(1)
                .build()?;
            Link::Cluster(client.get_async_connection().await?)
        }
    };
    let mut probe = redis::cmd("SET");
    probe.arg(PROBE).arg(1).arg("PX").arg(1_000);
    probe.query_async::<()>(&mut link).await?;
    Ok(link)
}

/// What an error is, without what it holds: the text of a server may repeat what was sent.
pub(crate) fn in_words(error: &RedisError) -> String {
    match error.code() {
        Some("NOAUTH" | "WRONGPASS") => "it refuses the password".to_owned(),
        Some("READONLY") => "it is a replica, which takes no writes".to_owned(),
        Some("LOADING") => "it is still loading its data".to_owned(),
        Some("OOM") => "it has no memory left".to_owned(),
        Some("NOPERM") => "this user may not do what is needed there".to_owned(),
        Some("MASTERDOWN" | "CLUSTERDOWN") => "it has lost its master".to_owned(),
        Some(code) => format!("it answers {code}"),
        None if error.is_timeout() => "it did not answer in time".to_owned(),
        None if error.is_connection_refusal() => "nobody listens there".to_owned(),
        None if error.is_connection_dropped() => "the connection broke".to_owned(),
        None => format!("the connection failed ({})", error.category()),
    }
}
