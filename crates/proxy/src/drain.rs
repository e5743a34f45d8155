//! How the end of a thread, a gateway or an instance goes. Does nothing itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long each part of a drain may take. All but `delay` are counted from its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainOptions {
    /// While readiness is down already, so long everything else goes on as ever: balancers need a moment to
    /// hear of it.
    pub delay: Duration,
    /// How long an idle connection may still bring a request, which is answered with `Connection: close`. A
    /// client whose request crosses the close loses it: the longer, the fewer.
    pub idle: Duration,
    /// How long event streams and tunnels may last. They are ended one by one over the second half of it, so
    /// that their clients do not all come back at once.
    pub streams: Duration,
    /// When whatever still runs is ended.
    pub grace: Duration,
}

/// Who accepts from a thread's sockets when it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Others do, from the same sockets.
    GoesOn,
    /// Nobody: what waits in the sockets is accepted and answered before they close.
    Ends,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            idle: Duration::from_secs(1),
            streams: Duration::from_secs(3),
            grace: Duration::from_secs(10),
        }
    }
}

impl DrainOptions {
    /// For a gateway whose successor serves already: nobody waits for its end, so idle connections, even those
    /// of big balancers, are kept until they are used or time out as they always do.
    pub fn replaced() -> Self {
        Self {
            delay: Duration::ZERO,
            idle: Duration::from_secs(620),
            streams: Duration::from_mins(10),
            grace: Duration::from_secs(630),
        }
    }
}
