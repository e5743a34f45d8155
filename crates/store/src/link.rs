//! A connection to Redis: to one server, to whom sentinels name, or to a cluster. Makes it and tries it, once.

use std::sync::LazyLock;

use redis::aio::{ConnectionLike, MultiplexedConnection, SendError};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisFuture,
    RedisResult, Script, TlsCertificates, TlsMode, Value,
};
use tokio::sync::mpsc::error::TrySendError;

use crate::redis::{Heard, Listening, Purpose, RedisOptions};
use crate::server::{Sentinels, Server};
use crate::standing::PATIENCE;

/// What a new connection must be able to do: what budgets do, on keys that expire by themselves.
static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("probe.lua")));
/// A hash and a number, in one slot of a cluster.
const PROBE_KEYS: [&str; 2] = ["mainstay:probe:{a}:h", "mainstay:probe:{a}:n"];
/// The same for answers that machines share.
static ANSWERS_PROBE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("answers/probe.lua")));
const ANSWERS_PROBE_KEYS: [&str; 2] = ["mainstay:cache:probe:{a}:h", "mainstay:cache:probe:{a}:n"];
/// Calls under way at once on one connection; more wait.
const UNDER_WAY: usize = 1_024;

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

/// A connection on which a script could write: a replica, a server that still loads, one without memory and one that
/// does not know us all fail here and not at a request.
pub(crate) async fn connect(
    server: &Server,
    options: &RedisOptions,
    purpose: &Purpose,
) -> RedisResult<Link> {
    let certificates = options.authorities.as_ref().map(|pem| TlsCertificates {
        client_tls: None,
        root_cert: Some(pem.clone().into_bytes()),
    });
    let protocol = protocol(purpose);
    let mut link = match server {
        Server::One(info) => {
            let login = info.redis_settings().clone().set_protocol(protocol);
            let info = info.as_ref().clone().set_redis_settings(login);
            let client = match certificates {
                Some(certificates) if server.is_encrypted() => {
                    Client::build_with_tls(info, certificates)?
                }
                _ => Client::open(info)?,
            };
            one(&client, purpose).await?
        }
        Server::Sentinel(sentinels) => {
            one(&master(sentinels, certificates, protocol).await?, purpose).await?
        }
        Server::Cluster(nodes) => {
            let mut cluster = redis::cluster::ClusterClient::builder(nodes.clone())
                .connection_timeout(PATIENCE)
                .use_protocol(protocol)
                .retries(1);
            if let Purpose::Answers(listening) = purpose {
                cluster = cluster.push_sender(hearing(listening));
            }
            if let Some(certificates) = certificates {
                cluster = cluster.certs(certificates);
            }
            Link::Cluster(cluster.build()?.get_async_connection().await?)
        }
    };
    let (script, keys) = match purpose {
        Purpose::Budgets => (&PROBE, PROBE_KEYS),
        Purpose::Answers(_) => (&ANSWERS_PROBE, ANSWERS_PROBE_KEYS),
    };
    let mut probe = script.prepare_invoke();
    for key in keys {
        probe.key(key);
    }
    if let Purpose::Answers(listening) = purpose {
        probe.arg(&listening.channel);
    }
    probe.invoke_async::<()>(&mut link).await?;
    if let Purpose::Answers(listening) = purpose {
        match &mut link {
            Link::One(link) => link.subscribe(&listening.channel).await?,
            Link::Cluster(link) => link.subscribe(&listening.channel).await?,
        }
    }
    Ok(link)
}

/// What is said without being asked comes in the newer form only.
fn protocol(purpose: &Purpose) -> ProtocolVersion {
    match purpose {
        Purpose::Budgets => ProtocolVersion::RESP2,
        Purpose::Answers(_) => ProtocolVersion::RESP3,
    }
}

/// Hands on what is said. What finds no room is missed, as it would be without a connection.
fn hearing(listening: &Listening) -> impl Fn(PushInfo) -> Result<(), SendError> + use<> {
    let heard = listening.heard.clone();
    move |push| {
        let news = match push.kind {
            PushKind::Message => match push.data.into_iter().nth(1) {
                Some(Value::BulkString(text)) => Heard::Said(text),
                _ => return Ok(()),
            },
            PushKind::Disconnection => Heard::Ended,
            _ => return Ok(()),
        };
        match heard.try_send(news) {
            Err(TrySendError::Closed(_)) => Err(SendError),
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
        }
    }
}

async fn one(client: &Client, purpose: &Purpose) -> RedisResult<Link> {
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        // each call has its own budget
        .set_response_timeout(None)
        .set_pipeline_buffer_size(UNDER_WAY);
    if let Purpose::Answers(listening) = purpose {
        config = config.set_push_sender(hearing(listening));
    }
    let link = client.get_multiplexed_async_connection_with_config(&config);
    Ok(Link::One(link.await?))
}

/// Whom the sentinels name master. It is asked whether it is: they may not have heard yet.
async fn master(
    sentinels: &Sentinels,
    certificates: Option<TlsCertificates>,
    protocol: ProtocolVersion,
) -> RedisResult<Client> {
    let Sentinels {
        addresses,
        service,
        login,
    } = sentinels;
    let addresses = addresses.iter().map(|one| one.addr().clone());
    let mut client = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_redis_db(login.db())
        .set_client_to_redis_protocol(protocol);
    if let Some(name) = login.username() {
        client = client.set_client_to_redis_username(name);
    }
    if let Some(password) = login.password() {
        client = client.set_client_to_redis_password(password);
    }
    if sentinels.is_encrypted() {
        client = client.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            client = client
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
    }
    client.build()?.async_get_client().await
}
