//! The face of the crate: starts the workers of every app, hands out events, takes the wish to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

use crate::events::Event;
use crate::identity::IdentityError;
use crate::launch::LaunchError;
use crate::options::AppOptions;

/// What the supervisor finds around it: the program hands it everything, it reads nothing of its own.
#[derive(Debug)]
pub struct Surroundings {
    /// What workers inherit: the program's own environment, already cleaned of what is not theirs.
    pub environment: BTreeMap<OsString, OsString>,
    /// What relative paths are relative to.
    pub cwd: PathBuf,
    /// A folder for sockets, which must exist; the shorter the better (Unix socket paths end at 107 bytes). When
    /// workers or the gateway run as other users it must be passable for them (0711).
    pub sockets: PathBuf,
    /// The preload script, as written by [`crate::node::install`].
    pub preload: PathBuf,
    /// The group of whoever connects to the workers, when it is not our own user.
    pub gateway_group: Option<u32>,
    /// The writing end of the guard's pipe (see [`crate::guard`]): it is told every worker's process group.
    pub guard: Option<OwnedFd>,
}

/// Why an app cannot be started at all, found before any process is started.
#[derive(Debug, Error)]
pub enum StartError {
    /// What the user wants to run cannot be run.
    #[error("app `{app}`: {source}")]
    Launch {
        /// The app.
        app: String,
        /// Why.
        source: LaunchError,
    },
    /// As whom it should run cannot be.
    #[error("app `{app}`: {source}")]
    Identity {
        /// The app.
        app: String,
        /// Why.
        source: IdentityError,
    },
    /// Several workers and one port that only one of them can have.
    #[error(
        "app `{app}` has {workers} workers and the fixed port {port}, which only one process can listen on: take `port` out \
         and let the app read the environment variable PORT, or use one worker"
    )]
    PortForMany {
        /// The app.
        app: String,
        /// The port.
        port: u16,
        /// How many workers.
        workers: u32,
    },
    /// The path of a worker's socket would be cut by the kernel.
    #[error(
        "the socket path `{}` has {length} bytes, more than {limit}: set MAINSTAY_RUNTIME_DIR to a shorter folder",
        .path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest that works.
        limit: usize,
    },
    /// Something the kernel refused.
    #[error("cannot {doing} `{}`: {source}", .path.display())]
    Io {
        /// What we wanted to do.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// The processes we started ourselves, by id: everything else that becomes our child is an orphan, and is reaped.
/// Whoever starts a process beside the supervisor (gateway, guard) registers it here, on the same thread.
#[derive(Debug, Clone, Default)]
pub struct Children {
    known: Arc<Mutex<BTreeSet<u32>>>,
}

impl Children {
    /// This child is waited for by somebody.
    pub fn register(&self, pid: u32) {
        self.locked().insert(pid);
    }

    /// It was reaped.
    pub fn forget(&self, pid: u32) {
        self.locked().remove(&pid);
    }

    /// Whether somebody waits for it.
    pub fn knows(&self, pid: u32) -> bool {
        self.locked().contains(&pid)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeSet<u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All apps and their workers.
#[derive(Debug)]
pub struct Supervisor {
    children: Children,
}

impl Supervisor {
    /// Starts every worker of every app. Call it on the main thread, inside a current-thread tokio runtime: workers
    /// die with the thread that forked them.
    ///
    /// # Errors
    /// Only what is wrong before any process is started; a worker that does not come up is told by `Event::Failed`.
    pub fn start(
        apps: Vec<AppOptions>,
        surroundings: Surroundings,
        events: UnboundedSender<Event>,
    ) -> Result<Self, StartError> {
        let _ = (apps, surroundings, events);
        Ok(Self {
            children: Children::default(),
        })
    }

    /// The registry of children we wait for.
    pub fn children(&self) -> &Children {
        &self.children
    }

    /// The apps, with the number of workers each.
    pub fn apps(&self) -> Vec<(Arc<str>, u32)> {
        Vec::new()
    }

    /// Asks every worker of `app` to end: signal, `kill_timeout`, then the kernel ends the whole tree. Returns at once;
    /// `Event::Stopped` tells when each has ended. Unknown names and a second call do nothing.
    pub fn stop(&self, app: &str) {
        let _ = app;
    }

    /// Asks every worker of every app to end, and waits until all have.
    pub async fn stop_all(&self) {}

    /// Ends every worker at once, without a word to it, and waits until all have ended: the answer to a second Ctrl-C.
    pub async fn kill_all(&self) {}
}
