//! A connection to Redis: to one server, to whom sentinels name, or to a cluster. Makes it and tries it, once.

use std::sync::LazyLock;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, Script,
    TlsCertificates, TlsMode, Value,
};

use crate::redis::RedisOptions;
use crate::server::{Sentinels, Server};
use crate::standing::PATIENCE;

/// What a new connection must be able to do: what budgets do, on keys that expire by themselves.
static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("probe.lua")));
/// A hash and a number, in one slot of a cluster.
const PROBE_KEYS: [&str; 2] = ["mainstay:probe:{a}:h", "mainstay:probe:{a}:n"];
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
pub(crate) async fn connect(server: &Server, options: &RedisOptions) -> RedisResult<Link> {
    let certificates = options.authorities.as_ref().map(|pem| TlsCertificates {
        client_tls: None,
        root_cert: Some(pem.clone().into_bytes()),
    });
    let mut link = match server {
        Server::One(info) => {
            let info = info.as_ref().clone();
            let client = match certificates {
                Some(certificates) if server.is_encrypted() => {
                    Client::build_with_tls(info, certificates)?
                }
                _ => Client::open(info)?,
            };
            one(&client).await?
        }
        Server::Sentinel(sentinels) => one(&master(sentinels, certificates).await?).await?,
        Server::Cluster(nodes) => {
            let mut cluster = redis::cluster::ClusterClient::builder(nodes.clone())
                .connection_timeout(PATIENCE)
                .retries(1);
            if let Some(certificates) = certificates {
                cluster = cluster.certs(certificates);
            }
            Link::Cluster(cluster.build()?.get_async_connection().await?)
        }
    };
    let mut probe = PROBE.prepare_invoke();
    for key in PROBE_KEYS {
        probe.key(key);
    }
    probe.invoke_async::<()>(&mut link).await?;
    Ok(link)
}

async fn one(client: &Client) -> RedisResult<Link> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        // each call has its own budget
        .set_response_timeout(None)
        .set_pipeline_buffer_size(UNDER_WAY);
    let link = client.get_multiplexed_async_connection_with_config(&config);
    Ok(Link::One(link.await?))
}

/// Whom the sentinels name master. It is asked whether it is: they may not have heard yet.
async fn master(
    sentinels: &Sentinels,
    certificates: Option<TlsCertificates>,
) -> RedisResult<Client> {
    let Sentinels {
        addresses,
        service,
        login,
    } = sentinels;
    let addresses = addresses.iter().map(|one| one.addr().clone());
    let mut client = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_redis_db(login.db());
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
