//! One app: its releases, of which more than one may live while one replaces the other. Decides nothing about lives.

use std::sync::Arc;

use crate::events::WorkerId;
use crate::plan::Plan;
use crate::release::Release;
use crate::socket::Place;
use crate::start_error::StartError;
use crate::worker::{Shared, Wish};

/// One app.
#[derive(Debug)]
pub(crate) struct Group {
    app: Arc<str>,
    /// What all workers of the app share.
    pub(crate) shared: Shared,
    /// A name for its folders, different from that of every other app.
    pub(crate) folder: String,
    pub(crate) releases: Vec<Release>,
    /// The release that counts.
    pub(crate) settled: Option<u32>,
    pub(crate) last: u32,
}

impl Group {
    /// An app without a release. `number` is its own among all apps there ever were.
    pub(crate) fn new(number: usize, app: &str, shared: Shared) -> Self {
        Self {
            app: app.into(),
            shared,
            folder: folder_name(number, app),
            releases: Vec::new(),
            settled: None,
            last: 0,
        }
    }

    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// Prepares the next release. One that was prepared before and has no workers is forgotten.
    pub(crate) fn prepare(&mut self, plan: Plan, place: Place) -> Result<u32, StartError> {
        self.forget();
        let number = self.last.wrapping_add(1);
        let place = place.named(&self.folder);
        let release = Release::prepare(number, plan, place)?;
        self.last = number;
        self.releases.push(release);
        Ok(number)
    }

    pub(crate) fn release(&self, number: u32) -> Option<&Release> {
        self.releases
            .iter()
            .find(|release| release.number == number)
    }

    pub(crate) fn release_mut(&mut self, number: u32) -> Option<&mut Release> {
        let mut releases = self.releases.iter_mut();
        releases.find(|release| release.number == number)
    }

    /// This release counts from now on.
    pub(crate) fn settle(&mut self, number: u32) {
        if self.release(number).is_some() {
            self.settled = Some(number);
            self.forget();
        }
    }

    /// The release that counts, with another number of workers. Those that live keep what they were told.
    pub(crate) fn resize(&mut self, workers: u32) -> Result<u32, StartError> {
        let Some(number) = self.settled else {
            return Ok(0);
        };
        if let Some(release) = self.release_mut(number) {
            let mut plan = Plan::clone(&release.plan);
            plan.workers = workers;
            plan.several_workers_need_ports_of_their_own()?;
            release.plan = Arc::new(plan);
        }
        Ok(number)
    }

    /// Wishes something of every worker of every release.
    pub(crate) fn wish_all(&self, wish: Wish) {
        for release in &self.releases {
            release.wish_all(wish);
        }
    }

    pub(crate) fn wish(&self, worker: &WorkerId, wish: Wish) {
        if let Some(release) = self.release(worker.release) {
            release.wish(worker, wish);
        }
    }

    /// Waits until every worker has ended for good.
    pub(crate) async fn ended(&self) {
        for release in &self.releases {
            release.ended().await;
        }
    }

    /// The app and the number of workers its release is meant to have: of the one that counts, else the newest.
    pub(crate) fn size(&self) -> (Arc<str>, u32) {
        let counts = self.settled.and_then(|number| self.release(number));
        let release = counts.or_else(|| self.releases.last());
        let workers = release.map_or(0, |release| release.plan.workers);
        (Arc::clone(&self.app), workers)
    }

    /// That of the release that counts.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        let release = self.settled.and_then(|number| self.release(number));
        release.map(|release| &*release.plan)
    }

    /// Releases without workers that do not count.
    fn forget(&mut self) {
        let settled = self.settled;
        self.releases
            .retain(|release| Some(release.number) == settled || release.is_alive());
    }
}

/// A short name that cannot leave the folder or fill a socket path.
fn folder_name(number: usize, app: &str) -> String {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=16).contains(&app.len()) && app.bytes().all(usual) {
        app.to_owned()
    } else {
        format!("app{number}")
    }
}
