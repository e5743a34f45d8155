//! What an operator ordered at run time: that no new request gets past `admit` for now. Orders nothing, and keeps no clock:
//! whoever ordered it ends it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why no new request is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// They are let in.
    #[default]
    None,
    /// They wait until it is over.
    Pause {
        /// How long one may wait before it is refused with 503.
        deadline: Duration,
    },
    /// They are refused with 503, but for those from the networks that are let through.
    Maintenance {
        /// When it is over, in seconds since 1970. None: nobody knows.
        until: Option<u64>,
    },
}

impl Suspension {
    /// Its name in reports; none when there is none.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Pause { .. } => Some("paused"),
            Self::Maintenance { .. } => Some("maintenance"),
        }
    }
}
