//! Start and stop of an instance, and what happens between.

use std::collections::HashSet;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use mainstay_config::Settings;
use mainstay_proxy::DrainOptions;
use mainstay_supervisor::events::{ReadyWorker, Why};
use mainstay_supervisor::process::Process;
use mainstay_supervisor::{Event, Supervisor, Surroundings, count, node};
use mainstay_values::Address;
use tokio::sync::mpsc;

use super::admin::{self, Question};
use super::beginning::beginning;
use super::fronts;
use super::gateways::{Gateways, Heard, Place};
use super::invocation::{self, Greeting, Invocation};
use super::members::Members;
use super::output::Output;
use super::prober::prober;
use super::runtime_dir::{ADMIN, RuntimeDir};
use super::signals::Signals;
use super::status::Status;
use super::surroundings::{default_node_env, gateway_identity, instance_id, open_folder};
use super::{guard, report};
use crate::failure::Failure;
use crate::protocol::Member;
use crate::{Outcome, say};

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
    instance: String,
    /// Where gateways run; none once they do.
    place: Option<Place>,
    supervisor: Supervisor,
    events: mpsc::UnboundedReceiver<Event>,
    questions: mpsc::Receiver<Question>,
    output: Output,
    members: Members,
    /// None until every address is known.
    gateways: Option<Gateways>,
    /// Whether `NODE_ENV` was set by us.
    set_node_env: bool,
    /// Apps that were ready once.
    came_up: HashSet<String>,
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
            prober: prober(),
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
            instance: instance_id(),
            place: Some(Place {
                name: name.clone(),
                folder,
                identity,
            }),
            supervisor,
            events,
            questions,
            output,
            members,
            gateways: None,
            set_node_env,
            came_up: HashSet::new(),
            _guard: guard,
            settings,
            name,
            greeting,
        })
    }

    /// Serves until it is told to end, or must.
    async fn serve(&mut self, signals: &mut Signals) -> Outcome {
        if fronts::decides_the_address(&self.settings).is_none() {
            self.open(None)?;
        }
        loop {
            tokio::select! {
                () = signals.end() => return Ok(ExitCode::SUCCESS),
                Some(event) = self.events.recv() => self.on_event(event)?,
                heard = hear(&mut self.gateways) => self.on_heard(heard),
                Some(question) = self.questions.recv() => self.on_question(question),
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Output(line) => self.output.app(line),
            Event::Ready(worker) => self.on_ready(&worker)?,
            Event::Exited {
                worker,
                exit,
                was_ready,
                restart_in,
                hint,
                ..
            } => {
                self.change(&worker.app, |members, target| {
                    members.remove(target, &worker)
                });
                if was_ready {
                    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                    let again = report::again(restart_in);
                    say::warning(&format!("{worker} {exit}; {again}{hint}"));
                }
            }
            Event::Stopped { worker, .. } => {
                self.change(&worker.app, |members, target| {
                    members.remove(target, &worker)
                });
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
                self.change(&worker.app, |members, target| {
                    members.remove(target, &worker)
                });
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

    fn on_ready(&mut self, worker: &ReadyWorker) -> Result<(), Failure> {
        let is_first = self.came_up.insert(worker.worker.app.to_string());
        if let Some(app) = fronts::decides_the_address(&self.settings)
            && self.gateways.is_none()
            && app.name() == &*worker.worker.app
        {
            let asked = fronts::asked_address(worker);
            self.open(Some(&asked))?;
        }
        if is_first {
            report::trust_hint(worker);
        }
        self.change(&worker.worker.app, |members, target| {
            members.add(target, worker)
        });
        Ok(())
    }

    /// Changes a target's members and tells the gateways.
    fn change(&mut self, app: &str, change: impl FnOnce(&mut Members, usize) -> Option<&[Member]>) {
        let Some(target) = self.settings.targets().position(|target| target == app) else {
            return;
        };
        if let Some(members) = change(&mut self.members, target)
            && let Some(gateways) = &mut self.gateways
        {
            gateways.set_members(app, members, Duration::ZERO);
        }
    }

    /// Opens the sockets and starts the first gateway on them.
    fn open(&mut self, asked: Option<&Address>) -> Result<(), Failure> {
        let Some(place) = self.place.take() else {
            return Ok(());
        };
        let sockets = fronts::open(&self.settings, asked, self.threads)?;
        let beginning = beginning(
            &self.settings,
            &sockets,
            &self.workers(),
            self.threads,
            &self.instance,
        );
        let mut gateways = Gateways::start(place, sockets, beginning)?;
        for (index, target) in self.settings.targets().enumerate() {
            gateways.set_members(target, self.members.of(index), Duration::ZERO);
        }
        self.gateways = Some(gateways);
        Ok(())
    }

    fn workers(&self) -> Vec<(String, u32)> {
        self.supervisor
            .apps()
            .into_iter()
            .map(|(app, count)| (app.to_string(), count))
            .collect()
    }

    fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Lines(lines) => self.output.access(lines),
            Heard::Ready => self.greet(),
            heard => report::gateway(&heard),
        }
    }

    fn greet(&self) {
        let Some(gateways) = &self.gateways else {
            return;
        };
        let sockets = gateways.sockets();
        report::start(&self.settings, &self.name, sockets, &self.workers());
        if self.set_node_env {
            report::node_env();
        }
        report::greeting(self.greeting, sockets);
    }

    fn on_question(&mut self, question: Question) {
        match question {
            Question::Metrics(asker) => {
                if let Some(gateways) = &mut self.gateways {
                    gateways.metrics(asker);
                }
            }
            Question::Status(asker) => drop(asker.send(self.status().text())),
            Question::StatusJson(asker) => drop(asker.send(self.status().json())),
        }
    }

    fn status(&self) -> Status {
        let gateways = self.gateways.as_ref();
        Status::of(
            &self.name,
            &self.settings,
            gateways.map(Gateways::sockets),
            &self.members,
            &self.workers(),
            gateways.map(Gateways::state),
        )
    }

    /// Connections first, then workers; a second signal hurries.
    async fn stop(&mut self, signals: &mut Signals) {
        let orderly = async {
            self.drain_gateways().await;
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
            () = signals.end() => {
                self.gateways.iter_mut().for_each(Gateways::kill);
                self.supervisor.kill_all().await;
            }
        }
        while let Ok(event) = self.events.try_recv() {
            pass_on(event, &self.output);
        }
        self.output.settle();
    }

    async fn drain_gateways(&mut self) {
        let Some(gateways) = &mut self.gateways else {
            return;
        };
        gateways.drain(&DrainOptions::default());
        loop {
            tokio::select! {
                heard = gateways.hear() => match heard {
                    Heard::Lines(lines) => self.output.access(lines),
                    Heard::Drained => return,
                    _ => {}
                },
                Some(event) = self.events.recv() => pass_on(event, &self.output),
            }
        }
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

async fn hear(gateways: &mut Option<Gateways>) -> Heard {
    match gateways {
        Some(gateways) => gateways.hear().await,
        None => std::future::pending().await,
    }
}
