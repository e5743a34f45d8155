//! An instance as it lists itself. Words nothing: that is for the commands.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_config::AppSettings;
use mainstay_supervisor::events::NodeStats;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{WorkerRange, Workers};
use mainstay_supervisor::{WorkerId, count};

use super::by_hand::Halt;
use super::fronts::OpenFront;
use super::gateways::Gateways;
use super::log_files;
use super::state::Control;
use crate::clock;
use crate::listing::{Bounds, ListedApp, ListedWorker, Listing, WorkerState};
use crate::state::RecordedApp;

impl Control {
    /// Looks at everything once.
    pub(super) fn listing(&self) -> Listing {
        let addresses = self.addresses();
        let apps = self.settings.apps.iter();
        let shown = apps.filter(|app| self.by_hand.halted(app.name()) != Some(Halt::Deleted));
        Listing {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            folder: self.origin.folder.clone(),
            file: self.origin.file.clone(),
            started_at_ms: self.started_at_ms,
            logs: self.background.as_ref().map(|there| there.logs.clone()),
            apps: shown.map(|app| self.listed(app, &addresses)).collect(),
            upstreams: self
                .settings
                .upstreams
                .iter()
                .map(|upstream| upstream.name.clone())
                .collect(),
            addresses,
        }
    }

    /// What a record says of the apps.
    pub(super) fn recorded(&self) -> Vec<RecordedApp> {
        let listed = self.listing().apps.into_iter();
        let recorded = listed.map(|app| RecordedApp {
            name: app.name,
            namespace: app.namespace,
            workers: app.wanted,
            address: app.address,
            files: app.files,
        });
        recorded.collect()
    }

    /// Requests that each worker works on now, where there are any.
    pub(super) fn in_flight(&self) -> BTreeMap<WorkerId, usize> {
        let counts = self.gateways.as_ref().map(Gateways::in_flight);
        let counts = counts.unwrap_or_default().into_iter();
        counts
            .filter_map(|(id, count)| Some((self.members.worker(id)?.clone(), count)))
            .collect()
    }

    /// The bounds of an app whose number of workers follows its work.
    pub(super) fn bounds(&self, app: &str) -> Option<Bounds> {
        let mut apps = self.settings.apps.iter();
        match apps.find(|known| known.name() == app)?.options.workers {
            Workers::Between(WorkerRange { min, max, .. }) => Some(Bounds { min, max }),
            Workers::Fixed(_) | Workers::Auto | Workers::Max => None,
        }
    }

    fn addresses(&self) -> Vec<String> {
        let sockets = self.gateways.as_ref().map(Gateways::sockets);
        let fronts = sockets.into_iter().flat_map(|sockets| &sockets.fronts);
        let bound = fronts.flat_map(|front| &front.bound);
        bound.map(|bound| bound.address.to_string()).collect()
    }

    /// Where only this app answers.
    fn own_address(&self, app: &str) -> Option<String> {
        let index = self.settings.targets().position(|target| target == app)?;
        let mut fronts = self.gateways.as_ref()?.sockets().fronts.iter();
        let leads_there =
            |front: &&OpenFront| front.routes.iter().all(|route| route.target == index);
        let own = fronts.find(leads_there)?;
        own.bound.first().map(|bound| bound.address.to_string())
    }

    fn listed(&self, app: &AppSettings, addresses: &[String]) -> ListedApp {
        let name = app.name();
        let wanted = count::workers(app.options.workers);
        let numbers = (0..wanted).filter_map(|index| self.ids.number(name, index));
        let ids: Vec<u32> = numbers.collect();
        let files = self.background.as_ref().map_or_else(Vec::new, |there| {
            log_files::listed(&app.output, &there.logs, name, &ids)
        });
        let folder = app.options.cwd.as_ref();
        let own = self.own_address(name);
        let in_flight = self.in_flight();
        let workers: Vec<ListedWorker> = self
            .roster
            .of(name)
            .map(|(worker, record)| ListedWorker {
                id: self.ids.number(name, worker.index),
                index: worker.index,
                release: worker.release,
                state: record.state,
                pid: record.pid,
                started_at_ms: clock::milliseconds()
                    .saturating_sub(record.started.elapsed().as_millis() as u64),
                restarts: record.restarts(),
                last_exit: record.last_exit.clone(),
                crash_loop: record.is_looping,
                in_flight: in_flight.get(worker).copied().unwrap_or_default(),
                lag_ms: record.stats().map(lag),
            })
            .collect();
        let ready = workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Ready);
        ListedApp {
            namespace: app.options.namespace.clone(),
            is_stopped: self.by_hand.halted(name).is_some(),
            program: program(&app.options.target),
            folder: folder.unwrap_or(&self.origin.folder).clone(),
            wanted,
            scaled: self.bounds(name),
            waits_for: self.waiting.of(name),
            ready: ready.count() as u32,
            address: own.or_else(|| addresses.first().cloned()),
            ids,
            workers,
            files,
            name: name.to_owned(),
        }
    }
}

/// In whole milliseconds. A worker may say anything.
fn lag(stats: &NodeStats) -> u64 {
    let lag = Duration::try_from_secs_f64(stats.lag / 1_000.0).unwrap_or_default();
    u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)
}

/// Only what names the program: the words behind it may hold what nobody else should read.
fn program(target: &Target) -> String {
    match target {
        Target::Path(path) => path.display().to_string(),
        Target::Command(line) => first_word(line),
        Target::Arguments(words) => words.first().cloned().unwrap_or_default(),
    }
}

fn first_word(line: &str) -> String {
    // variables before the program may be secret too
    let mut words = line.split_whitespace();
    let program = words.find(|word| !word.contains('='));
    program.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_without_what_follows_or_precedes_it() {
        for (line, expected) in [
            ("node server.js --key x", "node"),
            ("KEY=x node server.js", "node"),
            ("", ""),
        ] {
            assert_eq!(program(&Target::Command(line.to_owned())), expected);
        }
    }
}
