//! What can be said about one app. Plain values: nothing here starts, reads or checks the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::launch::Target;
pub use crate::lifecycle::GiveUp;
pub use crate::limits::{CoreDumps, Limits};
use crate::signal::Signal;

/// Everything the supervisor needs to know about one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppOptions {
    /// The app's name in output, events and file names.
    pub name: String,
    /// What to run: a command, a file or a folder.
    pub target: Target,
    /// The folder the app runs in; the program's own when absent.
    pub cwd: Option<PathBuf>,
    /// Variables added to the environment the program passes on; they win over it.
    pub env: BTreeMap<String, String>,
    /// How many processes serve the app.
    pub workers: Workers,
    /// The port the app itself asks for (1 to 65535). Absent: `PORT`, else the first port it listens on.
    pub port: Option<u16>,
    /// What makes a worker ready.
    pub ready: Ready,
    /// How long a worker may take until it is ready.
    pub start_timeout: Duration,
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
    /// What a crash loop leads to.
    pub give_up: GiveUp,
    /// The app takes its socket from the supervisor by `LISTEN_FDS` (systemd's protocol, fd 3).
    pub listen_fds: bool,
    /// What the kernel lets its processes have.
    pub limits: Limits,
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
            cwd: None,
            env: BTreeMap::new(),
            workers: Workers::Fixed(1),
            port: None,
            ready: Ready::Listen,
            // A large TypeScript app compiled at start needs most of it on a small machine.
            start_timeout: Duration::from_mins(1),
            kill_signal: Signal::Terminate,
            // Below the 10 s and 30 s after which Docker and Kubernetes lose patience with us.
            kill_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            hang_timeout: Duration::from_secs(30),
            liveness: Liveness::Unasked,
            give_up: GiveUp::Never,
            listen_fds: false,
            limits: Limits::default(),
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
    /// It listens and has sent the word `ready` (`process.send('ready')`).
    Message,
    /// It listens and answers this path with a status below 500.
    Http(String),
    /// It listens and has written a line that contains this text.
    Log(String),
}
