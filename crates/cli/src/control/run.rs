//! Start and stop of an instance, and what happens between.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mainstay_config::{Layer, Settings};
use mainstay_pipeline::{HealthOptions, WaitOptions};
use mainstay_proxy::{ClientOptions, Options, UpstreamOptions};
use mainstay_supervisor::events::ReadyWorker;
use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::process::Process;
use mainstay_supervisor::{Event, Supervisor, Surroundings, count, node};
use mainstay_values::Address;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::admin::{self, Question};
use super::fronts::{self, Sockets};
use super::gateway::{Gateway, Heard};
use super::invocation::{self, Greeting, Invocation};
use super::members::Members;
use super::output::Output;
use super::runtime_dir::{ADMIN, RuntimeDir};
use super::{guard, report};
use crate::failure::Failure;
use crate::protocol::{AccessLogging, Beginning, Down, Observe, Up, VERSION};
use crate::{Outcome, say};

/// How long connections may take to end when the instance stops.
const GRACE: Duration = Duration::from_secs(10);
/// A gateway that ends sooner than this after its start is not started again at once.
const HEALTHY: Duration = Duration::from_secs(5);
/// The longest pause before a gateway is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs as the control plane.
pub(crate) fn main() -> Outcome {
    let invocation = invocation::receive()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    runtime.block_on(run(invocation))
}

/// From start to stop, in order.
async fn run(invocation: Invocation) -> Outcome {
    let mut signals = Signals::new().map_err(|error| Failure::internal("signals", error))?;
    let runtime_dir = RuntimeDir::claim(&invocation.name)?;
    let mut control = Control::start(invocation, &runtime_dir)?;
    let result = control.serve(&mut signals).await;
    control.stop(&mut signals).await;
    result
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A running instance.
struct Control {
    settings: Settings,
    name: String,
    greeting: Greeting,
    threads: usize,
    identity: Option<Identity>,
    instance: String,
    folder: OwnedFd,
    supervisor: Supervisor,
    events: mpsc::UnboundedReceiver<Event>,
    questions: mpsc::Receiver<Question>,
    output: Output,
    members: Members,
    /// None until every address is known.
    sockets: Option<Sockets>,
    gateway: Option<Gateway>,
    gateway_started: Instant,
    pause: Duration,
    has_greeted: bool,
    /// Whether `NODE_ENV` was set by us.
    set_node_env: bool,
    /// Apps that were ready once.
    came_up: HashMap<String, bool>,
    tickets: HashMap<u64, oneshot::Sender<String>>,
    next_ticket: u64,
    _guard: Option<Process>,
}

impl Control {
    fn start(invocation: Invocation, runtime_dir: &RuntimeDir) -> Result<Self, Failure> {
        let Invocation {
            settings,
            name,
            greeting,
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
        let questions = admin::open(&runtime_dir.path.join(ADMIN)).map_err(machine)?;
        let output =
            Output::start().map_err(|error| Failure::internal("the output thread", error))?;
        let (guard, guard_pipe) = if settings.apps.is_empty() {
            (None, None)
        } else {
            let (process, pipe) = guard::start(&name)?;
            (Some(process), Some(pipe))
        };

        let mut environment = invocation::environment();
        let set_node_env = !settings.apps.is_empty() && default_node_env(&mut environment);
        let (sender, events) = mpsc::unbounded_channel();
        let surroundings = Surroundings {
            environment,
            cwd: std::env::current_dir()
                .map_err(|error| Failure::machine(format!("no current folder: {error}")))?,
            sockets: runtime_dir.sockets.clone(),
            preload,
            gateway_group: identity.map(|identity| identity.gid),
            guard: guard_pipe,
        };
        let apps = settings
            .apps
            .iter()
            .map(|app| app.options.clone())
            .collect();
        let supervisor = Supervisor::start(apps, surroundings, sender)?;

        let mut members = Members::new(settings.targets().count(), runtime_dir.sockets.clone());
        for (index, upstream) in settings.upstreams.iter().enumerate() {
            members.set_upstream(settings.apps.len() + index, upstream)?;
        }
        let threads = settings
            .listen
            .threads
            .map_or_else(count::processors, u32::from) as usize;
        Ok(Self {
            threads,
            identity,
            instance: instance_id(),
            folder,
            supervisor,
            events,
            questions,
            output,
            members,
            sockets: None,
            gateway: None,
            gateway_started: Instant::now(),
            pause: Duration::ZERO,
            has_greeted: false,
            set_node_env,
            came_up: HashMap::new(),
            tickets: HashMap::new(),
            next_ticket: 0,
            _guard: guard,
            settings,
            name,
            greeting,
        })
    }

    /// Serves until it is told to end, or must.
    async fn serve(&mut self, signals: &mut Signals) -> Outcome {
        if fronts::decides_the_address(&self.settings).is_none() {
            self.open(None).await?;
        }
        loop {
            tokio::select! {
                () = signals.end() => return Ok(ExitCode::SUCCESS),
                Some(event) = self.events.recv() => self.on_event(event).await?,
                heard = hear(&mut self.gateway) => self.on_heard(heard).await?,
                Some(question) = self.questions.recv() => self.on_question(question).await,
            }
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Output(line) => self.output.app(line),
            Event::Ready(worker) => self.on_ready(&worker).await?,
            Event::Exited {
                worker,
                exit,
                was_ready,
                restart_in,
                hint,
                ..
            } => {
                self.leave(&worker.app.clone(), |members, target| {
                    members.remove(target, &worker)
                })
                .await;
                if was_ready {
                    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                    say::warning(&format!(
                        "{worker} {exit}; it starts again in {} ms{hint}",
                        restart_in.as_millis()
                    ));
                }
            }
            Event::Stopped { worker, .. } => {
                self.leave(&worker.app.clone(), |members, target| {
                    members.remove(target, &worker)
                })
                .await;
            }
            Event::Failed(failure) => {
                if !self.came_up.contains_key(&*failure.worker.app) {
                    self.output.settle();
                    return Err(Failure::app(report::failed(&failure)));
                }
                say::warning(&report::failed(&failure));
            }
            Event::Note { worker, note } => report::note(&worker, &note),
            Event::Started { .. } | Event::Stats { .. } => {}
        }
        Ok(())
    }

    async fn on_ready(&mut self, worker: &ReadyWorker) -> Result<(), Failure> {
        self.came_up.insert(worker.worker.app.to_string(), true);
        if let Some(app) = fronts::decides_the_address(&self.settings)
            && self.sockets.is_none()
            && app.name() == &*worker.worker.app
        {
            let asked = asked_address(worker);
            self.open(Some(&asked)).await?;
        }
        report::trust_hint(worker);
        self.leave(&worker.worker.app, |members, target| {
            members.add(target, worker)
        })
        .await;
        Ok(())
    }

    /// Changes a target's members and tells the gateway.
    async fn leave(&mut self, app: &str, change: impl FnOnce(&mut Members, usize) -> Option<Down>) {
        let Some(target) = self.settings.targets().position(|target| target == app) else {
            return;
        };
        if let Some(message) = change(&mut self.members, target)
            && let Some(gateway) = &mut self.gateway
        {
            gateway.tell(&message).await;
        }
    }

    /// Opens the sockets and starts the gateway on them.
    async fn open(&mut self, asked: Option<&Address>) -> Result<(), Failure> {
        self.sockets = Some(fronts::open(&self.settings, asked, self.threads)?);
        self.start_gateway().await
    }

    async fn start_gateway(&mut self) -> Result<(), Failure> {
        let Some(sockets) = &self.sockets else {
            return Ok(());
        };
        let beginning = self.beginning(sockets);
        let mut gateway =
            Gateway::start(&self.name, sockets, &self.folder, self.identity, beginning).await?;
        for message in self.members.messages() {
            gateway.tell(&message).await;
        }
        self.gateway_started = Instant::now();
        self.gateway = Some(gateway);
        Ok(())
    }

    fn beginning(&self, sockets: &Sockets) -> Beginning {
        let settings = &self.settings;
        let workers: BTreeMap<String, u32> = self.workers().into_iter().collect();
        Beginning {
            version: VERSION,
            threads: self.threads,
            fronts: sockets.fronts(),
            observe: if sockets.observe.is_some() {
                Observe::Served
            } else {
                Observe::Off
            },
            targets: fronts::targets(settings, |app| {
                workers.get(app).map_or(1, |count| *count as usize)
            }),
            wait: WaitOptions {
                queue: settings.limits.queue as usize,
                patience: settings.timeouts.queue,
            },
            trusted_proxies: settings.trusted_proxies.clone(),
            headers: settings.headers.clone(),
            health: HealthOptions {
                enabled: settings.has(Layer::Health),
            },
            instance: self.instance.clone(),
            proxy: proxy_options(settings),
            access_log: if settings.log.access {
                AccessLogging::Json
            } else {
                AccessLogging::Off
            },
        }
    }

    fn workers(&self) -> Vec<(String, u32)> {
        self.supervisor
            .apps()
            .into_iter()
            .map(|(app, count)| (app.to_string(), count))
            .collect()
    }

    async fn on_heard(&mut self, heard: Heard) -> Result<(), Failure> {
        match heard {
            Heard::Lines(lines) => self.output.access(lines),
            Heard::Said(Up::Ready) => self.greet(),
            Heard::Said(Up::Notices(sentences)) => {
                sentences.iter().for_each(|sentence| say::warning(sentence))
            }
            Heard::Said(Up::Metrics { ticket, text }) => {
                if let Some(asker) = self.tickets.remove(&ticket) {
                    let _ = asker.send(text);
                }
            }
            Heard::Said(Up::Drained) => {}
            Heard::Ended => self.restart_gateway().await?,
        }
        Ok(())
    }

    /// The gateway is gone: connections are lost, workers and sockets are not.
    async fn restart_gateway(&mut self) -> Result<(), Failure> {
        let Some(gateway) = self.gateway.take() else {
            return Ok(());
        };
        let exit = gateway
            .process
            .wait()
            .await
            .map_or_else(|error| error.to_string(), |exit| exit.to_string());
        self.tickets.clear();
        self.pause = if self.gateway_started.elapsed() > HEALTHY {
            Duration::ZERO
        } else {
            (self.pause * 2).clamp(Duration::from_millis(50), LONGEST_PAUSE)
        };
        say::warning(&format!(
            "the gateway {exit}; it starts again in {} ms",
            self.pause.as_millis()
        ));
        #[expect(
            clippy::disallowed_methods,
            reason = "a back-off of the control plane, not of a request"
        )]
        tokio::time::sleep(self.pause).await;
        self.start_gateway().await
    }

    fn greet(&mut self) {
        let Some(sockets) = &self.sockets else { return };
        if std::mem::replace(&mut self.has_greeted, true) {
            return;
        }
        report::start(&self.settings, &self.name, sockets, &self.workers());
        if self.set_node_env {
            report::node_env();
        }
        report::greeting(self.greeting, sockets);
    }

    async fn on_question(&mut self, question: Question) {
        match question {
            Question::Metrics(asker) => {
                if let Some(gateway) = &mut self.gateway {
                    self.next_ticket += 1;
                    self.tickets.insert(self.next_ticket, asker);
                    gateway
                        .tell(&Down::Metrics {
                            ticket: self.next_ticket,
                        })
                        .await;
                }
            }
            Question::Status(asker) => drop(asker.send(self.status_text())),
            Question::StatusJson(asker) => drop(asker.send(format!("{}\n", self.status()))),
        }
    }

    fn status(&self) -> serde_json::Value {
        let addresses: Vec<String> = self
            .sockets
            .iter()
            .flat_map(|sockets| &sockets.fronts)
            .flat_map(|front| &front.bound)
            .map(|bound| bound.address.to_string())
            .collect();
        let workers: BTreeMap<String, u32> = self.workers().into_iter().collect();
        let targets: Vec<serde_json::Value> = fronts::targets(&self.settings, |app| workers.get(app).map_or(1, |count| *count as usize))
            .into_iter()
            .enumerate()
            .map(|(index, target)| {
                serde_json::json!({
                    "name": target.name, "kind": target.kind, "wanted": target.wanted, "ready": self.members.count(index),
                })
            })
            .collect();
        serde_json::json!({
            "name": self.name,
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "gateway_pid": self.gateway.as_ref().map(|gateway| gateway.process.id()),
            "addresses": addresses,
            "targets": targets,
        })
    }

    fn status_text(&self) -> String {
        use std::fmt::Write as _;
        let status = self.status();
        let mut text = format!(
            "{} · mainstay {} · pid {}\n",
            self.name,
            env!("CARGO_PKG_VERSION"),
            std::process::id()
        );
        for address in status["addresses"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "  http://{}", address.as_str().unwrap_or_default());
        }
        for target in status["targets"].as_array().into_iter().flatten() {
            let _ = writeln!(
                text,
                "  {}: {} of {} ready",
                target["name"].as_str().unwrap_or_default(),
                target["ready"],
                target["wanted"]
            );
        }
        text
    }

    /// Connections first, then workers; a second signal hurries.
    async fn stop(&mut self, signals: &mut Signals) {
        let orderly = async {
            self.drain_gateway().await;
            let mut stopping = std::pin::pin!(self.supervisor.stop_all());
            loop {
                tokio::select! {
                    () = &mut stopping => return,
                    Some(event) = self.events.recv() => pass_on(event, &self.output),
                }
            }
        };
        tokio::select! {
            () = orderly => {}
            () = signals.end() => self.supervisor.kill_all().await,
        }
        while let Ok(event) = self.events.try_recv() {
            pass_on(event, &self.output);
        }
        self.output.settle();
    }

    async fn drain_gateway(&mut self) {
        let Some(gateway) = &mut self.gateway else {
            return;
        };
        gateway
            .tell(&Down::Drain {
                grace_ms: GRACE.as_millis() as u64,
            })
            .await;
        let drained = async {
            loop {
                tokio::select! {
                    heard = gateway.hear() => match heard {
                        Heard::Lines(lines) => self.output.access(lines),
                        Heard::Ended => return,
                        Heard::Said(_) => {}
                    },
                    Some(event) = self.events.recv() => pass_on(event, &self.output),
                }
            }
        };
        let _ = tokio::time::timeout(GRACE + Duration::from_secs(2), drained).await;
    }
}

/// While stopping only the app's words matter.
fn pass_on(event: Event, output: &Output) {
    match event {
        Event::Output(line) => output.app(line),
        Event::Note { worker, note } => report::note(&worker, &note),
        _ => {}
    }
}

async fn hear(gateway: &mut Option<Gateway>) -> Heard {
    match gateway {
        Some(gateway) => gateway.hear().await,
        None => std::future::pending().await,
    }
}

/// Where the app wanted to listen: there we listen in its place.
fn asked_address(worker: &ReadyWorker) -> Address {
    let port = worker
        .port_asked
        .or_else(|| {
            std::env::var("PORT")
                .ok()
                .and_then(|port| port.parse().ok())
        })
        .unwrap_or(3000);
    let ip = worker
        .address_asked
        .as_deref()
        .and_then(|address| address.parse::<std::net::IpAddr>().ok());
    match ip {
        Some(ip) if !ip.is_unspecified() => Address::Socket((ip, port).into()),
        _ => Address::Port(port),
    }
}

/// As whom the gateway runs: as the settings say; as nobody when we are root; else as we.
fn gateway_identity(settings: &Settings) -> Result<Option<Identity>, Failure> {
    let resolve = |user: &str| {
        Identity::resolve(user, settings.group.as_deref())
            .map(Some)
            .map_err(|error| Failure::usage(format!("the gateway's user: {error}")))
    };
    match &settings.user {
        Some(user) => resolve(user),
        None if rustix::process::geteuid().is_root() => {
            // 65534 is nobody everywhere, with or without an entry
            Ok(resolve("nobody").unwrap_or(Some(Identity {
                uid: 65_534,
                gid: 65_534,
            })))
        }
        None => Ok(None),
    }
}

fn open_folder(path: &std::path::Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Tells instances apart in `Via`.
fn instance_id() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!(
        "{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    )
}

/// Whether `NODE_ENV` had to be set.
fn default_node_env(environment: &mut BTreeMap<OsString, OsString>) -> bool {
    let name = OsString::from("NODE_ENV");
    if environment.contains_key(&name) {
        return false;
    }
    environment.insert(name, OsString::from("production"));
    true
}

fn proxy_options(settings: &Settings) -> Options {
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    let size = |size: mainstay_values::Size| usize::try_from(size.as_bytes()).unwrap_or(usize::MAX);
    Options {
        client: ClientOptions {
            head: size(limits.head),
            field: size(limits.field),
            fields: limits.fields as usize,
            target: size(limits.target),
            head_timeout: timeouts.head,
            keep_alive: timeouts.keep_alive,
            keep_alive_trusted: timeouts.keep_alive_trusted,
            body_minimum: size(limits.body_rate)
                .saturating_mul(timeouts.body_period.as_secs().max(1) as usize),
            body_period: timeouts.body_period,
            send_timeout: timeouts.send,
            ..ClientOptions::default()
        },
        upstream: UpstreamOptions {
            connect_timeout: timeouts.connect,
            head_timeout: timeouts.response,
            body_timeout: timeouts.idle,
            ..UpstreamOptions::default()
        },
    }
}
