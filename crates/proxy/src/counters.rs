//! What one thread counts of its connections. Requests are counted by the pipeline.

use mainstay_observe::{Counter, Gauge};

/// Written by one thread, read by any.
#[derive(Debug, Default)]
pub struct Counters {
    /// Client connections open now.
    pub connections: Gauge,
    /// Client connections accepted.
    pub accepted: Counter,
    /// Times accepting paused because descriptors ran out.
    pub accept_pauses: Counter,
    /// Client connections that were closed unheard, since there were too many.
    pub turned_away: Counter,
    /// Attempts beyond the first.
    pub resends: Counter,
    /// Connections opened to origins.
    pub origin_connections: Counter,
}
