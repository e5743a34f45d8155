//! What can be said about one app. Plain values: nothing here starts, reads or checks the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::cgroup::GroupLimits;
use crate::launch::{CommandLine, Target};
pub use crate::lifecycle::GiveUp;
pub use crate::limits::{CoreDumps, Limits, Privileges};
pub use crate::lives::{Lives, Restart};
use crate::signal::Signal;
pub use crate::variables::FilterEnv;

/// Everything the supervisor needs to know about one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppOptions {
    /// The app's name in output, events and file names.
    pub name: String,
    /// What to run: a command, a file or a folder.
    pub target: Target,
    /// What stands around the command, where it is said apart from it.
    pub command_line: CommandLine,
    /// Whether it is there to be called.
    pub kind: AppKind,
    /// The group of apps it belongs to, for people and for the app itself.
    pub namespace: String,
    /// The folder the app runs in; the program's own when absent.
    pub cwd: Option<PathBuf>,
    /// Variables added to the environment the program passes on; they win over it.
    pub env: BTreeMap<String, String>,
    /// Which inherited variables it does not get.
    pub filter_env: FilterEnv,
    /// The variable that tells a worker its number, from 0.
    pub instance_var: String,
    /// A variable with a number that is higher by one for each further worker.
    pub increment_var: Option<String>,
    /// How many processes serve the app.
    pub workers: Workers,
    /// The port the app itself asks for (1 to 65535). Absent: `PORT`, else the first port it listens on.
    pub port: Option<u16>,
    /// What makes a worker ready.
    pub ready: Ready,
    /// How long a worker may take until it is ready.
    pub start_timeout: Duration,
    /// How a worker is asked to end.
    pub farewell: Farewell,
    /// The signal that asks a worker to end.
    pub kill_signal: Signal,
    /// How long a worker may take to end after that signal, before the kernel ends it.
    pub kill_timeout: Duration,
    /// How long a withdrawn worker may take to finish what it has, before it is asked to end.
    pub drain_timeout: Duration,
    /// How long a Node worker's event loop may stand still, and any worker's answer to `liveness` be missing, before it is
    /// replaced; zero for ever. Time in which it waited for a CPU does not count.
    pub hang_timeout: Duration,
    /// Whether the path of [`Ready::Http`] is asked for as long as a worker runs.
    pub liveness: Liveness,
    /// What follows when a worker ends by itself.
    pub lives: Lives,
    /// What a crash loop leads to.
    pub give_up: GiveUp,
    /// The app takes its socket from the supervisor by `LISTEN_FDS` (systemd's protocol, fd 3).
    pub listen_fds: bool,
    /// What the kernel lets each of its processes have.
    pub limits: Limits,
    /// What it lets all of them have together.
    pub group_limits: GroupLimits,
    /// The user (name or number) the workers run as; needs root.
    pub user: Option<String>,
    /// The group (name or number) the workers run as; the user's own when absent.
    pub group: Option<String>,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            name: "app".to_owned(),
            target: Target::Path(PathBuf::from(".")),
            command_line: CommandLine::default(),
            kind: AppKind::Server,
            namespace: "default".to_owned(),
            cwd: None,
            env: BTreeMap::new(),
            filter_env: FilterEnv::Nothing,
            instance_var: "NODE_APP_INSTANCE".to_owned(),
            increment_var: None,
            workers: Workers::Fixed(1),
            port: None,
            ready: Ready::Listen,
            // A large TypeScript app compiled at start needs most of it on a small machine.
            start_timeout: Duration::from_mins(1),
            farewell: Farewell::Signal,
            kill_signal: Signal::Terminate,
            // Below the 10 s and 30 s after which Docker and Kubernetes lose patience with us.
            kill_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            hang_timeout: Duration::from_secs(30),
            liveness: Liveness::Unasked,
            lives: Lives::default(),
            give_up: GiveUp::Never,
            listen_fds: false,
            limits: Limits::default(),
            group_limits: GroupLimits::default(),
            user: None,
            group: None,
        }
    }
}

/// How many workers an app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workers {
    /// Exactly so many, at least one.
    Fixed(u32),
    /// What the machine gives us: the least of CPU affinity, CPU quota, and memory limit by 256 MiB.
    Auto,
    /// One for each CPU we may run on, whatever the quota.
    Max,
    /// As many as the work needs, within bounds.
    Between(WorkerRange),
}

impl Workers {
    /// As settings say it: without what became of it meanwhile.
    #[must_use]
    pub fn as_written(self) -> Self {
        match self {
            Self::Between(range) => Self::Between(WorkerRange {
                now: range.min,
                ..range
            }),
            other => other,
        }
    }
}

/// Bounds on a number of workers that follows the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRange {
    /// Never fewer; at least one.
    pub min: u32,
    /// Never more; at least `min`.
    pub max: u32,
    /// How long one worker less must have been enough before there is one less.
    pub calm: Duration,
    /// How many there are now, within the bounds: no setting, but what became of one.
    pub now: u32,
}

impl WorkerRange {
    /// What is usual: pauses between two bursts are shorter, and a worker more costs memory only.
    pub const USUAL_CALM: Duration = Duration::from_mins(1);

    /// Begins with the fewest.
    #[must_use]
    pub fn new(min: u32, max: u32) -> Self {
        Self {
            min,
            max,
            calm: Self::USUAL_CALM,
            now: min,
        }
    }

    /// The same with so many workers now, or as many as its bounds let there be.
    #[must_use]
    pub fn with(self, now: u32) -> Self {
        Self {
            now: now.clamp(self.min, self.max.max(self.min)),
            ..self
        }
    }
}

/// How long a worker of an app of which nobody knows whether it listens may take to do so before it is ready without: as
/// long as PM2 waits.
pub const SILENCE: Duration = Duration::from_secs(3);

/// Whether an app is there to be called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppKind {
    /// Its workers listen, each on a socket of its own.
    #[default]
    Server,
    /// It works on its own: queues, bots, timetables. Where it listens is its own business.
    Background,
    /// Nobody knows: it is there to be called if it listens. One that has run for [`SILENCE`] without is ready all the
    /// same, and is told again when it listens later.
    Either,
}

/// How a worker is asked to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Farewell {
    /// By its `kill_signal`.
    #[default]
    Signal,
    /// By the message `shutdown` on Node's channel; by the signal where there is no such channel.
    Message,
}

/// Whether a worker that is ready goes on being asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Liveness {
    /// Only a Node worker's own reports count.
    #[default]
    Unasked,
    /// One that does not answer for `hang_timeout`, with whatever status, is replaced.
    Asked,
}

/// What makes a worker ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// It listens on its port.
    Listen,
    /// It has run for `min_uptime`; for an app that does not listen.
    Alive,
    /// It listens and has sent the word `ready` (`process.send('ready')`).
    Message,
    /// It listens and answers this path with a status below 500.
    Http(String),
    /// It listens and has written a line that contains this text.
    Log(String),
}
