//! The gateway's main thread: listens to the control plane and hands on what it says.

mod sockets;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mainstay_pipeline::{
    CacheMemory, Notices, SharedPlace, Standing, Suspension, Target, Verification,
};
use mainstay_proxy::{DrainOptions, Endpoint, Tiding};
use mainstay_supervisor::os::inherited_fd;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::sockets::{listening, sockets};
use super::access_lines::AccessLines;
use super::issuers::Issuers;
use super::load::Telling;
use super::metrics::Metrics;
use super::store::Store;
use super::thread::{self, Applied, Command};
use super::{caching, descriptors, observers, up};
use crate::deaf;
use crate::failure::Failure;
use crate::protocol::{
    self, Beginning, Company, Down, GatewaySettings, Member, Scope, TargetOptions, Up, VERSION,
};
use crate::rates;

/// The socket to the control plane.
pub(crate) const CONTROL_FD: i32 = 3;
/// The folder of the workers' sockets: whoever is not allowed to walk there can still go from it.
pub(crate) const FOLDER_FD: i32 = 4;
/// The pipe for access lines.
pub(crate) const ACCESS_FD: i32 = 5;
/// The memory in which rates are counted.
pub(crate) const RATES_FD: i32 = 6;
/// The first listening socket.
pub(crate) const FIRST_SOCKET_FD: i32 = 7;
/// Orders of the control plane that may wait here.
const WAITING: usize = 16;

/// Runs the gateway until the control plane says drain, or is gone.
pub(crate) fn main() -> Result<ExitCode, Failure> {
    let control = inherited_fd(CONTROL_FD)
        .map_err(|error| Failure::internal("the control plane's socket", error))?;
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    {
        let _inside = runtime.enter();
        deaf::to_signals().map_err(|error| Failure::internal("signals", error))?;
    }
    runtime
        .block_on(serve(control))
        .map_err(|error| Failure::internal("the gateway", error))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(control: OwnedFd) -> io::Result<()> {
    let control = std::os::unix::net::UnixStream::from(control);
    control.set_nonblocking(true)?;
    let (mut from, to) = UnixStream::from_std(control)?.into_split();
    let Some(Down::Begin(beginning)) = protocol::receive(&mut from).await? else {
        return Ok(());
    };
    if beginning.version != VERSION {
        return Err(io::Error::other(format!(
            "the control plane speaks version {}, not {VERSION}",
            beginning.version
        )));
    }
    let (orders, waiting) = mpsc::channel(WAITING);
    let mut gateway = Gateway::start(*beginning, to)?;
    tokio::spawn(read(from, orders));
    gateway.listen(waiting).await;
    Ok(())
}

/// Reads orders one after the other, so that waiting for the next can be given up without losing half of it.
async fn read(mut from: OwnedReadHalf, orders: mpsc::Sender<Down>) {
    while let Ok(Some(order)) = protocol::receive(&mut from).await {
        if orders.send(order).await.is_err() {
            return;
        }
    }
}

struct Gateway {
    standing: Arc<Standing>,
    store: Store,
    /// For each front and each of its addresses the number of sockets.
    sockets: Vec<Vec<usize>>,
    threads: Vec<mpsc::UnboundedSender<Command>>,
    /// Known workers and servers by target: one that stays keeps its count of requests.
    members: HashMap<String, Vec<Arc<Endpoint>>>,
    metrics: Arc<Metrics>,
    tidings: mpsc::UnboundedSender<Tiding>,
    up: mpsc::UnboundedSender<Up>,
    writer: JoinHandle<()>,
    issuers: Issuers,
    /// None once the last have been handed on.
    lines: Option<AccessLines>,
    observers: Option<JoinHandle<()>>,
    /// What requests change, for other gateways on this machine.
    changes: mpsc::UnboundedReceiver<SharedPlace>,
    /// Its other end, for when there are such.
    told: mpsc::UnboundedSender<SharedPlace>,
    /// By target with members on trial: who tells what is counted.
    trials: HashMap<String, JoinHandle<()>>,
}

impl Gateway {
    fn start(beginning: Beginning, to: OwnedWriteHalf) -> io::Result<Self> {
        let (inherited, observe) = sockets(&beginning)?;
        let Beginning {
            settings,
            members,
            sockets,
            ..
        } = beginning;
        let settings = Arc::new(settings);
        let standing = Standing::new(targets(&settings.targets), settings.wait.clone());
        standing.suspend(beginning.suspension);
        let (up, up_receiver) = mpsc::unbounded_channel();
        let memory = Arc::new(CacheMemory::new(settings.cache_memory()));
        let (told, changes) = mpsc::unbounded_channel();
        memory.tell_changes(Some(told.clone()));
        let mut store = Store::new(beginning.name, Arc::clone(&memory));
        store.set(&settings, &up);
        let standing = standing
            .with_rates(rates::open(inherited_fd(RATES_FD)?)?)
            .with_budgets(store.budgets())
            .with_answers(store.answers())
            .with_cache(memory);
        let standing = Arc::new(standing);
        let (tidings, tidings_receiver) = mpsc::unbounded_channel();
        let members = endpoints(members, &tidings);
        set_ready(&standing, &members, |_| true);
        let notices = Arc::new(Notices::default());
        let verification = Arc::new(Verification::default());
        let metrics = Arc::new(Metrics::new(
            beginning.threads,
            &settings,
            Arc::clone(&standing),
            up.clone(),
        ));
        let mut threads = Vec::new();
        for (index, sockets) in inherited.into_iter().enumerate() {
            let (commands, receiver) = mpsc::unbounded_channel();
            threads.push(commands);
            let plan = thread::Plan {
                notices: Arc::clone(&notices),
                verification: Arc::clone(&verification),
                counters: metrics.counters(index),
                serve: thread::Serve {
                    settings: Arc::clone(&settings),
                    standing: Arc::clone(&standing),
                    recorders: metrics.recorders(index, &settings),
                },
                members: members.clone(),
                sockets,
            };
            thread::spawn(index, plan, receiver)?;
        }
        let lines = AccessLines::start(inherited_fd(ACCESS_FD)?, metrics.logs())?;
        let writer = tokio::spawn(up::write(to, up_receiver, Arc::clone(&notices)));
        tokio::spawn(up::tell_tidings(tidings_receiver, up.clone()));
        tokio::spawn(up::tell_counts(Arc::clone(&metrics), up.clone()));
        let observers =
            observe.map(|observe| tokio::spawn(observers::serve(observe, Arc::clone(&metrics))));
        let _ = up.send(Up::Ready);
        let mut gateway = Self {
            standing,
            store,
            sockets,
            threads,
            members,
            metrics,
            tidings,
            up,
            writer,
            issuers: Issuers::new(verification, notices),
            lines: Some(lines),
            observers,
            changes,
            told,
            trials: HashMap::new(),
        };
        gateway.issuers.serve(&settings);
        for (target, members) in gateway.members.clone() {
            gateway.follow_trial(&target, &members);
        }
        Ok(gateway)
    }

    /// Does what it is told until it has drained, or the control plane is gone, and with it the workers.
    async fn listen(&mut self, mut orders: mpsc::Receiver<Down>) {
        let mut drained: Option<mpsc::Receiver<()>> = None;
        let mut load = Telling::new();
        loop {
            let order = tokio::select! {
                order = orders.recv() => order,
                Some(place) = self.changes.recv() => {
                    let _ = self.up.send(Up::Changed(Box::new(place)));
                    continue;
                }
                () = load.due() => {
                    let news = load.news(&self.members, &self.standing);
                    let _ = news.map(|load| self.up.send(Up::Load(load)));
                    continue;
                }
                () = all_gone(&mut drained) => return self.end().await,
            };
            match order {
                Some(Down::Members {
                    target,
                    members,
                    leave_within_ms,
                }) => {
                    let within = Duration::from_millis(leave_within_ms);
                    self.set_members(target, members, (!within.is_zero()).then_some(within));
                }
                Some(Down::Suspend {
                    ticket,
                    suspension,
                    within_ms,
                }) => self.suspend(ticket, suspension, Duration::from_millis(within_ms)),
                Some(Down::Settings(settings)) => self.serve_with(*settings),
                Some(Down::Metrics { ticket }) => {
                    let totals = Box::new(self.metrics.totals());
                    let _ = self.up.send(Up::Metrics { ticket, totals });
                }
                Some(Down::MetricsText { ticket, text }) => self.metrics.told(ticket, text),
                Some(Down::Cache { ticket, question }) => {
                    caching::answer(&self.standing, ticket, question, &self.up);
                }
                Some(Down::Forget(place)) => self.standing.cache().forget(&place),
                Some(Down::Company(company)) => {
                    let told = (company == Company::Others).then(|| self.told.clone());
                    self.standing.cache().tell_changes(told);
                }
                Some(Down::Drain {
                    grace_ms,
                    delay_ms,
                    idle_ms,
                    streams_ms,
                    scope,
                    closing,
                }) => {
                    let options = DrainOptions {
                        delay: Duration::from_millis(delay_ms),
                        idle: Duration::from_millis(idle_ms),
                        streams: Duration::from_millis(streams_ms),
                        grace: Duration::from_millis(grace_ms),
                    };
                    drained = Some(self.drain(&options, scope, &closing));
                }
                Some(Down::Begin(_)) => {}
                None => return,
            }
        }
    }

    fn set_members(
        &mut self,
        target: String,
        members: Vec<Member>,
        leave_within: Option<Duration>,
    ) {
        let before = self.members.remove(&target).unwrap_or_default();
        let endpoints: Vec<Arc<Endpoint>> = members
            .into_iter()
            .map(|member| {
                let known = before.iter().find(|known| known.id == member.id);
                let Some(known) = known else {
                    return endpoint(member, &self.tidings);
                };
                known.set_trial(member.trial);
                Arc::clone(known)
            })
            .collect();
        let gone = before
            .into_iter()
            .filter(|known| endpoints.iter().all(|kept| kept.id != known.id));
        let known = self.target(&target);
        // Fewer are fewer at once: on a thread that has heard of it there must be no wait that ends before
        // somebody has come.
        if let Some(known) = &known
            && endpoints.len() < known.ready()
        {
            known.set_ready(endpoints.len());
        }
        let applied = Applied::new(self.threads.len(), known, endpoints.len(), gone.collect());
        let applied = Arc::new(applied);
        for thread in &self.threads {
            let _ = thread.send(Command::Members {
                target: target.clone(),
                endpoints: endpoints.clone(),
                leave_within,
                applied: Arc::clone(&applied),
            });
        }
        self.follow_trial(&target, &endpoints);
        self.members.insert(target, endpoints);
    }

    /// Tells what is counted of a target's members, as long as it is.
    fn follow_trial(&mut self, target: &str, members: &[Arc<Endpoint>]) {
        if let Some(before) = self.trials.remove(target) {
            before.abort();
        }
        let members = members.iter();
        let on_trial: Vec<_> = members
            .filter(|known| known.is_counted())
            .cloned()
            .collect();
        if !on_trial.is_empty() {
            let telling = tokio::spawn(up::tell_trial(on_trial, self.up.clone()));
            self.trials.insert(target.to_owned(), telling);
        }
    }

    fn target(&self, name: &str) -> Option<Arc<Target>> {
        let mut targets = self.standing.targets().iter();
        targets.find(|target| target.name == name).cloned()
    }

    /// Holds from now on, on all threads; told when it is so.
    fn suspend(&self, ticket: u64, suspension: Suspension, within: Duration) {
        self.standing.suspend(suspension);
        let (metrics, standing) = (Arc::clone(&self.metrics), Arc::clone(&self.standing));
        let up = self.up.clone();
        tokio::spawn(async move {
            let running = match suspension {
                Suspension::Pause { .. } => up::quiet(&metrics, &standing, within).await,
                Suspension::None | Suspension::Maintenance { .. } => 0,
            };
            let _ = up.send(Up::Suspended { ticket, running });
        });
    }

    /// New settings for every request that begins from now on.
    fn serve_with(&mut self, settings: GatewaySettings) {
        self.issuers.serve(&settings);
        let standing = self
            .standing
            .succeed(targets(&settings.targets), settings.wait.clone());
        self.store.set(&settings, &self.up);
        let standing = standing
            .with_budgets(self.store.budgets())
            .with_answers(self.store.answers());
        standing.cache().resize(settings.cache_memory());
        // Whoever asks for a new target finds its members: no thread serves it before it knows them. Of others
        // the threads may just be hearing.
        let is_new = |target: &Target| self.target(&target.name).is_none();
        set_ready(&standing, &self.members, is_new);
        self.standing = Arc::new(standing);
        self.metrics
            .serve_with(&settings, Arc::clone(&self.standing));
        let settings = Arc::new(settings);
        for (index, thread) in self.threads.iter().enumerate() {
            let _ = thread.send(Command::Serve(thread::Serve {
                settings: Arc::clone(&settings),
                standing: Arc::clone(&self.standing),
                recorders: self.metrics.recorders(index, &settings),
            }));
        }
    }

    /// Begins to drain; the receiver ends when every thread has.
    fn drain(
        &mut self,
        options: &DrainOptions,
        scope: Scope,
        closing: &[usize],
    ) -> mpsc::Receiver<()> {
        match scope {
            Scope::Instance => self.standing.drain(),
            // the successor has the same socket
            Scope::Gateway => self.observers.take().iter().for_each(JoinHandle::abort),
        }
        let (done, drained) = mpsc::channel(1);
        for (number, thread) in self.threads.iter().enumerate() {
            let is_its = |socket: usize| socket % self.threads.len() == number;
            let _ = thread.send(Command::Drain {
                options: options.clone(),
                listening: listening(&self.sockets, is_its, scope, closing),
                done: done.clone(),
            });
        }
        drained
    }

    /// Says the last that is to be said.
    async fn end(&mut self) {
        if let Some(lines) = self.lines.take() {
            lines.finish().await;
        }
        while let Ok(place) = self.changes.try_recv() {
            let _ = self.up.send(Up::Changed(Box::new(place)));
        }
        let totals = Box::new(self.metrics.totals());
        let _ = self.up.send(Up::Counted(totals));
        let _ = self.up.send(Up::Drained);
        // the writer ends with that, when all is out
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut self.writer).await;
    }
}

fn endpoints(
    members: BTreeMap<String, Vec<Member>>,
    tidings: &mpsc::UnboundedSender<Tiding>,
) -> HashMap<String, Vec<Arc<Endpoint>>> {
    let of = |members: Vec<Member>| members.into_iter().map(|member| endpoint(member, tidings));
    members
        .into_iter()
        .map(|(target, members)| (target, of(members).collect()))
        .collect()
}

fn endpoint(member: Member, tidings: &mpsc::UnboundedSender<Tiding>) -> Arc<Endpoint> {
    let endpoint = Endpoint::new(member.id, member.name, member.address);
    endpoint.set_trial(member.trial);
    Arc::new(endpoint.watched_by(tidings.clone()))
}

/// Says who is ready for these targets. Only while no thread can ask for somebody it does not know.
fn set_ready(
    standing: &Standing,
    members: &HashMap<String, Vec<Arc<Endpoint>>>,
    which: impl Fn(&Target) -> bool,
) {
    for target in standing.targets() {
        if which(target)
            && let Some(members) = members.get(&target.name)
        {
            target.set_ready(members.len());
        }
    }
}

fn targets(options: &[TargetOptions]) -> Vec<Target> {
    let targets = options.iter();
    targets
        .map(|target| Target::new(&target.name, target.kind, target.wanted))
        .collect()
}

/// Ends when every thread has drained; never while none was told to.
async fn all_gone(drained: &mut Option<mpsc::Receiver<()>>) {
    match drained {
        Some(drained) => drop(drained.recv().await),
        None => std::future::pending().await,
    }
}
