//! What a running instance consists of, and how it is put together. Reacts to nothing.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_config::Settings;
use mainstay_pipeline::DebugToken;
use mainstay_supervisor::cgroup::Groups;
use mainstay_supervisor::{Event, Numbers, Supervisor, Surroundings, count, node};
use tokio::sync::{mpsc, oneshot};

use super::admin::{self, Question};
use super::autoscale::Autoscale;
use super::background::Background;
use super::beginning::beginning;
use super::by_hand::ByHand;
use super::crashes::Crashes;
use super::disabled::Disabled;
use super::fronts::{self, Asked};
use super::gateways::{Gateways, Place};
use super::guard::Guard;
use super::hands::Wish;
use super::invocation::{self, Invocation, Origin};
use super::log_files;
use super::members::{Members, Servers};
use super::nodes::Nodes;
use super::output::Output;
use super::prober::prober;
use super::reloads::Reloads;
use super::roster::Roster;
use super::runtime_dir::{ADMIN, RuntimeDir};
use super::service::Service;
use super::surroundings::{
    debug_token, default_node_env, gateway_identity, instance_id, open_folder,
};
use super::suspended::Suspended;
use super::upgrade::Program;
use super::upkeep::Upkeep;
use super::violations::Violations;
use super::waiting::Waiting;
use crate::failure::Failure;
use crate::order::{Asker, Ending};
use crate::state::Ids;
use crate::{clock, rates};

/// A running instance.
pub(super) struct Control {
    /// What is in force now.
    pub(super) settings: Settings,
    /// What somebody disabled, over these settings.
    pub(super) disabled: Disabled,
    /// What keeps new requests out for now.
    pub(super) suspended: Suspended,
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) threads: usize,
    pub(super) instance: String,
    /// Whoever knows it is told how answers come about; another one for each instance.
    pub(super) debug: DebugToken,
    /// Where each setting in force that somebody gave came from.
    pub(super) places: BTreeMap<String, String>,
    /// Where gateways run; none once they do.
    pub(super) place: Option<Place>,
    pub(super) supervisor: Supervisor,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    pub(super) questions: mpsc::Receiver<Question>,
    /// What holds the instance's place on this machine: its lock and its admin socket.
    pub(super) seat: Seat,
    pub(super) wishes: mpsc::UnboundedReceiver<Wish>,
    pub(super) reloads: Reloads,
    pub(super) upkeep: Upkeep,
    pub(super) autoscale: Autoscale,
    pub(super) crashes: Crashes,
    pub(super) output: Output,
    pub(super) roster: Roster,
    /// Apps that are started when something else is there.
    pub(super) waiting: Waiting,
    /// What browsers reported.
    pub(super) violations: Violations,
    /// Which Node runs them.
    pub(super) nodes: Nodes,
    pub(super) members: Members,
    /// None until every address is known.
    pub(super) gateways: Option<Gateways>,
    /// The addresses that apps ask for themselves, where the settings name none.
    pub(super) asked: Asked,
    /// Where rates are counted, by every gateway.
    pub(super) rates: Arc<OwnedFd>,
    /// Whether `NODE_ENV` was set by us.
    pub(super) set_node_env: bool,
    /// Apps that were ready once.
    pub(super) came_up: HashSet<String>,
    /// Apps of the start that have not been ready yet.
    pub(super) awaited: HashSet<String>,
    /// Those that have shown that they do not come up, and why.
    pub(super) failed: BTreeMap<String, String>,
    /// Who asked for the end: told when it comes.
    pub(super) stop_askers: Vec<Asker>,
    /// There is none where nothing is run.
    pub(super) guard: Option<Guard>,
    /// None in the foreground.
    pub(super) background: Option<Background>,
    /// What an operator did to single apps.
    pub(super) by_hand: ByHand,
    /// The numbers by which workers are known to people.
    pub(super) ids: Ids,
    pub(super) service: Service,
    /// In milliseconds since 1970.
    pub(super) started_at_ms: u64,
    /// Where its sockets are.
    pub(super) runtime: PathBuf,
    /// Whether a gateway has ever served.
    pub(super) serves: bool,
    /// Whether everything that was to be started is there.
    pub(super) is_up: bool,
    /// The program that is to take our place, and who is told if it does not.
    pub(super) handing_over: Option<(Program, oneshot::Sender<Failure>)>,
    /// How the upgrade ended by which this program came.
    pub(super) upgraded: Option<Ending>,
}

/// See [`Control::seat`].
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) lock: OwnedFd,
    pub(super) admin: OwnedFd,
}

impl Control {
    /// Everything is prepared, and no app is started yet.
    pub(super) fn start(invocation: Invocation, runtime_dir: &RuntimeDir) -> Result<Self, Failure> {
        let Invocation {
            settings,
            name,
            origin,
            places,
            background,
        } = invocation;
        let machine = |error: io::Error| {
            Failure::machine(format!("`{}`: {error}", runtime_dir.path.display()))
        };
        let identity = gateway_identity(&settings)?;
        if identity.is_some() {
            runtime_dir.let_pass().map_err(machine)?;
        }
        let preload = node::install(&runtime_dir.path).map_err(machine)?;
        let folder = open_folder(&runtime_dir.sockets).map_err(machine)?;
        let seat = Seat {
            lock: runtime_dir.lock_descriptor().map_err(machine)?,
            admin: admin::open(&runtime_dir.path.join(ADMIN)).map_err(machine)?,
        };
        let questions = admin::listen(&seat.admin).map_err(machine)?;
        let numbers = Numbers::default();
        let plans = log_files::plans(&settings.apps);
        let output = Output::start(background.as_ref(), numbers.clone(), plans)
            .map_err(|error| Failure::internal("the output thread", error))?;
        let (guard, guard_pipe) = guard(&settings, &name)?;

        let mut environment = invocation::environment();
        let set_node_env = !settings.apps.is_empty() && default_node_env(&mut environment);
        let (sender, events) = mpsc::unbounded_channel();
        let surroundings = Surroundings {
            environment,
            cwd: origin.folder.clone(),
            sockets: runtime_dir.sockets.clone(),
            preload,
            prober: prober(),
            gateway_group: identity.map(|identity| identity.gid),
            groups: Groups::own(&name),
            numbers,
            guard: guard_pipe,
        };
        let apps = settings.apps.iter().map(|app| app.options.clone());
        let ids = ids(&name, runtime_dir, &settings, surroundings.numbers.clone());
        let supervisor = Supervisor::prepared(apps.collect(), surroundings, sender)?;
        let members = members(&settings, runtime_dir)?;
        let rates = rate_memory()?;
        let (hands, wishes) = mpsc::unbounded_channel();
        Ok(Self {
            disabled: Disabled::default(),
            violations: Violations::default(),
            suspended: Suspended::default(),
            threads: threads(&settings),
            instance: instance_id(),
            debug: debug_token()?,
            rates: Arc::clone(&rates),
            places,
            place: Some(Place {
                name: name.clone(),
                folder,
                rates,
                output: output.clone(),
                identity,
            }),
            supervisor,
            events,
            questions,
            seat,
            wishes,
            reloads: Reloads::new(hands),
            upkeep: Upkeep::default(),
            autoscale: Autoscale::default(),
            crashes: Crashes::of(&name),
            output,
            roster: Roster::default(),
            waiting: Waiting::default(),
            nodes: Nodes::default(),
            members,
            gateways: None,
            asked: Asked::default(),
            set_node_env,
            came_up: HashSet::new(),
            awaited: names(&settings).collect(),
            failed: BTreeMap::new(),
            stop_askers: Vec::new(),
            guard,
            background,
            by_hand: ByHand::default(),
            ids,
            service: Service::find(),
            started_at_ms: clock::milliseconds(),
            runtime: runtime_dir.path.clone(),
            serves: false,
            is_up: false,
            handing_over: None,
            upgraded: None,
            settings,
            origin,
            name,
        })
    }

    /// Opens the sockets and starts the first gateway on them.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        if !fronts::need_a_gateway(&self.settings) {
            return Ok(());
        }
        if let Some((one, two, address)) = self.asked.clash() {
            return Err(Failure::usage(format!(
                "apps `{one}` and `{two}` both ask for `{address}`; give one of them another `PORT` in its `env`, or write \
                 where it is reached: `listen = \":3001\"` below `[app.{two}]`"
            )));
        }
        let Some(place) = self.place.take() else {
            return Ok(());
        };
        let sockets = fronts::open(&self.settings, &self.asked, self.threads, None)?;
        let mut beginning = beginning(
            &self.disabled.over(&self.settings),
            &sockets,
            &self.workers(),
            self.threads,
            &self.instance,
            &self.debug,
        );
        beginning.suspension = self.suspended.in_force(tokio::time::Instant::now());
        let targets = self.settings.targets();
        beginning.members = targets
            .map(|target| (target.to_owned(), self.members.of(target)))
            .collect();
        self.gateways = Some(Gateways::start(place, sockets, beginning)?);
        Ok(())
    }

    /// How many workers each app is meant to have: none, if somebody stopped it.
    pub(super) fn workers(&self) -> Vec<(String, u32)> {
        let apps = self.supervisor.apps().into_iter();
        let counts = apps.map(|(app, count)| match self.by_hand.halted(&app) {
            Some(_) => (app.to_string(), 0),
            None => (app.to_string(), count),
        });
        counts.collect()
    }
}

/// Where every gateway counts rates.
fn rate_memory() -> Result<Arc<OwnedFd>, Failure> {
    let made = rates::make().map(Arc::new);
    made.map_err(|error| Failure::internal("the memory for rates", error))
}

/// With the servers that run elsewhere.
fn members(settings: &Settings, runtime_dir: &RuntimeDir) -> Result<Members, Failure> {
    let mut members = Members::new(runtime_dir.sockets.clone());
    for upstream in &settings.upstreams {
        let (upstream, servers) = members.numbered(Servers::resolve(upstream)?);
        members.set_servers(&upstream, servers);
    }
    Ok(members)
}

/// The guard and the way to it, where there is anything to guard.
fn guard(settings: &Settings, name: &str) -> Result<(Option<Guard>, Option<OwnedFd>), Failure> {
    if settings.apps.is_empty() {
        return Ok((None, None));
    }
    let (guard, pipe) = Guard::start(name)?;
    Ok((Some(guard), Some(pipe)))
}

/// Of all apps.
fn names(settings: &Settings) -> impl Iterator<Item = String> {
    settings.apps.iter().map(|app| app.name().to_owned())
}

/// A number for every worker that is about to be started.
fn ids(name: &str, runtime_dir: &RuntimeDir, settings: &Settings, told: Numbers) -> Ids {
    let mut ids = Ids::of(name, &runtime_dir.path, told);
    let counts = settings.apps.iter().map(|app| {
        let workers = count::workers(app.options.workers);
        (app.name().to_owned(), workers)
    });
    ids.claim(&counts.collect::<Vec<_>>());
    ids
}

/// What apps are started with.
pub(super) const FIRST_RELEASE: u32 = 1;

/// Threads of the gateway.
pub(super) fn threads(settings: &Settings) -> usize {
    let asked = settings.listen.threads;
    asked.map_or_else(count::processors, u32::from) as usize
}
