//! How a sequence that takes its time (a reload) acts on the instance: it wishes, the event loop grants, and
//! tells it what happens to workers. So the sequence reads from top to bottom, and can be dropped at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mainstay_config::{AppSettings, Settings};
use mainstay_proxy::Tally;
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::{Errand, StartError, WorkerId};
use tokio::sync::{mpsc, oneshot};

use super::by_hand::Halt;
use super::grant::Opened;
use super::handover::Handover;
use super::members::{OnTrial, Servers};
use super::reload::Gateway;
use super::trial::Judge;
use super::upgrade::Program;
use super::waiting::Waits;
use crate::failure::Failure;
use crate::order::Asker;
use crate::say;

/// What a sequence wants done. Each is done at once; what comes of it later is [`News`].
#[derive(Debug)]
pub(super) enum Wish {
    /// Make a release of this app ready to be started; answers its number.
    Prepare(Box<AppSettings>, oneshot::Sender<Result<u32, StartError>>),
    /// Make the release command of this app ready to be run. None: it has none.
    Errand(
        Box<AppSettings>,
        oneshot::Sender<Result<Option<Errand>, StartError>>,
    ),
    /// This app is about to be started: whether it has to wait for anything. None: it has not.
    Turn(
        Box<AppSettings>,
        oneshot::Sender<Result<Option<Waits>, Failure>>,
    ),
    /// Start this worker of a prepared release.
    Launch(WorkerId, oneshot::Sender<Result<(), StartError>>),
    /// The release that counts shall have so many workers; starts and ends none.
    Resize {
        app: Arc<str>,
        workers: u32,
        answer: oneshot::Sender<Result<u32, StartError>>,
    },
    /// Who works for an app.
    Workers(Arc<str>, oneshot::Sender<Vec<WorkerId>>),
    /// Try these workers of an app out, or no more.
    Trial(Arc<str>, Option<OnTrial>),
    /// Out of rotation, then end.
    Withdraw(WorkerId),
    /// End every worker of a release, ready or not.
    StopRelease(Arc<str>, u32),
    /// This release counts, and the app's settings are these from now on.
    Adopt(Box<AppSettings>, Option<u32>),
    /// Forget an app whose workers have ended.
    Forget(Arc<str>),
    /// Open what these settings need from the machine.
    Open(
        Box<Settings>,
        Vec<Servers>,
        oneshot::Sender<Result<Opened, Failure>>,
    ),
    /// These settings are in force from now on, in the gateway too.
    Settings(Box<Settings>, Opened, oneshot::Sender<Gateway>),
    /// An app was stopped by hand, or runs again.
    Halt(Arc<str>, Option<Halt>),
    /// An app was given so many workers by hand, in the place of what the settings say; none: they hold again.
    Scaled(Arc<str>, Option<(u32, Workers)>),
    /// Here stand the settings that are in force.
    Places(BTreeMap<String, String>),
    /// Start another gateway in the place of the present one.
    ReplaceGateway,
    /// What this control plane would hand over, as far as another program must be able to read it.
    Rehearse(oneshot::Sender<Result<Handover, Failure>>),
    /// Become another program. Only why that could not be is answered.
    HandOver(Program, oneshot::Sender<Failure>),
    /// The program is another one: end the guard, so that one of the new program takes its place, and start a gateway of it.
    /// Whether there is a gateway.
    Renew(oneshot::Sender<bool>),
}

/// What happened, for whoever waits for it.
#[derive(Debug)]
pub(super) enum News {
    /// A worker was put into rotation.
    Ready(WorkerId),
    /// A worker died, or failed to start; why, with its last words.
    Died(WorkerId, String),
    /// A worker that was asked to end has ended.
    Stopped(WorkerId),
    /// What a worker answered since this was told last; while some of its app are on trial.
    Tally(WorkerId, Tally),
    /// The planned gateway serves, or why it does not.
    Gateway(Result<(), String>),
}

/// A sequence's hands, and its mouth.
#[derive(Debug)]
pub(super) struct Hands {
    wishes: mpsc::UnboundedSender<Wish>,
    news: mpsc::UnboundedReceiver<News>,
    askers: Vec<Asker>,
    ready: BTreeSet<WorkerId>,
    stopped: BTreeSet<WorkerId>,
    /// Deaths that nobody has asked about.
    died: Vec<(WorkerId, String)>,
    /// What workers answered while they, or others of their app, were tried out.
    tallies: BTreeMap<WorkerId, Tally>,
}

/// The control loop is gone: so is everything the sequence could do.
const GONE: &str = "the instance is stopping";

impl Hands {
    pub(super) fn new(
        wishes: mpsc::UnboundedSender<Wish>,
        news: mpsc::UnboundedReceiver<News>,
        askers: Vec<Asker>,
    ) -> Self {
        Self {
            wishes,
            news,
            askers,
            ready: BTreeSet::new(),
            stopped: BTreeSet::new(),
            died: Vec::new(),
            tallies: BTreeMap::new(),
        }
    }

    /// Says what happens, to the operator and to whoever asked for it.
    pub(super) fn say(&self, sentence: &str) {
        say::note(sentence);
        for asker in &self.askers {
            asker.progress(sentence);
        }
    }

    pub(super) async fn prepare(&self, app: &AppSettings) -> Result<u32, Failure> {
        let app = Box::new(app.clone());
        Ok(self.ask(|answer| Wish::Prepare(app, answer)).await??)
    }

    pub(super) async fn errand(&self, app: &AppSettings) -> Result<Option<Errand>, Failure> {
        let app = Box::new(app.clone());
        Ok(self.ask(|answer| Wish::Errand(app, answer)).await??)
    }

    /// Waits until everything is there that an app is started after; for nothing, if it runs.
    ///
    /// # Errors
    /// What is missing, when it has waited too long, or nobody will start it.
    pub(super) async fn its_turn(&self, app: &AppSettings) -> Result<(), Failure> {
        let asked = Box::new(app.clone());
        let waits = self.ask(|answer| Wish::Turn(asked, answer)).await??;
        let Some(Waits { left, over }) = waits else {
            return Ok(());
        };
        self.say(&format!("`{}` waits for {left}", app.name()));
        over.await.map_err(|_| gone())?
    }

    /// Starts a worker of a prepared release.
    pub(super) async fn launch(&mut self, worker: &WorkerId) -> Result<(), Failure> {
        // one that is started again begins a new life
        self.ready.remove(worker);
        self.stopped.remove(worker);
        self.died.retain(|(dead, _)| dead != worker);
        let worker = worker.clone();
        Ok(self.ask(|answer| Wish::Launch(worker, answer)).await??)
    }

    /// Returns the release that counts.
    pub(super) async fn resize(&self, app: &str, workers: u32) -> Result<u32, Failure> {
        let app = app.into();
        let resize = |answer| Wish::Resize {
            app,
            workers,
            answer,
        };
        Ok(self.ask(resize).await??)
    }

    pub(super) async fn workers(&self, app: &str) -> Result<Vec<WorkerId>, Failure> {
        self.ask(|answer| Wish::Workers(app.into(), answer)).await
    }

    /// Addresses and servers of these settings; what is open already is taken as it is.
    pub(super) async fn open(&self, settings: &Settings) -> Result<Opened, Failure> {
        let settings = Box::new(settings.clone());
        let upstreams = settings.upstreams.clone();
        // names are looked up on a thread that may wait for the answer
        let resolve = move || upstreams.iter().map(Servers::resolve).collect();
        let servers: Result<Vec<_>, Failure> = tokio::task::spawn_blocking(resolve)
            .await
            .map_err(|error| Failure::internal("looking names up", error))?;
        let servers = servers?;
        self.ask(|answer| Wish::Open(settings, servers, answer))
            .await?
    }

    /// Puts them in force.
    pub(super) async fn settings(
        &self,
        settings: &Settings,
        opened: Opened,
    ) -> Result<Gateway, Failure> {
        let settings = Box::new(settings.clone());
        self.ask(|answer| Wish::Settings(settings, opened, answer))
            .await
    }

    pub(super) fn stop_release(&self, app: &str, release: u32) {
        self.wish(Wish::StopRelease(app.into(), release));
    }

    pub(super) fn adopt(&self, app: &AppSettings, release: Option<u32>) {
        self.wish(Wish::Adopt(Box::new(app.clone()), release));
    }

    pub(super) fn forget(&self, app: &str) {
        self.wish(Wish::Forget(app.into()));
    }

    pub(super) fn halt(&self, app: &str, halt: Option<Halt>) {
        self.wish(Wish::Halt(app.into(), halt));
    }

    pub(super) fn scaled(&self, app: &str, by_hand: Option<(u32, Workers)>) {
        self.wish(Wish::Scaled(app.into(), by_hand));
    }

    /// Tries workers of an app out: they get about this share of a hundred requests, and answers are counted, those
    /// apart that take longer than `slow_after`.
    pub(super) fn try_out(
        &self,
        app: &str,
        workers: &[WorkerId],
        share: Option<u8>,
        slow_after: Option<Duration>,
    ) {
        let trial = OnTrial {
            workers: workers.to_vec(),
            share,
            slow_after,
        };
        self.wish(Wish::Trial(app.into(), Some(trial)));
    }

    /// Nobody of an app is tried out any more.
    pub(super) fn end_trial(&self, app: &str) {
        self.wish(Wish::Trial(app.into(), None));
    }

    /// Takes these out of rotation, lets them finish, and waits for their end.
    pub(super) async fn retire(&mut self, workers: &[WorkerId]) -> Result<(), Failure> {
        for worker in workers {
            self.wish(Wish::Withdraw(worker.clone()));
        }
        while !workers.iter().all(|worker| self.stopped.contains(worker)) {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits until all of these are ready.
    ///
    /// # Errors
    /// The first death among `lives`, which they are part of, with what the worker said.
    pub(super) async fn all_ready(
        &mut self,
        workers: &[WorkerId],
        lives: &[WorkerId],
    ) -> Result<(), Failure> {
        loop {
            self.nobody_died(lives)?;
            if workers.iter().all(|worker| self.ready.contains(worker)) {
                return Ok(());
            }
            self.next().await?;
        }
    }

    /// Waits until each of these was ready or has died once.
    pub(super) async fn all_tried(&mut self, workers: &[WorkerId]) -> Result<(), Failure> {
        let tried = |hands: &Self, worker: &WorkerId| {
            let died = hands.died.iter().any(|(dead, _)| dead == worker);
            hands.ready.contains(worker) || died
        };
        while !workers.iter().all(|worker| tried(self, worker)) {
            self.next().await?;
        }
        Ok(())
    }

    /// How many of these are ready now.
    pub(super) fn ready_of(&self, workers: &[WorkerId]) -> usize {
        let ready = |worker: &&WorkerId| self.ready.contains(*worker);
        workers.iter().filter(ready).count()
    }

    /// Waits so long, unless one of these dies, or their answers are worse than those of the others.
    pub(super) async fn settle(
        &mut self,
        time: Duration,
        lives: &[WorkerId],
        judge: Judge,
    ) -> Result<(), Failure> {
        let end = tokio::time::Instant::now() + time;
        // both sides are judged by the same time
        self.tallies.clear();
        loop {
            self.nobody_died(lives)?;
            judge.judge(&self.tallies, lives)?;
            tokio::select! {
                () = tokio::time::sleep_until(end) => return Ok(()),
                happened = self.next() => { happened?; }
            }
        }
    }

    /// Where the settings stand that are in force now.
    pub(super) fn places(&self, places: BTreeMap<String, String>) {
        self.wish(Wish::Places(places));
    }

    /// Starts another gateway in the place of the present one, and waits until it serves.
    pub(super) async fn replace_gateway(&mut self) -> Result<(), Failure> {
        self.wish(Wish::ReplaceGateway);
        self.gateway_serves().await
    }

    /// What would be handed over.
    pub(super) async fn rehearse(&self) -> Result<Handover, Failure> {
        self.ask(Wish::Rehearse).await?
    }

    /// Becomes another program. Returns only if that cannot be.
    pub(super) async fn hand_over(&self, program: Program) -> Failure {
        let asked = self.ask(|answer| Wish::HandOver(program, answer)).await;
        asked.unwrap_or_else(|failure| failure)
    }

    /// Guard and gateway become those of the new program, too.
    pub(super) async fn renew(&mut self) -> Result<(), Failure> {
        if self.ask(Wish::Renew).await? {
            self.gateway_serves().await?;
        }
        Ok(())
    }

    /// Waits until the gateway that is being started serves.
    pub(super) async fn gateway_serves(&mut self) -> Result<(), Failure> {
        loop {
            if let Some(outcome) = self.next().await? {
                return outcome.map_err(|why| {
                    Failure::machine(format!("the new gateway {why}; the old one stays"))
                });
            }
        }
    }

    fn nobody_died(&self, lives: &[WorkerId]) -> Result<(), Failure> {
        let mut dead = self.died.iter();
        match dead.find(|(worker, _)| lives.contains(worker)) {
            Some((_, why)) => Err(Failure::app(why.clone())),
            None => Ok(()),
        }
    }

    /// The next news is taken in; what is said of the gateway is handed on.
    async fn next(&mut self) -> Result<Option<Result<(), String>>, Failure> {
        match self.news.recv().await.ok_or_else(gone)? {
            News::Ready(worker) => drop(self.ready.insert(worker)),
            News::Died(worker, why) => {
                self.ready.remove(&worker);
                self.died.push((worker, why));
            }
            News::Stopped(worker) => {
                self.ready.remove(&worker);
                self.stopped.insert(worker);
            }
            News::Tally(worker, tally) => self.tallies.entry(worker).or_default().add(tally),
            News::Gateway(outcome) => return Ok(Some(outcome)),
        }
        Ok(None)
    }

    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.wish(wish(answer));
        answered.await.map_err(|_| gone())
    }

    fn wish(&self, wish: Wish) {
        // without a loop there is nobody to act on either: whoever waits is told so
        let _ = self.wishes.send(wish);
    }
}

fn gone() -> Failure {
    Failure::cut_short(GONE)
}
