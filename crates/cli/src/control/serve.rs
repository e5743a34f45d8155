//! The event loop: whatever happens to an instance while it runs, and what follows from it. One thing after the other;
//! nothing here waits.

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use mainstay_supervisor::events::{Failure as AppFailure, Note, ReadyWorker, Why};
use mainstay_supervisor::options::AppKind;
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event, WorkerId};

use super::admin::Question;
use super::crashes;
use super::fronts::{self, Sockets};
use super::gateways::{Gateways, Heard};
use super::guard::Guard;
use super::hands::News;
use super::report;
use super::signals::{Asked, Signals};
use super::state::Control;
use super::status::Status;
use crate::failure::Failure;
use crate::order::{Insight, Order};
use crate::{Outcome, say};

/// How a worker ended that is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its work was done.
    Well,
    Badly,
}

impl Control {
    /// Serves until it is told to end, or must.
    pub(super) async fn serve(&mut self, signals: &mut Signals) -> Outcome {
        self.open_when_known()?;
        self.set_upkeep();
        loop {
            if let Some((program, answer)) = self.handing_over.take() {
                let failure = Box::pin(self.hand_over(&program, signals)).await;
                let _ = answer.send(failure);
                if !self.stop_askers.is_empty() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::End => return Ok(ExitCode::SUCCESS),
                    Asked::Reload => self.reload(Order::Everything, None),
                    Asked::Reopen => self.reopen_logs(),
                },
                Some(event) = self.events.recv() => {
                    self.on_event(event)?;
                    if self.is_done() {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                turn = self.waiting.turn() => self.on_turn(turn)?,
                answer = self.nodes.answer() => self.on_nodes(answer)?,
                heard = hear(&mut self.gateways) => self.on_heard(heard),
                pipe = guarded(&mut self.guard) => self.supervisor.guarded_by(pipe),
                Some(wish) = self.wishes.recv() => self.grant(wish),
                kind = self.suspended.ended() => self.on_resumed(kind),
                layer = self.disabled.ended() => self.on_enabled(layer),
                chore = self.upkeep.due() => self.on_chore(chore),
                ended = self.reloads.ended() => {
                    self.on_reloaded(&ended);
                    if self.has_nothing_to_run() {
                        say::note("nothing is left to run");
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Some(question) = self.questions.recv() => {
                    if let Question::Stop(asker) = question {
                        self.stop_askers.push(asker);
                        return Ok(ExitCode::SUCCESS);
                    }
                    self.on_question(question);
                }
            }
        }
    }

    pub(super) fn on_event(&mut self, event: Event) -> Result<(), Failure> {
        self.roster.note(&event);
        match event {
            Event::Output(line) => self.output.app(line),
            Event::Ready(worker) => self.on_ready(&worker)?,
            Event::Draining { worker, why } => self.on_draining(&worker, why),
            Event::Gone { worker } => self.take_out(&worker),
            Event::Exited {
                worker,
                exit,
                cause,
                uptime,
                was_ready,
                restart_in,
                hint,
                last_lines,
            } => {
                self.take_out(&worker);
                self.crashes.add(&crashes::End {
                    worker: &worker,
                    cause: &cause,
                    exit,
                    uptime,
                    was_ready,
                    record: self.roster.find(&worker),
                    restart_in,
                    hint: hint.as_deref(),
                    lines: &last_lines,
                });
                if was_ready {
                    let why = report::died(&worker, exit, &last_lines, hint.as_deref());
                    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                    let again = report::again(restart_in);
                    say::warning(&format!("{worker} {exit}; {again}{hint}"));
                    self.reloads.tell(News::Died(worker, why));
                }
            }
            Event::Stopped { worker, .. } => {
                self.take_out(&worker);
                self.members.forget(&worker);
                self.reloads.tell(News::Stopped(worker));
            }
            Event::Failed(failure) => self.on_failed(*failure)?,
            Event::Note { worker, note } => {
                if let (Note::DroppedOutput { lines }, Some(gateways)) = (&note, &mut self.gateways)
                {
                    gateways.count_dropped_lines(&worker.app, *lines);
                }
                report::note(&worker, &note);
            }
            Event::Finished {
                worker,
                exit,
                is_well,
            } => {
                let end = if is_well { End::Well } else { End::Badly };
                self.on_finished(&worker, exit, end);
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

    /// A worker has failed before it was ever ready; its complaint.
    pub(super) fn tell_failed(&mut self, failure: &AppFailure) -> Result<(), Failure> {
        let (app, why) = (&*failure.worker.app, report::failed(failure));
        if self.awaited.contains(app) {
            return self.on_failed_start(app, why);
        }
        // a release that does not come up is told by whoever brings it in
        let news = News::Died(failure.worker.clone(), why.clone());
        if !self.reloads.tell(news) && !self.failed.contains_key(app) {
            say::warning(&why);
        }
        Ok(())
    }

    fn on_ready(&mut self, worker: &ReadyWorker) -> Result<(), Failure> {
        let app = &*worker.worker.app;
        if worker.endpoint.is_none() && self.asked.has_listened(app) {
            // its start takes longer this time; it is told again when it listens
            return Ok(());
        }
        let is_first = self.came_up.insert(app.to_owned());
        if self.failed.remove(app).is_some() {
            say::note(&format!("app `{app}` has come up after all"));
        }
        let is_other = self.asked.hear(worker) && self.is_left_open(app);
        if is_other {
            self.asked.tell(&mut self.settings);
            if worker.endpoint.is_none() {
                say::note(&report::listens_nowhere(app));
            }
        }
        self.no_longer_awaited(app);
        self.tell_waiting(app);
        let is_news = self.asked.note(&self.settings, worker) || is_other;
        if self.gateways.is_some() {
            if is_news {
                self.reach_all();
            }
        } else {
            self.open_when_known()?;
        }
        if is_first {
            report::trust_hint(worker);
        }
        self.members.add(worker);
        self.tell_members(app, Duration::ZERO);
        self.reloads.tell(News::Ready(worker.worker.clone()));
        self.come_up();
        Ok(())
    }

    /// Opens the sockets as soon as every address is known.
    pub(super) fn open_when_known(&mut self) -> Result<(), Failure> {
        if self.asked.is_awaited(&self.settings, &self.failed) {
            return Ok(());
        }
        self.open()
    }

    /// Whether nobody said of an app whether it listens.
    fn is_left_open(&self, app: &str) -> bool {
        let mut apps = self.settings.apps.iter();
        apps.any(|known| known.name() == app && known.options.kind == AppKind::Either)
    }

    /// An app has shown that it starts, or that it does not. Where no gateway has to come up too, the last of them completes
    /// the start.
    pub(super) fn no_longer_awaited(&mut self, app: &str) {
        let was_awaited = self.awaited.remove(app);
        if was_awaited && self.awaited.is_empty() && !fronts::need_a_gateway(&self.settings) {
            self.greet();
            self.come_up();
        }
    }

    /// A worker has done what it was there for. When all have, and nothing else is there, so has the instance.
    fn on_finished(&mut self, worker: &WorkerId, exit: Exit, end: End) {
        self.take_out(worker);
        say::note(&report::finished(worker, exit));
        if end == End::Well {
            self.came_up.insert(worker.app.to_string());
            self.no_longer_awaited(&worker.app);
            self.tell_waiting(&worker.app);
            self.reloads.tell(News::Ready(worker.clone()));
        } else {
            let why = report::finished(worker, exit);
            self.reloads.tell(News::Died(worker.clone(), why));
        }
    }

    /// Whether there is nothing left to do, nor to wait for.
    fn is_done(&self) -> bool {
        !self.settings.apps.is_empty()
            && self.gateways.is_none()
            && self.reloads.running().is_none()
            && !self.upkeep.starts_something()
            && self.waiting.is_empty()
            && self.roster.all_finished()
    }

    /// Out of rotation; it ends when nobody works on it any more, or when it had its time.
    fn on_draining(&mut self, worker: &WorkerId, why: Why) {
        let was_in = self.members.withdraw(worker);
        self.tell_members(&worker.app, self.leave_within(&worker.app));
        if why == Why::Hung {
            say::warning(&report::hung(worker));
        }
        // of one that does not react nothing more is to be expected
        if why == Why::Hung || !was_in || self.gateways.is_none() {
            self.supervisor.released(worker);
        }
    }

    /// A worker is gone: nobody is sent there any more.
    fn take_out(&mut self, worker: &WorkerId) {
        if let (Some(id), Some(gateways)) = (self.members.number(worker), &self.gateways) {
            let in_flight = gateways.in_flight().get(&id).copied().unwrap_or(0);
            self.roster.worked_on(worker, in_flight as u64);
        }
        if self.members.remove(worker) {
            self.tell_members(&worker.app, Duration::ZERO);
        }
    }

    /// Tells the gateways who answers for a target.
    pub(super) fn tell_members(&mut self, target: &str, leave_within: Duration) {
        if let Some(gateways) = &mut self.gateways {
            gateways.set_members(target, &self.members.of(target), leave_within);
        }
    }

    /// How long streams may stay on a worker of this app that leaves: they are ended before the worker is.
    fn leave_within(&self, app: &str) -> Duration {
        let mut apps = self.settings.apps.iter();
        let app = apps.find(|settings| settings.name() == app);
        let usual = AppOptions::default().drain_timeout;
        app.map_or(usual, |app| app.options.drain_timeout) * 3 / 4
    }

    pub(super) fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Ready => {
                self.greet();
                self.serves = true;
                self.come_up();
            }
            Heard::Released(ids) => {
                for worker in ids.iter().filter_map(|id| self.members.released(*id)) {
                    self.supervisor.released(&worker);
                }
            }
            Heard::Answered(ids) => {
                for worker in ids.iter().filter_map(|id| self.members.worker(*id)) {
                    self.supervisor.answered(worker);
                }
            }
            Heard::Trial(tallies) => {
                for (id, tally) in tallies {
                    if let Some(worker) = self.members.worker(id) {
                        self.reloads.tell(News::Tally(worker.clone(), tally));
                    }
                }
            }
            Heard::Violations(reported) => self.violations.add(reported, SystemTime::now()),
            Heard::Replaced => drop(self.reloads.tell(News::Gateway(Ok(())))),
            Heard::NotReplaced { exit } => {
                if !self.reloads.tell(News::Gateway(Err(exit.clone()))) {
                    report::gateway(&Heard::NotReplaced { exit });
                }
            }
            Heard::Agreed(agreement) => self.on_agreed(agreement),
            heard => report::gateway(&heard),
        }
    }

    fn greet(&self) {
        let sockets = self.gateways.as_ref().map(Gateways::sockets);
        report::start(&self.settings, &self.name, sockets, &self.workers());
        if self.set_node_env {
            report::node_env();
        }
        report::greeting(&self.origin.greeting, sockets);
    }

    /// All but the wish to stop, which ends the loop.
    pub(super) fn on_question(&mut self, question: Question) {
        match question {
            Question::Metrics(asker) => {
                if let Some(gateways) = &mut self.gateways {
                    gateways.metrics(asker);
                }
            }
            Question::Status(asker) => drop(asker.send(self.status().text())),
            Question::StatusJson(asker) => drop(asker.send(self.status().json())),
            Question::Diff(asker) => {
                let comparison = serde_json::to_string(&self.diff());
                let _ = asker.send(comparison.unwrap_or_default());
            }
            Question::Logs(wish, asker) => drop(asker.send(self.output.ask(wish))),
            Question::Crashes(asker) => drop(asker.send(self.crashes.json())),
            Question::Csp(asker) => {
                let policy = self.settings.layers.headers.csp.as_ref();
                let _ = asker.send(self.violations.json(policy));
            }
            Question::Debug(asker) => {
                let sockets = self.gateways.as_ref().map(Gateways::sockets);
                let addresses = sockets.map(Sockets::addresses).unwrap_or_default();
                let insight = Insight {
                    token: self.debug.expose().to_owned(),
                    addresses,
                    places: self.places.clone(),
                };
                let _ = asker.send(serde_json::to_string(&insight).unwrap_or_default());
            }
            Question::Reload(order, asker) => self.reload(order, Some(asker)),
            Question::Disable(wish, asker) => asker.done(&self.disable(wish)),
            Question::Enable(layer, asker) => asker.done(&self.enable(layer)),
            Question::Suspend(wish, asker) => self.suspend(wish, asker),
            Question::Limits(asker) => self.limits(asker),
            Question::Unban(wish, asker) => asker.done(&self.unban(&wish)),
            Question::CacheCounts(asker) => self.cache_counts(asker),
            Question::CacheList(wish, asker) => self.cache_list(wish, asker),
            Question::CachePurge(wish, asker) => self.cache_purge(wish, asker),
            Question::List(asker) => {
                let listing = serde_json::to_string(&self.listing());
                let _ = asker.send(listing.unwrap_or_default());
            }
            Question::Signal(wish, asker) => asker.done(&self.signal(&wish)),
            Question::Upgraded(asker) => self.on_upgraded_asked(asker),
            Question::Stop(asker) => self.stop_askers.push(asker),
        }
    }

    fn status(&self) -> Status {
        let gateways = self.gateways.as_ref();
        Status::of(
            self,
            gateways.map(Gateways::sockets),
            gateways.map(Gateways::state),
        )
    }
}

pub(super) async fn hear(gateways: &mut Option<Gateways>) -> Heard {
    match gateways {
        Some(gateways) => gateways.hear().await,
        None => std::future::pending().await,
    }
}

async fn guarded(guard: &mut Option<Guard>) -> OwnedFd {
    match guard {
        Some(guard) => guard.replaced().await,
        None => std::future::pending().await,
    }
}
