//! What the supervisor finds around it, and how an app's options become a plan there. Starts nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::cgroup::Groups;
use crate::count;
use crate::identity::Identity;
use crate::launch::{Launch, NodeQuestion, Target};
use crate::numbers::Numbers;
use crate::options::AppOptions;
use crate::plan::{Plan, PlanState};
use crate::probe::Prober;
use crate::socket::Owners;
use crate::start_error::StartError;

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
    /// Who asks a worker whether it is ready, where `Ready::Http` wants it.
    pub prober: Prober,
    /// The group of whoever connects to the workers, when it is not our own user.
    pub gateway_group: Option<u32>,
    /// Where apps that may have only so much together are put.
    pub groups: Groups,
    /// By which workers are known to people and to themselves.
    pub numbers: Numbers,
    /// The writing end of the guard's pipe (see [`crate::guard`]): it is told every worker's process group.
    pub guard: Option<OwnedFd>,
}

/// What a start of an app would come to.
#[derive(Debug)]
pub struct Examined {
    /// What would be executed.
    pub launch: Launch,
    /// How many workers there would be.
    pub workers: u32,
    /// As whom they would run; as we, if that is not said.
    pub identity: Option<Identity>,
    /// What a Node is asked, if it runs the app and its project wants a certain one.
    pub node: Option<NodeQuestion>,
    /// How many files and connections each of their processes might have open; without bound, if that is not said.
    pub open_files: Option<u64>,
}

impl Surroundings {
    /// Decides everything about a release that does not change from start to start.
    pub(crate) fn plan(&self, mut options: AppOptions) -> Result<Plan, StartError> {
        let app = options.name.clone();
        let cwd = options.cwd.as_ref();
        let cwd = cwd.map_or_else(|| self.cwd.clone(), |cwd| self.cwd.join(cwd));
        let cwd = resolved(cwd);
        if let Target::Path(path) = &mut options.target {
            resolve_folder(path, &cwd);
        }
        let environment = self.environment_of(&options);
        let launch = Launch::resolve(&options.target, &options.command_line, &environment, &cwd);
        let launch = launch.map_err(|source| StartError::Launch {
            app: app.clone(),
            source,
        })?;
        let user = options.user.as_deref();
        let identity = user
            .map(|user| Identity::resolve(user, options.group.as_deref()))
            .transpose()
            .map_err(|source| StartError::Identity {
                app: app.clone(),
                source,
            })?;
        let plan = self.planned(PlanState {
            workers: count::workers(options.workers),
            launch,
            identity,
            options,
        })?;
        plan.several_workers_need_ports_of_their_own()?;
        Ok(plan)
    }

    /// What was decided, with what follows from it here.
    pub(crate) fn planned(&self, decided: PlanState) -> Result<Plan, StartError> {
        let PlanState {
            options,
            launch,
            workers,
            identity,
        } = decided;
        let limits = options.limits.resolve();
        let limits = limits.map_err(|source| StartError::Limit {
            app: options.name.clone(),
            source,
        })?;
        Ok(Plan {
            cgroup: self.groups.of(&options.name, &options.group_limits),
            app: options.name.as_str().into(),
            environment: self.environment_of(&options),
            launch,
            workers,
            identity,
            limits,
            prober: self.prober.clone(),
            preload: self.preload.clone(),
            policy: options.policy(),
            numbers: self.numbers.clone(),
            options,
        })
    }

    fn environment_of(&self, options: &AppOptions) -> BTreeMap<OsString, OsString> {
        let mut environment = options.filter_env.apply(self.environment.clone());
        let own = options.env.iter();
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        environment
    }

    /// What a start of this app would come to, as far as that can be known without starting anything.
    ///
    /// # Errors
    /// What a start would fail with.
    pub fn examine(&self, options: AppOptions) -> Result<Examined, StartError> {
        let plan = self.plan(options)?;
        Ok(Examined {
            open_files: plan.limits.iter().find_map(|(resource, limit)| {
                (*resource == rustix::process::Resource::Nofile).then_some(limit.current)?
            }),
            node: NodeQuestion::of(&plan),
            launch: plan.launch,
            workers: plan.workers,
            identity: plan.identity,
        })
    }

    /// Who has to do with the files of a plan's workers.
    pub(crate) fn owners(&self, plan: &Plan) -> Owners {
        Owners {
            worker: plan.identity,
            gateway_group: self.gateway_group,
        }
    }
}

/// The folder behind its symlinks. Where `current` leads is decided once for a release: a worker that is started again
/// after the link was moved is still of the release it belongs to.
fn resolved(folder: PathBuf) -> PathBuf {
    // One that is not there is complained about where it is used.
    folder.canonicalize().unwrap_or(folder)
}

/// As above for the folder of a file. The file itself keeps its name: what it is called may be what it does.
fn resolve_folder(path: &mut PathBuf, cwd: &Path) {
    let Some(name) = path.file_name() else { return };
    let is_link = path.parent().is_some_and(|folder| {
        let folder = cwd.join(folder);
        folder.canonicalize().is_ok_and(|real| real != folder)
    });
    if is_link && let Some(folder) = path.parent() {
        *path = resolved(cwd.join(folder)).join(name);
    }
}
