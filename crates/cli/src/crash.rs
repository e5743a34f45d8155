//! A crash report: what is known of the end of a worker that nobody asked to end. As the instance keeps it, and as
//! `mainstay crashes` gets it. No variable of the environment is in it.

use serde::{Deserialize, Serialize};

/// The end of one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Crash {
    pub(crate) app: String,
    /// Its number within the app.
    pub(crate) worker: u32,
    pub(crate) release: u32,
    /// When it ended, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) reason: Reason,
    /// In words.
    pub(crate) exit: String,
    /// The status, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// The signal's number, if one ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) uptime_ms: u64,
    /// Whether it had been ready.
    pub(crate) was_ready: bool,
    /// Bytes in memory (RSS), with all below it, when that was looked at last: at most some seconds before.
    pub(crate) memory: Option<u64>,
    /// Requests that it was working on, as gateways had told at most a second before. None: no gateway knew it.
    #[serde(default)]
    pub(crate) in_flight: Option<u64>,
    /// When it was started again. None: it was not.
    pub(crate) restart_in_ms: Option<u64>,
    /// What to do about it, where the trouble is a known one.
    pub(crate) hint: Option<String>,
    /// The last it wrote, oldest first.
    pub(crate) lines: Vec<String>,
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// By itself, or by a signal of somebody else.
    Crash,
    /// The kernel ended it, because memory ran out.
    Memory,
    /// It did not react any more, and was ended by us.
    Hang,
    /// It was not ready in time, and was ended by us.
    Timeout,
}

impl Reason {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Memory => "out of memory",
            Self::Hang => "hang",
            Self::Timeout => "not ready in time",
        }
    }
}
