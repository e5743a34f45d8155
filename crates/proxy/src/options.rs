//! Bounds and clocks of connections. Every one has a default that is safe to run with.

use std::time::Duration;

use mainstay_codec::Limits;
use serde::{Deserialize, Serialize};

/// All options of this crate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Towards clients.
    pub client: ClientOptions,
    /// Towards origins.
    pub upstream: UpstreamOptions,
}

/// Towards clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientOptions {
    /// Bytes of a request's head: more is 431.
    pub head: usize,
    /// Bytes of one field: more is 431.
    pub field: usize,
    /// Fields of a head: more is 431.
    pub fields: usize,
    /// Bytes of the request's target: more is 414.
    pub target: usize,
    /// From the first byte of a head to its last: longer is 408.
    pub head_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long an idle connection from a trusted proxy is kept: longer than the big balancers keep
    /// theirs, so that they are the ones who close.
    pub keep_alive_trusted: Duration,
    /// Bytes that a body must bring in each period of `body_period`; fewer is 408.
    pub body_minimum: usize,
    /// See `body_minimum`.
    pub body_period: Duration,
    /// How long a client may take nothing of its answer before it is let go.
    pub send_timeout: Duration,
    /// After the last byte sent: how long what the client still sends is read and thrown away.
    pub linger: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            head: 32 * 1024,
            field: 8 * 1024,
            fields: 100,
            target: 8 * 1024,
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            keep_alive_trusted: Duration::from_secs(620),
            body_minimum: 5_000,
            body_period: Duration::from_secs(10),
            send_timeout: Duration::from_mins(1),
            linger: Duration::from_secs(5),
        }
    }
}

impl ClientOptions {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            head: self.head,
            field: self.field,
            fields: self.fields,
            target: self.target,
            ..Limits::default()
        }
    }
}

/// Towards origins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamOptions {
    /// To connect: longer is 504.
    pub connect_timeout: Duration,
    /// From the request's last byte to the answer's head: longer is 504.
    pub head_timeout: Duration,
    /// Between two pieces of an answer's body: longer breaks it off. Event streams may be silent.
    pub body_timeout: Duration,
    /// How long an idle connection may be used again when the origin does not say how long it keeps
    /// it: below Node's 5 s.
    pub idle: Duration,
    /// Idle connections kept by each thread to each worker or server.
    pub idle_connections: usize,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            head_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_mins(5),
            idle: Duration::from_secs(4),
            idle_connections: 128,
        }
    }
}
