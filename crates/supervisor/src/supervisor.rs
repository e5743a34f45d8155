//! The face of the crate: starts the workers of every app, replaces releases, hands out events, takes the wish to stop.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::errand::Errand;
use crate::events::{Event, WorkerId};
use crate::group::Group;
use crate::guard::Guarded;
use crate::launch::{CommandLine, NodeQuestion, Target};
use crate::options::AppOptions;
use crate::signal::Signal;
use crate::socket::Place;
pub use crate::start_error::StartError;
use crate::strangers;
use crate::surroundings::Surroundings;
use crate::worker::{Shared, Wish};

/// All apps and their workers. Dropping it kills every worker.
///
/// An app has one release that counts, and others only while one replaces another: `prepare` the new one, `launch` its
/// workers, and when they are ready `withdraw` the old ones, say `released` when nothing of them is under way, and
/// `settle`; or `stop_release` the new one, if it is no good. Workers of every release are started again when they die.
#[derive(Debug)]
pub struct Supervisor {
    surroundings: Surroundings,
    events: UnboundedSender<Event>,
    pub(crate) guarded: Guarded,
    pub(crate) groups: Vec<Group>,
    /// How many apps there ever were.
    pub(crate) apps: usize,
}

impl Supervisor {
    /// Starts every worker of every app, as release 1 of each.
    ///
    /// # Errors
    /// As [`Supervisor::prepared`] and [`Supervisor::begin`].
    pub fn start(
        apps: Vec<AppOptions>,
        surroundings: Surroundings,
        events: UnboundedSender<Event>,
    ) -> Result<Self, StartError> {
        let mut supervisor = Self::prepared(apps, surroundings, events)?;
        for (app, _) in supervisor.apps() {
            supervisor.begin(&app)?;
        }
        Ok(supervisor)
    }

    /// Prepares release 1 of every app and starts none: see [`Supervisor::begin`]. Call it on the main thread, inside a
    /// current-thread tokio runtime: workers die with the thread that forked them.
    ///
    /// # Errors
    /// What is wrong with any of them, all that can be known before a process is started.
    pub fn prepared(
        apps: Vec<AppOptions>,
        mut surroundings: Surroundings,
        events: UnboundedSender<Event>,
    ) -> Result<Self, StartError> {
        let guarded = Guarded::new(surroundings.guard.take());
        let mut supervisor = Self {
            surroundings,
            events,
            guarded,
            groups: Vec::new(),
            apps: 0,
        };
        for options in apps {
            let app = options.name.clone();
            let release = supervisor.prepare(options)?;
            supervisor.settle(&app, release);
        }
        crate::os::keep_from_children();
        be_parent();
        Ok(supervisor)
    }

    /// Starts every worker of the release of an app that counts, but those that live already.
    ///
    /// # Errors
    /// When the files of a worker cannot be made; a worker that does not come up is told by `Event::Failed`.
    pub fn begin(&mut self, app: &str) -> Result<(), StartError> {
        let release = self.find(app).and_then(|group| group.settled);
        release.map_or(Ok(()), |release| self.launch(app, release, 0..u32::MAX))
    }

    /// With apps that are there already.
    pub(crate) fn of(
        surroundings: Surroundings,
        events: UnboundedSender<Event>,
        guarded: Guarded,
        groups: Vec<Group>,
        apps: usize,
    ) -> Self {
        be_parent();
        Self {
            surroundings,
            events,
            guarded,
            groups,
            apps,
        }
    }

    /// The guard behind the other end of `pipe` takes the place of one that is gone: it is told every worker's process
    /// group.
    pub fn guarded_by(&self, pipe: OwnedFd) {
        self.guarded.replace(pipe);
    }

    /// The apps, with the number of workers that the release that counts is meant to have.
    pub fn apps(&self) -> Vec<(Arc<str>, u32)> {
        let apps = self.groups.iter();
        apps.map(Group::size).collect()
    }

    /// Of the instance.
    pub(crate) fn cgroup(&self) -> Option<PathBuf> {
        self.surroundings.groups.home()
    }

    /// What of the apps' limits cannot be held here, in sentences that were not told yet. Ask after each release that was
    /// prepared.
    pub fn take_unheld(&self) -> Vec<String> {
        self.surroundings.groups.take_unheld()
    }

    /// What is to be asked to know whether the apps are run by another Node than their projects want: of the releases that
    /// count. Reads some files.
    pub fn node_questions(&self) -> Vec<NodeQuestion> {
        let mut questions: Vec<NodeQuestion> = Vec::new();
        let plans = self.groups.iter().filter_map(Group::plan);
        for question in plans.filter_map(NodeQuestion::of) {
            // most apps of a machine have the same
            let same = questions.iter_mut().find(|known| known.is_like(&question));
            match same {
                Some(known) => known.join(question),
                None => questions.push(question),
            }
        }
        questions
    }

    /// Prepares the next release of an app, which may be a new one: finds its program, follows the symlinks of its
    /// folder, looks up its user anew. Starts nothing. Returns the release's number.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub fn prepare(&mut self, options: AppOptions) -> Result<u32, StartError> {
        let plan = self.surroundings.plan(options)?;
        self.guarded.group(self.surroundings.groups.home());
        let owners = self.surroundings.owners(&plan);
        let place = Place::new(&self.surroundings.sockets, owners);
        if let Some(group) = self.find_mut(&plan.app) {
            return group.prepare(plan, place);
        }
        let shared = Shared {
            events: self.events.clone(),
            guarded: self.guarded.clone(),
            turn: Arc::new(Semaphore::new(1)),
        };
        let mut group = Group::new(self.apps, &plan.app, shared);
        let number = group.prepare(plan, place)?;
        self.apps += 1;
        self.groups.push(group);
        Ok(number)
    }

    /// Starts these workers of a prepared release, as far as its options have so many. Those that live already, an
    /// unknown app and an unknown release change nothing.
    ///
    /// # Errors
    /// When the files of a worker cannot be made; those with lower numbers are started.
    pub fn launch(
        &mut self,
        app: &str,
        release: u32,
        indices: Range<u32>,
    ) -> Result<(), StartError> {
        let Some(group) = self.find_mut(app) else {
            return Ok(());
        };
        let shared = group.shared.clone();
        let Some(release) = group.release_mut(release) else {
            return Ok(());
        };
        let indices = indices.start..indices.end.min(release.plan.workers);
        release.launch(indices, &shared)
    }

    /// Starts this worker, which comes after another of the same release and number that may still live: its successor.
    /// One that lives already, an unknown app and an unknown release change nothing.
    ///
    /// # Errors
    /// When its files cannot be made.
    pub fn succeed(&mut self, worker: &WorkerId) -> Result<(), StartError> {
        let Some(group) = self.find_mut(&worker.app) else {
            return Ok(());
        };
        let shared = group.shared.clone();
        match group.release_mut(worker.release) {
            Some(release) => release.launch_one(worker.index, worker.incarnation, &shared),
            None => Ok(()),
        }
    }

    /// The release that counts shall have this many workers from now on. Starts and ends none: `launch` those that are
    /// missing, `withdraw` those that are too many. Returns the release.
    ///
    /// # Errors
    /// When they could not share what the app wants to have for itself.
    pub fn resize(&mut self, app: &str, workers: u32) -> Result<u32, StartError> {
        self.find_mut(app)
            .map_or(Ok(0), |group| group.resize(workers))
    }

    /// A command to be run once as this app would run: `options` with another target. Starts nothing yet.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn errand(&self, options: AppOptions, target: Target) -> Result<Errand, StartError> {
        let options = AppOptions {
            target,
            command_line: CommandLine::default(),
            ..options
        };
        let plan = self.surroundings.plan(options)?;
        self.guarded.group(self.surroundings.groups.home());
        Ok(Errand::new(
            &plan,
            self.events.clone(),
            self.guarded.clone(),
        ))
    }

    /// This worker shall be given nothing new, and end when `released` is said of it or `drain_timeout` is over. One that
    /// is not ready is asked to end at once. `Event::Stopped` tells its end; it is not started again.
    pub fn withdraw(&self, worker: &WorkerId) {
        self.wish(worker, Wish::Withdraw);
    }

    /// Nothing is under way at this worker any more: if it is draining, it is asked to end now.
    pub fn released(&self, worker: &WorkerId) {
        self.wish(worker, Wish::Released);
    }

    /// This worker has answered something since its last start: its next death is no failed start.
    pub fn answered(&self, worker: &WorkerId) {
        self.wish(worker, Wish::Answered);
    }

    /// This worker has not answered a probe for so long. When that is longer than its `hang_timeout`, less the time it
    /// waited for a CPU, it is replaced as one whose event loop stands still. Say it at every probe that fails.
    pub fn suspect(&self, worker: &WorkerId, silence: Duration) {
        self.wish(worker, Wish::Suspect(silence));
    }

    /// Sends a signal to a worker, whatever it makes of it: to the process that listens, else to its first one.
    pub fn signal(&self, worker: &WorkerId, signal: Signal) {
        self.wish(worker, Wish::Signal(signal));
    }

    /// Asks every worker of a release to end: signal, `kill_timeout`, then the kernel ends the tree. `Event::Stopped`
    /// tells each end.
    pub fn stop_release(&self, app: &str, release: u32) {
        self.wish_release(app, release, Wish::Stop);
    }

    /// Ends every worker of a release at once, without a word to it. `Event::Stopped` tells each end.
    pub fn kill_release(&self, app: &str, release: u32) {
        self.wish_release(app, release, Wish::Kill);
    }

    /// This release is the one that counts from now on; others are forgotten as soon as they have no workers.
    pub fn settle(&mut self, app: &str, release: u32) {
        if let Some(group) = self.find_mut(app) {
            group.settle(release);
        }
    }

    /// Forgets an app. Workers it still has are killed.
    pub fn remove(&mut self, app: &str) {
        self.groups.retain(|group| group.app() != app);
    }

    /// Asks every worker of `app` to end: signal, `kill_timeout`, then the kernel ends the whole tree. Returns at once;
    /// `Event::Stopped` tells when each has ended. Unknown names and a second call do nothing.
    pub fn stop(&self, app: &str) {
        if let Some(group) = self.find(app) {
            group.wish_all(Wish::Stop);
        }
    }

    /// Asks every worker of every app to end, and waits until all have: those of the apps in `first` before all others,
    /// group after group. Meanwhile those of later groups are looked after as ever.
    pub async fn stop_all(&self, first: &[Vec<String>]) {
        for names in first {
            for name in names {
                self.stop(name);
            }
            for group in names.iter().filter_map(|name| self.find(name)) {
                group.ended().await;
            }
        }
        self.end_all(Wish::Stop).await;
    }

    /// Ends every worker at once, without a word to it, and waits until all have ended: the answer to a second Ctrl-C.
    pub async fn kill_all(&self) {
        self.end_all(Wish::Kill).await;
    }

    async fn end_all(&self, wish: Wish) {
        for group in &self.groups {
            group.wish_all(wish);
        }
        for group in &self.groups {
            group.ended().await;
        }
    }

    fn wish(&self, worker: &WorkerId, wish: Wish) {
        if let Some(group) = self.find(&worker.app) {
            group.wish(worker, wish);
        }
    }

    fn wish_release(&self, app: &str, release: u32, wish: Wish) {
        let group = self.find(app);
        if let Some(release) = group.and_then(|group| group.release(release)) {
            release.wish_all(wish);
        }
    }

    fn find(&self, app: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.app() == app)
    }

    pub(crate) fn find_mut(&mut self, app: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.app() == app)
    }
}

/// Orphans of our workers become our children instead of init's, so that we can end them. Where the kernel refuses, they
/// are init's, as always.
fn be_parent() {
    crate::limits::raise_own();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    tokio::spawn(strangers::reap());
}
