//! The face of the crate: starts the workers of every app, hands out events, takes the wish to stop.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

use crate::events::Event;
use crate::group::Group;
use crate::guard::Guarded;
use crate::identity::{Identity, IdentityError};
use crate::launch::{Launch, LaunchError};
use crate::lifecycle::Policy;
use crate::options::AppOptions;
use crate::plan::Plan;
use crate::socket::{Files, Owners};
use crate::worker::{Shared, Wish};
use crate::{count, strangers};

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

/// All apps and their workers. Dropping it kills every worker.
#[derive(Debug)]
pub struct Supervisor {
    groups: Vec<Group>,
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
        let mut prepared = Vec::new();
        for (number, options) in apps.into_iter().enumerate() {
            let plan = surroundings.plan(options)?;
            let files = surroundings.files(number, &plan)?;
            prepared.push((plan, files));
        }
        crate::os::keep_from_children();
        // Orphans of our workers become our children instead of init's, so that we can end them. Where the kernel
        // refuses, they are init's, as always.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        tokio::spawn(strangers::reap());
        let shared = Shared {
            events,
            guarded: Guarded::new(surroundings.guard),
        };
        let groups = prepared
            .into_iter()
            .map(|(plan, files)| Group::start(&Arc::new(plan), files, &shared))
            .collect();
        Ok(Self { groups })
    }

    /// The apps, with the number of workers each.
    pub fn apps(&self) -> Vec<(Arc<str>, u32)> {
        let apps = self.groups.iter();
        apps.map(Group::size).collect()
    }

    /// Asks every worker of `app` to end: signal, `kill_timeout`, then the kernel ends the whole tree. Returns at once;
    /// `Event::Stopped` tells when each has ended. Unknown names and a second call do nothing.
    pub fn stop(&self, app: &str) {
        for group in self.groups.iter().filter(|group| group.app() == app) {
            group.wish(Wish::Stop);
        }
    }

    /// Asks every worker of every app to end, and waits until all have.
    pub async fn stop_all(&self) {
        self.end_all(Wish::Stop).await;
    }

    /// Ends every worker at once, without a word to it, and waits until all have ended: the answer to a second Ctrl-C.
    pub async fn kill_all(&self) {
        self.end_all(Wish::Kill).await;
    }

    async fn end_all(&self, wish: Wish) {
        for group in &self.groups {
            group.wish(wish);
        }
        for group in &self.groups {
            group.ended().await;
        }
    }
}

impl Surroundings {
    fn plan(&self, options: AppOptions) -> Result<Plan, StartError> {
        let app = options.name.clone();
        let cwd = options.cwd.as_ref();
        let cwd = cwd.map_or_else(|| self.cwd.clone(), |cwd| self.cwd.join(cwd));
        let mut environment = self.environment.clone();
        let own = options.env.iter();
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        let launch = Launch::resolve(&options.target, &environment, &cwd).map_err(|source| {
            StartError::Launch {
                app: app.clone(),
                source,
            }
        })?;
        let user = options.user.as_deref();
        let identity = user
            .map(|user| Identity::resolve(user, options.group.as_deref()))
            .transpose()
            .map_err(|source| StartError::Identity {
                app: app.clone(),
                source,
            })?;
        let policy = Policy {
            start_timeout: options.start_timeout,
            kill_timeout: options.kill_timeout,
            ..Policy::default()
        };
        let plan = Plan {
            workers: count::workers(options.workers),
            app: app.as_str().into(),
            launch,
            identity,
            environment,
            preload: self.preload.clone(),
            policy,
            options,
        };
        plan.several_workers_need_ports_of_their_own()?;
        Ok(plan)
    }

    fn files(&self, number: usize, plan: &Plan) -> Result<Vec<Files>, StartError> {
        let owners = Owners {
            worker: plan.identity,
            gateway_group: self.gateway_group,
        };
        let name = folder_name(number, &plan.app);
        (0..plan.workers)
            .map(|index| Files::create(&self.sockets, &format!("{name}.{index}"), owners))
            .collect()
    }
}

/// A short name that cannot leave the folder or fill a socket path.
fn folder_name(number: usize, app: &str) -> String {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=16).contains(&app.len()) && app.bytes().all(usual) {
        app.to_owned()
    } else {
        format!("app{number}")
    }
}
