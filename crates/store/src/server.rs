//! Which Redis is meant: one server, a set watched by Sentinel, or a cluster. Reads addresses, opens nothing.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

/// More hosts than this are a mistake.
const MOST_HOSTS: usize = 64;

/// Where the shared state is. Its text holds a password, which is never printed.
#[derive(Clone)]
pub enum Server {
    /// `redis://`, `rediss://`, `redis+unix://`: one server.
    One(Box<ConnectionInfo>),
    /// `redis-sentinel://` and `rediss-sentinel://`: whichever server the sentinels name master.
    Sentinel(Box<Sentinels>),
    /// `redis-cluster://` and `rediss-cluster://`: these and whatever others they know.
    Cluster(Vec<ConnectionInfo>),
}

/// Who knows which server is the master.
#[derive(Clone)]
pub struct Sentinels {
    /// The sentinels; each is asked over TLS, or none.
    pub addresses: Vec<ConnectionInfo>,
    /// The name of the master they watch.
    pub service: String,
    /// Who logs in at the master, and the database there.
    pub login: RedisConnectionInfo,
}

impl Sentinels {
    /// Whether sentinels and masters are spoken to over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.addresses.iter().any(is_encrypted)
    }
}

fn is_encrypted(server: &ConnectionInfo) -> bool {
    matches!(server.addr(), ConnectionAddr::TcpTls { .. })
}

/// Why a text is no address of a Redis. Tells no part of it: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServer {
    /// Another scheme, or none.
    #[error(
        "a Redis address begins with `redis://`, `rediss://`, `redis+unix://`, `redis-sentinel://` or `redis-cluster://`"
    )]
    Scheme,
    /// No host, or more than there may be.
    #[error("a Redis address has 1 to {MOST_HOSTS} hosts, as in `redis://10.0.0.5:6379`")]
    Hosts,
    /// Sentinels without the name of what they watch.
    #[error(
        "a Sentinel address ends in the master's name, as in `redis-sentinel://10.0.0.5,10.0.0.6/mymaster`"
    )]
    Service,
    /// Something else about it.
    #[error(
        "it cannot be read as `redis://USER:PASSWORD@HOST:PORT/DATABASE`; encode special characters of the password, as `%40` for `@`"
    )]
    Form,
}

impl Server {
    /// Reads an address.
    ///
    /// # Errors
    /// [`BadServer`] tells what is expected; never what was found.
    pub fn parse(text: &str) -> Result<Self, BadServer> {
        let (scheme, rest) = text.split_once("://").ok_or(BadServer::Scheme)?;
        match scheme {
            "redis" | "rediss" | "redis+unix" | "unix" => Ok(Self::One(Box::new(info(text)?))),
            "redis-sentinel" => sentinel("redis", rest),
            "rediss-sentinel" => sentinel("rediss", rest),
            "redis-cluster" => cluster("redis", rest),
            "rediss-cluster" => cluster("rediss", rest),
            _ => Err(BadServer::Scheme),
        }
    }

    /// Whether it is spoken to over TLS.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::One(one) => is_encrypted(one),
            Self::Sentinel(sentinels) => sentinels.is_encrypted(),
            Self::Cluster(nodes) => nodes.iter().any(is_encrypted),
        }
    }
}

/// Shows hosts, never who logs in.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = |all: &[ConnectionInfo]| {
            let all: Vec<String> = all.iter().map(|one| one.addr().to_string()).collect();
            all.join(", ")
        };
        match self {
            Self::One(one) => write!(f, "{}", one.addr()),
            Self::Sentinel(sentinels) => {
                let Sentinels {
                    addresses, service, ..
                } = sentinels.as_ref();
                write!(f, "{service} of the sentinels {}", hosts(addresses))
            }
            Self::Cluster(nodes) => write!(f, "the cluster of {}", hosts(nodes)),
        }
    }
}

fn info(text: &str) -> Result<ConnectionInfo, BadServer> {
    text.into_connection_info().map_err(|_| BadServer::Form)
}

/// `USER:PASSWORD@HOST,HOST/PATH`, apart. The last `@` ends the user's part: a password may hold others, encoded or not.
fn parts(rest: &str) -> Result<(&str, Vec<&str>, &str), BadServer> {
    let (user, rest) = rest
        .rsplit_once('@')
        .map_or(("", rest), |(user, rest)| (user, rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > MOST_HOSTS || hosts.iter().any(|host| host.is_empty()) {
        return Err(BadServer::Hosts);
    }
    Ok((user, hosts, path))
}

/// User and password are those of the master; sentinels are asked without.
fn sentinel(scheme: &str, rest: &str) -> Result<Server, BadServer> {
    let (user, hosts, path) = parts(rest)?;
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(BadServer::Service);
    }
    let with_port = |host: &&str| {
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        info(&format!(
            "{scheme}://{host}{}",
            if has_port { "" } else { ":26379" }
        ))
    };
    let addresses = hosts.iter().map(with_port).collect::<Result<_, _>>()?;
    let at = if user.is_empty() { "" } else { "@" };
    let master = info(&format!("{scheme}://{user}{at}master/{database}"))?;
    Ok(Server::Sentinel(Box::new(Sentinels {
        addresses,
        service: service.to_owned(),
        login: master.redis_settings().clone(),
    })))
}

fn cluster(scheme: &str, rest: &str) -> Result<Server, BadServer> {
    let (user, hosts, path) = parts(rest)?;
    if !path.is_empty() {
        // a cluster has one database
        return Err(BadServer::Form);
    }
    let at = if user.is_empty() { "" } else { "@" };
    let node = |host: &&str| info(&format!("{scheme}://{user}{at}{host}"));
    Ok(Server::Cluster(
        hosts.iter().map(node).collect::<Result<_, _>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_told_whole() {
        for (text, shown) in [
            ("redis://127.0.0.1", "127.0.0.1:6379"),
            ("redis://:s3cret@cache:6380/2", "cache:6380"),
            ("rediss://user:s3cret@cache", "cache:6379"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock"),
            (
                "redis-sentinel://:s3cret@a,b:26380/main/1",
                "main of the sentinels a:26379, b:26380",
            ),
            ("rediss-sentinel://a/main", "main of the sentinels a:26379"),
            (
                "redis-cluster://user:s3cret@a:7000,b:7001",
                "the cluster of a:7000, b:7001",
            ),
        ] {
            let server = Server::parse(text).expect(text);
            assert_eq!(server.to_string(), shown, "{text}");
            assert_eq!(server.is_encrypted(), text.starts_with("rediss"), "{text}");
            assert!(!format!("{server:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_none_is_told_why() {
        for (text, why) in [
            ("127.0.0.1:6379", BadServer::Scheme),
            ("memcached://a", BadServer::Scheme),
            ("redis-sentinel://a,b", BadServer::Service),
            ("redis-sentinel://a,,b/main", BadServer::Hosts),
            ("redis-cluster://", BadServer::Hosts),
            ("redis-cluster://a/3", BadServer::Form),
            ("redis://:s3cret@host:port", BadServer::Form),
            ("redis://host/not-a-number", BadServer::Form),
        ] {
            let found = Server::parse(text).expect_err(text);
            assert_eq!(found, why, "{text}");
            assert!(!found.to_string().contains("s3cret"));
        }
    }
}
