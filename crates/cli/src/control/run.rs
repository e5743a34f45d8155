//! Start and stop of an instance, and what happens between.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mainstay_config::Settings;
use mainstay_supervisor::events::{ReadyWorker, Why};
use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::process::Process;
use mainstay_supervisor::{Event, Supervisor, Surroundings, count, node};
use mainstay_values::Address;
use tokio::sync::{mpsc, oneshot};

use super::admin::{self, Question};
use super::beginning::beginning;
use super::fronts::{self, Sockets};
use super::gateway::{Gateway, Heard};
use super::invocation::{self, Greeting, Invocation};
use super::members::Members;
use super::output::Output;
use super::runtime_dir::{ADMIN, RuntimeDir};
use super::signals::Signals;
use super::status::Status;
use super::surroundings::{default_node_env, gateway_identity, instance_id, open_folder};
use super::{guard, report};
use crate::failure::Failure;
use crate::protocol::{Down, Up};
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
    came_up: HashSet<String>,
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
            came_up: HashSet::new(),
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
                self.change(&worker.app.clone(), |members, target| {
                    members.remove(target, &worker)
                })
                .await;
                if was_ready {
                    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                    let again = report::again(restart_in);
                    say::warning(&format!("{worker} {exit}; {again}{hint}"));
                }
            }
            Event::Stopped { worker, .. } => {
                self.change(&worker.app.clone(), |members, target| {
                    members.remove(target, &worker)
                })
                .await;
            }
            Event::Failed(failure) => {
                if !self.came_up.contains(&*failure.worker.app) {
                    self.output.settle();
                    return Err(Failure::app(report::failed(&failure)));
                }
                say::warning(&report::failed(&failure));
            }
            Event::Note { worker, note } => report::note(&worker, &note),
            Event::Draining { worker, why } => {
                self.change(&worker.app.clone(), |members, target| {
                    members.remove(target, &worker)
                })
                .await;
                if why == Why::Hung {
                    say::warning(&report::hung(&worker));
                }
                self.supervisor.released(&worker);
            }
            Event::CrashLoop {
                worker,
                deaths,
                within,
            } => say::warning(&report::crash_loop(&worker, deaths, within)),
            Event::Recovered { worker } => say::warning(&report::recovered(&worker)),
            Event::GaveUp { worker } => say::warning(&report::gave_up(&worker)),
            Event::Started { .. } | Event::Stats { .. } => {}
        }
        Ok(())
    }

    async fn on_ready(&mut self, worker: &ReadyWorker) -> Result<(), Failure> {
        let is_first = self.came_up.insert(worker.worker.app.to_string());
        if let Some(app) = fronts::decides_the_address(&self.settings)
            && self.sockets.is_none()
            && app.name() == &*worker.worker.app
        {
            let asked = fronts::asked_address(worker);
            self.open(Some(&asked)).await?;
        }
        if is_first {
            report::trust_hint(worker);
        }
        self.change(&worker.worker.app, |members, target| {
            members.add(target, worker)
        })
        .await;
        Ok(())
    }

    /// Changes a target's members and tells the gateway.
    async fn change(
        &mut self,
        app: &str,
        change: impl FnOnce(&mut Members, usize) -> Option<Down>,
    ) {
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
        let beginning = beginning(
            &self.settings,
            sockets,
            &self.workers(),
            self.threads,
            &self.instance,
        );
        let mut gateway =
            Gateway::start(&self.name, sockets, &self.folder, self.identity, beginning).await?;
        for message in self.members.messages() {
            gateway.tell(&message).await;
        }
        self.gateway_started = Instant::now();
        self.gateway = Some(gateway);
        Ok(())
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
                for sentence in &sentences {
                    say::warning(sentence);
                }
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
            Question::Status(asker) => drop(asker.send(self.status().text())),
            Question::StatusJson(asker) => drop(asker.send(self.status().json())),
        }
    }

    fn status(&self) -> Status {
        let gateway = self.gateway.as_ref();
        Status::of(
            &self.name,
            &self.settings,
            self.sockets.as_ref(),
            &self.members,
            &self.workers(),
            gateway.map(|gateway| gateway.process.id()),
        )
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
