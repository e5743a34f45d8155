//! What a running instance says of itself to the commands that list, name and order. Does nothing with it.

use std::path::PathBuf;

use mainstay_supervisor::output::Stream;
use serde::{Deserialize, Serialize};

/// One instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) name: String,
    /// Of the program.
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// Where it was started, as the shell named it.
    pub(crate) folder: PathBuf,
    /// The settings file, if any said something.
    pub(crate) file: Option<String>,
    /// In milliseconds since 1970.
    pub(crate) started_at_ms: u64,
    /// Where its log files are; none in the foreground.
    pub(crate) logs: Option<PathBuf>,
    /// Where it listens.
    pub(crate) addresses: Vec<String>,
    /// Servers that run elsewhere, by name.
    pub(crate) upstreams: Vec<String>,
    /// In the order of the settings.
    pub(crate) apps: Vec<ListedApp>,
}

impl Listing {
    /// Of an instance that could not say anything that was understood.
    pub(crate) fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: "?".to_owned(),
            pid: 0,
            folder: PathBuf::new(),
            file: None,
            started_at_ms: 0,
            logs: None,
            addresses: Vec::new(),
            upstreams: Vec::new(),
            apps: Vec::new(),
        }
    }
}

/// One app of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedApp {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Somebody stopped it; it is started again by name.
    pub(crate) is_stopped: bool,
    /// The file or the first word of the command: what follows it may be secret.
    pub(crate) program: String,
    /// The folder it runs in.
    pub(crate) folder: PathBuf,
    /// How many workers it is meant to have while it is not stopped.
    pub(crate) wanted: u32,
    /// How many can be given work.
    pub(crate) ready: u32,
    /// Bounds between which `wanted` follows the work; none where it does not.
    #[serde(default)]
    pub(crate) scaled: Option<Bounds>,
    /// What must be there before it is started. Empty: it was.
    #[serde(default)]
    pub(crate) waits_for: Vec<String>,
    /// Where it is reached.
    pub(crate) address: Option<String>,
    /// The numbers of the workers that it is meant to have, in their order.
    pub(crate) ids: Vec<u32>,
    /// Those that are there, or are about to be.
    pub(crate) workers: Vec<ListedWorker>,
    /// Where its output goes; nothing in the foreground.
    #[serde(default)]
    pub(crate) files: Vec<LogFile>,
}

/// A file that the output of an app goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    /// None: both.
    pub(crate) stream: Option<Stream>,
    /// The only worker that writes there. None: all of them.
    pub(crate) worker: Option<u32>,
}

/// One worker of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedWorker {
    /// Its number among all workers of the user.
    pub(crate) id: Option<u32>,
    pub(crate) index: u32,
    pub(crate) release: u32,
    pub(crate) state: WorkerState,
    /// None while no process of it runs.
    pub(crate) pid: Option<u32>,
    /// When its process was started, in milliseconds since 1970; the last one's, while none runs.
    pub(crate) started_at_ms: u64,
    pub(crate) restarts: u64,
    /// How its last process ended.
    pub(crate) last_exit: Option<String>,
    /// Its starts fail again and again.
    pub(crate) crash_loop: bool,
    /// Requests that it works on, about a second ago.
    #[serde(default)]
    pub(crate) in_flight: usize,
    /// The longest delay of its event loop in the last seconds, in whole milliseconds; of Node only.
    #[serde(default)]
    pub(crate) lag_ms: Option<u64>,
}

/// The fewest and the most workers of an app whose number follows its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Bounds {
    /// Behind the number of workers.
    pub(crate) fn words(self) -> String {
        format!(" · {} to {} by their work", self.min, self.max)
    }
}

/// Where a worker is in its life, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerState {
    Starting,
    Ready,
    /// Finishes what it has, is given nothing new.
    Draining,
    /// Ended unasked; is about to be started again.
    Waiting,
    /// Not started again, as the settings want it.
    GivenUp,
    /// Has ended by itself, and that was all.
    Finished,
}

impl WorkerState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Waiting => "waiting",
            Self::GivenUp => "given up",
            Self::Finished => "finished",
        }
    }
}
