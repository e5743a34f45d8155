//! One thread of the data plane on a free port, driven from the test's thread.
//!
//! What may not be here: anything the program does not wire in the same way.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use mainstay_observe::RequestMetrics;
use mainstay_pipeline::{
    AccessLog, HealthOptions, Layers, MaintenanceOptions, Notices, Options as Stages, Pipeline,
    Recorder, RouteOptions, Standing, Target, TargetKind, WaitOptions,
};
use mainstay_proxy::{
    Address, Counters, DrainOptions, Endpoint, Listening, Options, Serving, SocketAccess, Thread,
    Upstreams, Workshop, bind,
};
use mainstay_testkit::{eventually, patience};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::message::Message;
use super::origin::Origin;
use super::wire::Wire;

type Job = Box<dyn FnOnce(&Thread, &mut Upstreams) + Send>;

/// A running thread of the data plane; ends with the value.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) standing: Arc<Standing>,
    log: Arc<AccessLog>,
    jobs: UnboundedSender<Job>,
}

/// What a gateway shall be, before it is started.
pub(crate) struct Plan {
    options: Options,
    kind: TargetKind,
    trusted: &'static str,
}

impl Plan {
    /// Asks the members as workers of an app, not as servers that were there already.
    pub(crate) fn app(mut self) -> Self {
        self.kind = TargetKind::App;
        self
    }

    /// Believes these about clients.
    pub(crate) fn trusting(mut self, proxies: &'static str) -> Self {
        self.trusted = proxies;
        self
    }

    /// Starts it in front of these.
    pub(crate) fn before(self, members: &[Arc<Endpoint>]) -> Gateway {
        Gateway::start(self, members)
    }
}

impl Gateway {
    /// With the options of the program.
    pub(crate) fn before(origins: &[&Origin]) -> Self {
        Self::with(|_| {}).before(&endpoints(origins))
    }

    /// With other options.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Plan {
        let mut options = Options::default();
        change(&mut options);
        Plan {
            options,
            kind: TargetKind::Upstream,
            trusted: "0",
        }
    }

    fn start(plan: Plan, members: &[Arc<Endpoint>]) -> Self {
        let any = "127.0.0.1:0".parse().expect("an address");
        let mut bound = bind(&any, 1, &SocketAccess::default()).expect("a free port");
        let socket = bound.sockets.remove(0);
        let Address::Tcp(address) = bound.address else {
            panic!("a port is TCP's");
        };
        // one that nobody stopped: somebody is expected even while nobody is there
        let target = Target::new("api", plan.kind, members.len().max(1));
        let wait = WaitOptions {
            patience: patience(),
            ..WaitOptions::default()
        };
        let standing = Arc::new(Standing::new(vec![target], wait));
        standing.set_ready(0, members.len());
        let (counters, log) = (Arc::<Counters>::default(), Arc::<AccessLog>::default());
        let (jobs, queue) = unbounded_channel::<Job>();
        let gateway = Self {
            address,
            counters: Arc::clone(&counters),
            standing: Arc::clone(&standing),
            log: Arc::clone(&log),
            jobs,
        };
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
                .expect("a runtime");
            runtime.block_on(async move {
                let (thread, mut upstreams) = open(plan, &standing, counters, log);
                thread.accept(socket).expect("a listener can be watched");
                work(queue, &thread, &mut upstreams).await;
            });
        });
        gateway.set_members(members);
        gateway
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Thread, &mut Upstreams) -> T + Send + 'static,
    ) -> T {
        let (done, result) = mpsc::channel();
        let job: Job = Box::new(move |thread, upstreams| {
            let _ = done.send(job(thread, upstreams));
        });
        assert!(self.jobs.send(job).is_ok(), "the gateway has ended");
        result
            .recv_timeout(patience())
            .expect("the gateway is not stuck")
    }

    /// Replaces the members.
    pub(crate) fn set_members(&self, members: &[Arc<Endpoint>]) {
        let members = members.to_vec();
        self.run(move |_, upstreams| upstreams.set_members("api", &members, None));
    }

    /// Replaces the members of a target by its name.
    pub(crate) fn set_members_of(&self, target: &'static str, members: &[Arc<Endpoint>]) {
        let members = members.to_vec();
        self.run(move |_, upstreams| upstreams.set_members(target, &members, None));
    }

    /// Replaces the members; whatever runs on those who left has to end within this time.
    pub(crate) fn set_members_within(&self, members: &[Arc<Endpoint>], time: Duration) {
        let members = members.to_vec();
        self.run(move |_, upstreams| upstreams.set_members("api", &members, Some(time)));
    }

    /// Serves with other targets and stages from now on; everything is routed to the last target.
    pub(crate) fn serve_with(
        &mut self,
        targets: &[&'static str],
        change: impl FnOnce(&mut Stages) + Send + 'static,
    ) {
        let targets: Vec<Target> = targets
            .iter()
            .map(|name| Target::new(*name, TargetKind::App, 1))
            .collect();
        let (last, log) = (targets.len() - 1, Arc::clone(&self.log));
        let wait = WaitOptions {
            patience: patience(),
            ..WaitOptions::default()
        };
        let standing = Arc::new(self.standing.succeed(targets, wait));
        self.standing = Arc::clone(&standing);
        self.run(move |thread, upstreams| {
            let options = Options::default();
            *upstreams = upstreams.succeed(options.upstream.clone(), Arc::clone(&standing));
            let mut stages = stages("0", last);
            change(&mut stages);
            thread.serve_with(serving(stages, options, &standing, log, upstreams));
        });
    }

    /// What this does is done while the thread does nothing else, and begins to drain when it is done.
    pub(crate) fn drain_after<T: Send + 'static>(
        &self,
        options: DrainOptions,
        first: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.run(move |thread, _| {
            let done = first();
            let thread = thread.clone();
            tokio::task::spawn_local(
                async move { thread.drain(&options, vec![Listening::Ends]).await },
            );
            done
        })
    }

    /// Begins to drain with a second for idle connections; the end of it comes over the channel.
    pub(crate) fn drain(&self, grace: Duration) -> mpsc::Receiver<()> {
        self.drain_with(DrainOptions {
            grace,
            streams: grace,
            ..DrainOptions::default()
        })
    }

    /// Begins to drain; the end of it comes over the channel.
    pub(crate) fn drain_with(&self, options: DrainOptions) -> mpsc::Receiver<()> {
        let (done, drained) = mpsc::channel();
        self.run(move |thread, _| {
            let thread = thread.clone();
            tokio::task::spawn_local(async move {
                thread.drain(&options, vec![Listening::Ends]).await;
                let _ = done.send(());
            });
        });
        drained
    }

    /// Connections of clients that are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.run(|thread, _| thread.open_connections())
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// Sends these bytes on a connection of their own and reads one response.
    #[track_caller]
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.connect().send(request).response()
    }

    /// Processor time that its thread has used.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.run(|_, _| {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            Duration::new(
                time.tv_sec.unsigned_abs(),
                u32::try_from(time.tv_nsec).unwrap_or(0),
            )
        })
    }

    /// The first access line that holds this, once it is written. Lines before it are gone then.
    #[track_caller]
    pub(crate) fn logged(&self, part: &str) -> String {
        eventually("an access line", || {
            let text = String::from_utf8(self.log.take()).expect("the log is text");
            text.lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
    }
}

async fn work(mut queue: UnboundedReceiver<Job>, thread: &Thread, upstreams: &mut Upstreams) {
    while let Some(job) = queue.recv().await {
        job(thread, upstreams);
    }
}

fn open(
    plan: Plan,
    standing: &Arc<Standing>,
    counters: Arc<Counters>,
    log: Arc<AccessLog>,
) -> (Thread, Upstreams) {
    let options = plan.options;
    let workshop = Workshop::new(counters);
    let upstreams = Upstreams::new(&workshop, options.upstream.clone(), Arc::clone(standing));
    let stages = stages(plan.trusted, 0);
    let serving = serving(stages, options, standing, log, &upstreams);
    (Thread::start(workshop, serving), upstreams)
}

fn stages(trusted: &str, target: usize) -> Stages {
    Stages {
        trusted_proxies: trusted.parse().expect("trusted proxies"),
        health: HealthOptions::default(),
        maintenance: MaintenanceOptions::default(),
        overload: mainstay_pipeline::OverloadOptions::default(),
        debug: None,
        routes: vec![RouteOptions::everything(target)],
        layers: Layers::default(),
        rate_limits: Vec::new(),
        pages: Arc::default(),
        instance: "it".to_owned(),
    }
}

fn serving(
    stages: Stages,
    options: Options,
    standing: &Arc<Standing>,
    log: Arc<AccessLog>,
    upstreams: &Upstreams,
) -> Serving {
    let recorder = Recorder {
        errors: None,
        metrics: Arc::new(RequestMetrics::new(1)),
        log: Some(log),
        routes: Arc::new(["default".to_owned()]),
    };
    let pipeline = Pipeline::new(
        stages,
        standing,
        Arc::<Notices>::default(),
        Arc::new(recorder),
        Arc::default(),
        upstreams.clone(),
    );
    Serving::new(pipeline, options)
}

/// A member that can be counted on.
pub(crate) fn endpoint(id: u64, address: SocketAddr) -> Arc<Endpoint> {
    Arc::new(Endpoint::new(
        id,
        format!("api/{id}"),
        Address::Tcp(address),
    ))
}

/// Members in this order.
pub(crate) fn endpoints(origins: &[&Origin]) -> Vec<Arc<Endpoint>> {
    (0..)
        .zip(origins)
        .map(|(id, origin)| endpoint(id, origin.address))
        .collect()
}
