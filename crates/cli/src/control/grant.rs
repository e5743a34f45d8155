//! What a reload may do to an instance: each wish is granted here, at once. No order among them: that is the
//! sequence's.

use std::time::Duration;

use mainstay_config::{AppSettings, Settings};
use mainstay_supervisor::options::AppKind;

use super::beginning::{beginning, gateway_settings};
use super::fronts::{self, Sockets};
use super::gateways::Gateways;
use super::guard::Guard;
use super::hands::{News, Wish};
use super::log_files;
use super::members::Servers;
use super::reload::{Gateway, Reload};
use super::state::{Control, threads};
use crate::failure::Failure;
use crate::order::{Asker, Ending, Order};
use crate::protocol::Member;
use crate::say;

/// What wanted settings need from the machine, opened before anything changes.
#[derive(Debug)]
pub(super) struct Opened {
    /// None while no gateway runs: it will open its own.
    sockets: Option<Sockets>,
    servers: Vec<(String, Vec<Member>)>,
}

impl Control {
    /// Takes an order in; it begins when those before it have ended.
    pub(super) fn reload(&mut self, order: Order, asker: Option<Asker>) {
        self.reloads.add(order, asker);
        self.begin_next();
    }

    /// Says how it ended, where nobody asked too, and begins the next.
    pub(super) fn on_reloaded(&mut self, ending: &Ending) {
        // what it wished last is granted first: the next one begins with what this one left
        while let Ok(wish) = self.wishes.try_recv() {
            self.grant(wish);
        }
        let is_reload = self
            .reloads
            .last()
            .is_some_and(|last| last.order.is_reload());
        match (ending.code, is_reload) {
            (0, true) => say::note(&format!("reloaded: {}", ending.message)),
            (0, false) => say::note(&ending.message),
            (_, true) => say::warning(&format!("the reload failed: {}", ending.message)),
            (_, false) => say::warning(&ending.message),
        }
        let last = self.reloads.last().map(|last| last.order.clone());
        if let Some(Order::Fit { app, .. }) = last {
            self.on_fitted(&app, ending.code);
        }
        self.note_upgraded(ending);
        self.set_upkeep();
        self.write_record();
        self.begin_next();
    }

    pub(super) fn begin_next(&mut self) {
        if let Some((order, askers)) = self.reloads.next() {
            let what = Reload {
                order,
                name: self.name.clone(),
                present: self.settings.clone(),
                origin: self.origin.clone(),
                by_hand: self.by_hand.clone(),
            };
            self.reloads.begin(what, askers);
        }
    }

    /// Does what a reload wants. Whoever is told and has gone away wanted nothing after all.
    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Prepare(mut app, answer) => {
                if app.options.kind == AppKind::Either && self.asked.has_listened(app.name()) {
                    // a release that does not listen does not take the place of one that does
                    app.options.kind = AppKind::Server;
                }
                let _ = answer.send(self.supervisor.prepare(app.options));
                self.tell_unheld();
            }
            Wish::Errand(app, answer) => {
                let AppSettings {
                    options, release, ..
                } = *app;
                let errand = release
                    .command
                    .map(|command| self.supervisor.errand(options, command));
                let _ = answer.send(errand.transpose());
            }
            Wish::Turn(app, answer) => self.await_turn(&app, answer),
            Wish::Launch(worker, answer) => {
                self.roster.expect(&worker);
                self.ids
                    .claim(&[(worker.app.to_string(), worker.index + 1)]);
                let launched = self.supervisor.succeed(&worker);
                if launched.is_err() {
                    self.roster.forget(&worker);
                }
                let _ = answer.send(launched);
            }
            Wish::Resize {
                app,
                workers,
                answer,
            } => {
                let _ = answer.send(self.supervisor.resize(&app, workers));
            }
            Wish::Workers(app, answer) => {
                let workers = self.roster.of(&app).map(|(worker, _)| worker.clone());
                let _ = answer.send(workers.collect());
            }
            Wish::Trial(app, trial) => {
                self.members.set_trial(&app, trial);
                self.tell_members(&app, Duration::ZERO);
            }
            Wish::Withdraw(worker) => self.supervisor.withdraw(&worker),
            Wish::StopRelease(app, release) => self.supervisor.stop_release(&app, release),
            Wish::Adopt(app, release) => self.adopt(*app, release),
            Wish::Forget(app) => {
                self.waiting.cancel(&app);
                self.supervisor.remove(&app);
                self.came_up.remove(&*app);
                self.asked.forget(&app);
                self.members.drop_target(&app);
                self.output.forget(&app);
            }
            Wish::Open(settings, servers, answer) => {
                let _ = answer.send(self.opened(&settings, servers));
            }
            Wish::Settings(settings, opened, answer) => {
                let _ = answer.send(self.put_in_force(*settings, opened));
            }
            Wish::Halt(app, halt) => {
                self.by_hand.halt(&app, halt);
                if halt.is_some() {
                    self.waiting.cancel(&app);
                    // what somebody stopped does not hold up the start any more
                    self.no_longer_awaited(&app);
                    self.come_up();
                }
                self.tell_settings();
            }
            Wish::Scaled(app, Some((workers, written))) => {
                self.by_hand.scale(&app, workers, written);
            }
            Wish::Scaled(app, None) => self.by_hand.unscale(&app),
            Wish::Places(places) => self.places = places,
            Wish::ReplaceGateway => self.replace_gateway(),
            Wish::Rehearse(answer) => {
                let _ = answer.send(self.rehearse());
            }
            Wish::HandOver(program, answer) => self.handing_over = Some((program, answer)),
            Wish::Renew(answer) => {
                self.guard.iter_mut().for_each(Guard::retire);
                self.gateways.iter_mut().for_each(Gateways::replace);
                let _ = answer.send(self.gateways.is_some());
            }
        }
    }

    /// An app's settings are in force as soon as its workers are, whatever becomes of the others.
    fn adopt(&mut self, app: AppSettings, release: Option<u32>) {
        if let Some(release) = release {
            self.supervisor.settle(app.name(), release);
        }
        let mut apps = self.settings.apps.iter_mut();
        if let Some(known) = apps.find(|known| known.name() == app.name()) {
            // its address belongs to the gateway, which hears of it with all else
            known.options = app.options;
            known.release = app.release;
            known.upkeep = app.upkeep;
            known.output = app.output;
        }
        self.output.plan(log_files::plans(&self.settings.apps));
    }

    fn opened(&mut self, settings: &Settings, servers: Vec<Servers>) -> Result<Opened, Failure> {
        let present = self.gateways.as_ref().map(Gateways::sockets);
        let sockets = present
            .map(|present| fronts::open(settings, &self.asked, threads(settings), Some(present)));
        Ok(Opened {
            sockets: sockets.transpose()?,
            servers: servers
                .into_iter()
                .map(|servers| self.members.numbered(servers))
                .collect(),
        })
    }

    fn put_in_force(&mut self, mut settings: Settings, opened: Opened) -> Gateway {
        self.asked.tell(&mut settings);
        let before: Vec<String> = self.settings.targets().map(str::to_owned).collect();
        self.settings = settings;
        self.output.plan(log_files::plans(&self.settings.apps));
        self.by_hand.settle(&self.settings);
        for (upstream, servers) in opened.servers {
            self.members.set_servers(&upstream, servers);
        }
        // an app may have said only meanwhile where it is reached
        let sockets = opened
            .sockets
            .map(|opened| self.all_sockets(&opened).unwrap_or(opened));
        let way = self.tell_gateway(sockets);
        if self.gateways.is_none()
            && !self.asked.is_awaited(&self.settings, &self.failed)
            && let Err(failure) = self.open()
        {
            // no app has been ready yet, so nobody is served worse than before
            say::warning(&failure.message);
        }
        for target in self
            .settings
            .targets()
            .map(str::to_owned)
            .collect::<Vec<_>>()
        {
            self.tell_members(&target, Duration::ZERO);
        }
        for target in before {
            // apps go with their workers
            if self.settings.targets().all(|wanted| wanted != target) && !self.roster.has(&target) {
                self.members.drop_target(&target);
                self.tell_members(&target, Duration::ZERO);
            }
        }
        way
    }

    /// An app has said where it wants to be reached: a gateway that serves there too takes over.
    pub(super) fn reach_all(&mut self) {
        let Some(gateways) = &self.gateways else {
            return;
        };
        let sockets = self.all_sockets(gateways.sockets());
        self.tell_gateway(sockets);
    }

    /// The sockets of all addresses that are known now, those of `present` among them. Those that cannot be had are told,
    /// and left as they are.
    fn all_sockets(&self, present: &Sockets) -> Option<Sockets> {
        if let Some((one, two, address)) = self.asked.clash() {
            say::warning(&format!(
                "apps `{one}` and `{two}` both ask for `{address}`, where only the first is reached; give the other one \
                 another `PORT` in its `env`"
            ));
            return None;
        }
        let threads = threads(&self.settings);
        let opened = fronts::open(&self.settings, &self.asked, threads, Some(present));
        opened
            .inspect_err(|failure| say::warning(&failure.message))
            .ok()
    }

    fn tell_gateway(&mut self, sockets: Option<Sockets>) -> Gateway {
        let workers = self.workers();
        let before = std::mem::replace(&mut self.threads, threads(&self.settings));
        let same_threads = before == self.threads;
        let Some(gateways) = &mut self.gateways else {
            return Gateway::Told;
        };
        let changed = |sockets: &Sockets| !same_threads || !sockets.is_like(gateways.sockets());
        let Some(mut sockets) = sockets.filter(changed) else {
            gateways.settings(gateway_settings(
                &self.disabled.over(&self.settings),
                &workers,
                &self.instance,
                Some(&self.debug),
            ));
            return Gateway::Told;
        };
        if let Err(failure) = sockets.widen(self.threads) {
            // threads without a socket of their own have nothing to do; all addresses are served
            say::warning(&failure.message);
        }
        let beginning = beginning(
            &self.disabled.over(&self.settings),
            &sockets,
            &workers,
            self.threads,
            &self.instance,
            &self.debug,
        );
        gateways.move_to(sockets, beginning);
        Gateway::Replaced
    }

    fn replace_gateway(&mut self) {
        if let Some(gateways) = &mut self.gateways {
            gateways.replace();
        } else {
            let why = "cannot start before the first one".to_owned();
            self.reloads.tell(News::Gateway(Err(why)));
        }
    }
}
