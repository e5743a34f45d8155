//! The moment in which one program takes another's place: everything is put down, the program is exchanged, everything is
//! taken up. Workers and gateways run on and serve meanwhile. If it does not come to that, all goes on as it was.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;

use mainstay_config::Settings;
use mainstay_supervisor::cgroup::Groups;
use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::os::{hear_signals, hold_signals, keep_from_children};
use mainstay_supervisor::{
    Descriptors, HandoverError, Numbers, PutDown, Supervisor, SupervisorState, Surroundings, node,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admin;
use super::autoscale::Autoscale;
use super::beginning::beginning;
use super::crashes::Crashes;
use super::fronts::Sockets;
use super::gateways::{Gateways, GatewaysState, Place};
use super::guard::Guard;
use super::handover::{self, Before, Handover, Head};
use super::invocation::{self, Invocation, Origin};
use super::log_files;
use super::members::Members;
use super::nodes::Nodes;
use super::output::Output;
use super::prober::prober;
use super::relay::RelayState;
use super::reloads::Reloads;
use super::room;
use super::runtime_dir::RuntimeDir;
use super::serve::hear;
use super::service::Service;
use super::signals::Signals;
use super::state::{Control, Seat};
use super::surroundings::{default_node_env, gateway_identity, open_folder};
use super::upgrade::Program;
use super::upkeep::{Upkeep, UpkeepState};
use super::waiting::Waiting;
use crate::failure::Failure;
use crate::order::{Asker, Ending, Order};
use crate::protocol::Beginning;
use crate::say;
use crate::state::Ids;

/// What is open, as the next program finds it.
struct Open {
    lock: RawFd,
    admin: RawFd,
    rates: RawFd,
    gateways: Option<GatewaysState>,
    relays: Vec<RelayState>,
    upkeep: UpkeepState,
}

/// What somebody asked for while everything was put down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    End,
}

impl Control {
    /// What would be handed over now, but for what is under way: for a program that is to show that it can read it.
    pub(super) fn rehearse(&mut self) -> Result<Handover, Failure> {
        if !self.is_up {
            let why = "the instance has not come up yet; upgrade it when it has";
            return Err(Failure::usage(why));
        }
        if self.suspended.is_awaited() {
            let why = "somebody waits until a pause holds everywhere; upgrade when it does";
            return Err(Failure::usage(why));
        }
        let mut descriptors = Descriptors::default();
        let open = self.open_parts(Vec::new(), &mut descriptors);
        let open = open.map_err(internal)?;
        let supervisor = self.supervisor.state(PutDown::default(), &mut descriptors);
        let supervisor = supervisor.map_err(|(_, error)| internal(error))?;
        Ok(self.described(open, supervisor))
    }

    /// Puts everything down and becomes this program. Returns only if that cannot be, and why; then all goes on.
    pub(super) async fn hand_over(&mut self, program: &Program, signals: &mut Signals) -> Failure {
        let mut descriptors = Descriptors::default();
        let failure = match self.put_down().await {
            Ok(put_down) => match self.write_down(put_down, &mut descriptors) {
                Ok(mut handover) => {
                    let become_it =
                        self.become_it(program, &mut handover, &mut descriptors, signals);
                    let failure = become_it.await;
                    let supervisor = handover.supervisor;
                    let resumed = self.supervisor.resume(supervisor, &mut descriptors);
                    complain(resumed);
                    failure
                }
                Err((put_down, failure)) => {
                    complain(self.supervisor.take_back(put_down));
                    failure
                }
            },
            Err(failure) => failure,
        };
        self.output.resume();
        self.gateways.iter_mut().for_each(Gateways::resume);
        failure
    }

    /// Nobody looks after workers and gateways any more; what they had said until then is heard.
    async fn put_down(&mut self) -> Result<PutDown, Failure> {
        let mut workers = std::pin::pin!(self.supervisor.put_down());
        let put_down = loop {
            tokio::select! {
                put_down = &mut workers => break put_down.map_err(internal)?,
                Some(event) = self.events.recv() => self.on_event(event)?,
                heard = hear(&mut self.gateways) => self.on_heard(heard),
            }
        };
        while let Ok(event) = self.events.try_recv() {
            self.on_event(event)?;
        }
        if let Some(gateways) = &mut self.gateways {
            gateways.put_down().await;
            for heard in gateways.take_news() {
                self.on_heard(heard);
            }
        }
        Ok(put_down)
    }

    fn write_down(
        &mut self,
        put_down: PutDown,
        descriptors: &mut Descriptors,
    ) -> Result<Handover, (PutDown, Failure)> {
        let relays = match self.output.put_down(descriptors) {
            Ok(Some(relays)) => relays,
            Ok(None) => return Err((put_down, nobody_reads())),
            Err(error) => return Err((put_down, internal(error))),
        };
        let open = match self.open_parts(relays, descriptors) {
            Ok(open) => open,
            Err(error) => return Err((put_down, internal(error))),
        };
        let supervisor = self.supervisor.state(put_down, descriptors);
        let supervisor = supervisor.map_err(|(put_down, error)| (put_down, internal(error)))?;
        Ok(self.described(open, supervisor))
    }

    /// Lets the program read what stands there, and becomes it.
    async fn become_it(
        &mut self,
        program: &Program,
        handover: &mut Handover,
        descriptors: &mut Descriptors,
        signals: &mut Signals,
    ) -> Failure {
        if let Err(failure) = program.test(handover).await {
            return failure;
        }
        if !program.is_unchanged() {
            return Failure::machine(format!(
                "`{}` was changed while it was tested; try again",
                program.path.display()
            ));
        }
        let workers = self.supervisor.apps().into_iter();
        let workers = workers.map(|(_, count)| count as usize).sum();
        if let Err(why) = room::find(descriptors.numbers().len(), workers) {
            return Failure::machine(why);
        }
        if self.hear_questions() == Asked::End {
            return Failure::cut_short("the instance is stopped");
        }
        self.reloads.turn_away();
        handover.waiting = self.reloads.unasked();
        self.crashes.settle();
        say::settle();
        let error = match exchange(program, handover, descriptors, signals).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        keep_from_children();
        let _ = hear_signals();
        Failure::machine(format!("`{}`: {error}", program.path.display()))
    }

    /// What was asked meanwhile, and whether it was the end. Whoever asks later asks the new program.
    fn hear_questions(&mut self) -> Asked {
        while let Ok(question) = self.questions.try_recv() {
            self.on_question(question);
        }
        if self.stop_askers.is_empty() {
            Asked::Nothing
        } else {
            Asked::End
        }
    }

    fn open_parts(
        &mut self,
        relays: Vec<RelayState>,
        descriptors: &mut Descriptors,
    ) -> io::Result<Open> {
        let gateways = self.gateways.as_mut();
        let gateways = gateways.map(|gateways| gateways.described(descriptors));
        Ok(Open {
            lock: descriptors.keep(self.seat.lock.try_clone()?),
            admin: descriptors.keep(self.seat.admin.try_clone()?),
            rates: descriptors.keep(self.rates.try_clone()?),
            gateways: gateways.transpose()?,
            relays,
            upkeep: self.upkeep.state(descriptors)?,
        })
    }

    fn described(&self, open: Open, supervisor: SupervisorState) -> Handover {
        Handover {
            head: Head::own(),
            descriptors: Vec::new(),
            program: None,
            invocation: Invocation {
                settings: self.settings.clone(),
                name: self.name.clone(),
                origin: self.origin.clone(),
                places: self.places.clone(),
                background: self.background.clone(),
            },
            runtime: self.runtime.clone(),
            lock: open.lock,
            admin: open.admin,
            rates: open.rates,
            relays: open.relays,
            guard: self.guard.as_ref().map(Guard::state),
            supervisor,
            gateways: open.gateways,
            disabled: self.disabled.state(),
            suspended: self.suspended.state(),
            threads: self.threads,
            instance: self.instance.clone(),
            debug: self.debug.clone(),
            crashes: self.crashes.reports(),
            roster: self.roster.state(),
            violations: self.violations.state(),
            members: self.members.state(),
            asked: self.asked.clone(),
            set_node_env: self.set_node_env,
            came_up: self.came_up.clone(),
            awaited: self.awaited.clone(),
            held_back: self.waiting.state(),
            failed: self.failed.clone(),
            by_hand: self.by_hand.clone(),
            numbers: self.ids.numbers().clone(),
            started_at_ms: self.started_at_ms,
            serves: self.serves,
            is_up: self.is_up,
            upkeep: open.upkeep,
            waiting: self.reloads.unasked(),
        }
    }

    /// Goes on where the program before has put everything down.
    pub(super) fn take_up(
        handover: Handover,
        descriptors: &mut Descriptors,
        runtime_dir: &RuntimeDir,
    ) -> Result<Self, Failure> {
        let Invocation {
            settings,
            name,
            origin,
            places,
            background,
        } = handover.invocation;
        let identity = gateway_identity(&settings)?;
        let folder = open_folder(&runtime_dir.sockets).map_err(internal)?;
        let mut take = |number| descriptors.take(number).map_err(internal);
        let seat = Seat {
            lock: runtime_dir.lock_descriptor().map_err(internal)?,
            admin: take(handover.admin)?,
        };
        let rates = Arc::new(take(handover.rates)?);
        let numbers = Numbers::default();
        let plans = log_files::plans(&settings.apps);
        let output = Output::start(background.as_ref(), numbers.clone(), plans);
        let output = output.map_err(internal)?;
        let guard = handover.guard.map(|guard| Guard::take_up(&name, &guard));
        let guard = guard.transpose().map_err(internal)?;

        let (sender, events) = mpsc::unbounded_channel();
        let surroundings = surroundings(&name, &settings, &origin, runtime_dir, identity, numbers)?;
        let ids = Ids::of(&name, &runtime_dir.path, surroundings.numbers.clone());
        let ids = ids.take_up(handover.numbers);
        let supervisor =
            Supervisor::take_up(handover.supervisor, descriptors, surroundings, sender)
                .map_err(|error| Failure::machine(format!("taking over: {error}")))?;
        let (hands, wishes) = mpsc::unbounded_channel();
        let questions = admin::listen(&seat.admin).map_err(internal)?;
        let place = Place {
            name: name.clone(),
            folder,
            rates: Arc::clone(&rates),
            output: output.clone(),
            identity,
        };
        let mut control = Self {
            disabled: handover.disabled.into(),
            suspended: handover.suspended.into(),
            violations: handover.violations.into(),
            members: Members::take_up(handover.members, runtime_dir.sockets.clone()),
            roster: handover.roster.into(),
            crashes: Crashes::take_up(&name, handover.crashes),
            threads: handover.threads,
            instance: handover.instance,
            debug: handover.debug,
            asked: handover.asked,
            set_node_env: handover.set_node_env,
            came_up: handover.came_up,
            awaited: handover.awaited,
            waiting: Waiting::take_up(handover.held_back),
            failed: handover.failed,
            nodes: Nodes::default(),
            by_hand: handover.by_hand,
            started_at_ms: handover.started_at_ms,
            serves: handover.serves,
            is_up: handover.is_up,
            place: None,
            gateways: None,
            reloads: Reloads::take_up(hands, handover.waiting),
            upkeep: Upkeep::take_up(handover.upkeep, descriptors),
            autoscale: Autoscale::default(),
            service: Service::find(),
            runtime: runtime_dir.path.clone(),
            stop_askers: Vec::new(),
            handing_over: None,
            upgraded: None,
            rates,
            output,
            guard,
            ids,
            supervisor,
            events,
            questions,
            seat,
            wishes,
            settings,
            name,
            origin,
            places,
            background,
        };
        match handover.gateways {
            Some(state) => {
                // as this program would tell it, not as the one before did
                let told = |sockets: &Sockets| control.beginning(sockets);
                let gateways = Gateways::take_up(state, descriptors, place, told);
                control.gateways = Some(gateways.map_err(internal)?);
            }
            None => control.place = Some(place),
        }
        // last: what a thread has read cannot be handed back
        let relayed = control.output.take_up(handover.relays, descriptors);
        relayed.map_err(internal)?;
        Ok(control)
    }

    fn beginning(&self, sockets: &Sockets) -> Beginning {
        let mut beginning = beginning(
            &self.disabled.over(&self.settings),
            sockets,
            &self.workers(),
            self.threads,
            &self.instance,
            &self.debug,
        );
        beginning.suspension = self.suspended.in_force(Instant::now());
        beginning
    }

    /// What is left to do once everything is taken up.
    pub(super) fn complete_upgrade(&mut self, before: Before) {
        match before {
            Before::Version(before) => {
                self.reloads.add_first(Order::Upgraded { before });
                self.begin_next();
            }
            Before::Refused(why) => {
                let why = format!("the new program could not take over: {why}; this one goes on");
                say::warning(&why);
                self.upgraded = Some(Failure::machine(why).into());
                self.begin_next();
            }
        }
    }

    /// The upgrade by which this program came has ended.
    pub(super) fn note_upgraded(&mut self, ending: &Ending) {
        let last = self.reloads.last();
        if last.is_some_and(|last| matches!(last.order, Order::Upgraded { .. })) {
            self.upgraded = Some(ending.clone());
        }
    }

    /// Somebody who ordered an upgrade asks the program that came how it ended.
    pub(super) fn on_upgraded_asked(&mut self, asker: Asker) {
        match (&self.upgraded, self.reloads.running()) {
            (Some(ending), _) => asker.done(ending),
            (None, Some((Order::Upgraded { .. }, _))) => self.reloads.join(asker),
            (None, _) => {
                let why = "nobody has upgraded this instance";
                asker.done(&Failure::usage(why).into());
            }
        }
    }
}

/// The exchange itself. Signals wait meanwhile: the new program hears them.
async fn exchange(
    program: &Program,
    handover: &mut Handover,
    descriptors: &mut Descriptors,
    signals: &mut Signals,
) -> io::Result<Infallible> {
    let own = File::open("/proc/self/exe")?;
    handover.program = Some(descriptors.keep(own.into()));
    handover.descriptors = descriptors.numbers();
    let memory: OwnedFd = handover.write()?.into();
    let number = memory.as_raw_fd();
    hold_signals()?;
    if signals.has_come().await {
        return Err(io::Error::other("a signal came first"));
    }
    descriptors.keep(memory);
    descriptors.pass_on()?;
    let name = &handover.invocation.name;
    Err(handover::command(&program.path, name, number).exec())
}

/// What workers find that are started from now on, as the program before has found it.
fn surroundings(
    name: &str,
    settings: &Settings,
    origin: &Origin,
    runtime_dir: &RuntimeDir,
    identity: Option<Identity>,
    numbers: Numbers,
) -> Result<Surroundings, Failure> {
    let mut environment = invocation::environment();
    if !settings.apps.is_empty() {
        default_node_env(&mut environment);
    }
    Ok(Surroundings {
        environment,
        cwd: origin.folder.clone(),
        sockets: runtime_dir.sockets.clone(),
        preload: node::install(&runtime_dir.path).map_err(internal)?,
        prober: prober(),
        gateway_group: identity.map(|identity| identity.gid),
        groups: Groups::own(name),
        numbers,
        guard: None,
    })
}

fn nobody_reads() -> Failure {
    Failure::machine(
        "nobody reads what the instance writes to its standard output, and what waits there would be lost; upgrade when          it is read again",
    )
}

fn complain(resumed: Result<(), HandoverError>) {
    if let Err(error) = resumed {
        say::warning(&format!("after an upgrade that was given up: {error}"));
    }
}

fn internal(error: io::Error) -> Failure {
    Failure::internal("the upgrade", error)
}
