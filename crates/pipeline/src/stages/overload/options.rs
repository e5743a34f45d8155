//! What is written about overload. Judges nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Enforcement;

/// Bounds on what is under way at once, for the whole instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverloadOptions {
    /// Connections of clients that may be open. None: as many as there are descriptors for.
    pub connections: Option<u32>,
    /// Connections that one client may have open, by its IPv4 address or IPv6 /56. None: as many as it likes. Peers that are trusted
    /// proxies, and those on Unix sockets, are not bounded so.
    pub connections_per_client: Option<u32>,
    /// Requests under way for each worker or server that is ready. None: as many as come.
    pub in_flight_per_worker: Option<u32>,
    /// Whether a bound is found by itself as well.
    pub adaptive: Adaptation,
    /// Requests that may wait for each bound. One more is refused, or one of lower priority in its place.
    pub queue: u32,
    /// How long one may wait before it is refused.
    pub wait: Duration,
    /// Whether anybody is really refused, or kept waiting.
    pub enforcement: Enforcement,
}

impl Default for OverloadOptions {
    fn default() -> Self {
        Self {
            connections: None,
            connections_per_client: None,
            in_flight_per_worker: None,
            adaptive: Adaptation::Off,
            queue: 100,
            wait: Duration::from_secs(1),
            enforcement: Enforcement::Enforce,
        }
    }
}

/// Whether the bound on a target's requests follows how long its answers take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adaptation {
    /// Only what is written holds.
    #[default]
    Off,
    /// It goes down when answers take more than twice as long as at rest, and up again.
    Auto,
}

/// What one route says of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAdmission {
    /// So many may be under way at once. None: as many as come.
    pub in_flight: Option<u32>,
    /// Who goes first where routes share a bound.
    pub priority: Priority,
}

/// Who goes first, and who is refused first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Refused first: what can be done later.
    Low,
    /// Like most.
    #[default]
    Normal,
    /// Goes first: what must not wait behind anything.
    High,
}

impl Priority {
    /// From the last to the first.
    pub(super) const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];
}
