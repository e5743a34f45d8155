//! What an instance does once everything it starts is there, and whenever what it runs has changed: it says so to
//! whoever waits, and leaves a record by which it can be started again.

use mainstay_supervisor::signal::Signal;

use super::background::Background;
use super::state::Control;
use super::{fronts, report};
use crate::failure::Failure;
use crate::order::{Ending, Signalling};
use crate::say;
use crate::state::Record;

impl Control {
    /// Whether that is so now, for the first time: gateway and apps come up in either order.
    pub(super) fn come_up(&mut self) {
        let serves = self.serves || !fronts::need_a_gateway(&self.settings);
        if self.is_up || !self.awaited.is_empty() || !serves {
            return;
        }
        self.is_up = true;
        self.write_record();
        if self.failed.is_empty() {
            self.service.ready("serving");
            return say::ready();
        }
        let without = report::without(&self.failed, self.settings.apps.len());
        self.service.ready(&without);
        // whoever started it hears it as a failure, whatever else runs
        say::failure(Failure::app(without));
    }

    /// An app of the start has not come up. It is tried again, and the others run; where there are none, or none could
    /// be reached without it, the start has failed.
    pub(super) fn on_failed_start(&mut self, app: &str, why: String) -> Result<(), Failure> {
        let behind = self.waiting.behind(app);
        let mut others = self.awaited.iter().chain(&self.came_up);
        let has_others = others.any(|other| other != app && !behind.contains(other));
        let decides = fronts::decides_the_address(&self.settings);
        if !has_others || decides.is_some_and(|decides| decides.name() == app) {
            self.output.settle();
            return Err(Failure::app(why));
        }
        say::warning(&why);
        self.failed.insert(app.to_owned(), why);
        for other in behind {
            if self.awaited.remove(&other) {
                let why = format!("app `{other}` waits for `{app}`");
                self.failed.insert(other, why);
            }
        }
        if self.gateways.is_none() {
            self.open_when_known()?;
        }
        self.no_longer_awaited(app);
        self.come_up();
        Ok(())
    }

    /// How it was started and what it runs, in the background only: what somebody started in a terminal or by a
    /// service file is started again there.
    pub(super) fn write_record(&self) {
        let Some(background) = &self.background else {
            return;
        };
        if !self.is_up {
            return;
        }
        let before = Record::find(&self.name).ok().flatten();
        let origin = &self.origin;
        let (name, flags) = (self.name.clone(), origin.flags.clone());
        let mut record = Record::new(name, flags, origin.folder.clone(), origin.file.clone());
        record.started_at = self.started_at_ms / 1_000;
        record.runtime.clone_from(&self.runtime);
        record.logs.clone_from(&background.logs);
        record.environment = Background::environment();
        record.saved = before.is_some_and(|before| before.saved);
        record.apps = self.recorded();
        if let Err(failure) = record.write() {
            say::warning(&format!(
                "{}; `mainstay start {}` will not know how this instance was started",
                failure.message, self.name
            ));
        }
    }

    /// Log files are opened again by their names.
    pub(super) fn reopen_logs(&self) {
        let Some(background) = &self.background else {
            return;
        };
        self.output.reopen();
        match background.open() {
            Ok(()) => say::note("the log files were opened again"),
            Err(error) => say::warning(&format!("`{}`: {error}", background.logs.display())),
        }
    }

    /// Every app was stopped, and nothing else is served.
    pub(super) fn has_nothing_to_run(&self) -> bool {
        let settings = &self.settings;
        let mut apps = settings.apps.iter();
        !settings.apps.is_empty()
            && settings.upstreams.is_empty()
            && apps.all(|app| self.by_hand.halted(app.name()).is_some())
            && self.reloads.running().is_none()
    }

    /// Sends a signal to workers of an app.
    pub(super) fn signal(&self, wish: &Signalling) -> Ending {
        let Signalling { app, index, signal } = wish;
        let Some(signal) = Signal::parse(signal) else {
            return Failure::usage(format!("`{signal}` is no signal that workers are sent")).into();
        };
        let workers = self.roster.of(app).filter(|(worker, record)| {
            record.pid.is_some() && index.is_none_or(|index| worker.index == index)
        });
        let mut sent = 0;
        for (worker, _) in workers {
            self.supervisor.signal(worker, signal);
            sent += 1;
        }
        if sent == 0 {
            return Failure::usage(format!("no worker of `{app}` runs")).into();
        }
        let workers = super::replace::counted(sent);
        Ending::well(format!("sent {signal} to {workers} of `{app}`"))
    }
}
