//! One thread of the gateway: its own runtime, listeners, pipelines and connections.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::time::Duration;

use mainstay_pipeline::{Notices, Pipeline, Recorder, Standing, Target, Verification};
use mainstay_proxy::{
    Counters, DrainOptions, Endpoint, Listener, Listening, Serving, Thread, Upstreams, Workshop,
};
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc;

use crate::protocol::GatewaySettings;

/// What a thread is told.
pub(super) enum Command {
    /// Who answers for a target.
    Members {
        target: String,
        endpoints: Vec<Arc<Endpoint>>,
        /// See [`Upstreams::set_members`].
        leave_within: Option<Duration>,
        applied: Arc<Applied>,
    },
    /// What every request is served with that begins from now on.
    Serve(Serve),
    /// Finish and end; `done` is dropped then.
    Drain {
        options: DrainOptions,
        /// Who accepts from the sockets of each front afterwards.
        listening: Vec<Vec<Listening>>,
        done: mpsc::Sender<()>,
    },
}

/// Counts the threads that know a target's new members. Only when all do is anybody who waits for them
/// let go: on a thread that does not know them yet there would be nobody to ask. And only then do those leave
/// who are no longer among them: on a thread that does not know it they might be asked once more.
pub(super) struct Applied {
    left: AtomicUsize,
    target: Option<Arc<Target>>,
    count: usize,
    gone: Vec<Arc<Endpoint>>,
}

impl Applied {
    pub(super) fn new(
        threads: usize,
        target: Option<Arc<Target>>,
        count: usize,
        gone: Vec<Arc<Endpoint>>,
    ) -> Self {
        Self {
            left: AtomicUsize::new(threads),
            target,
            count,
            gone,
        }
    }

    fn one_more(&self) {
        if self.left.fetch_sub(1, AcqRel) == 1 {
            if let Some(target) = &self.target {
                target.set_ready(self.count);
            }
            self.gone.iter().for_each(|endpoint| endpoint.leave());
        }
    }
}

/// What requests are served with.
pub(super) struct Serve {
    pub(super) settings: Arc<GatewaySettings>,
    pub(super) standing: Arc<Standing>,
    /// By front.
    pub(super) recorders: Vec<Arc<Recorder>>,
}

/// What a thread is made of.
pub(super) struct Plan {
    pub(super) notices: Arc<Notices>,
    pub(super) verification: Arc<Verification>,
    /// By front.
    pub(super) counters: Vec<Arc<Counters>>,
    pub(super) serve: Serve,
    /// Who answers for each target from the beginning.
    pub(super) members: HashMap<String, Vec<Arc<Endpoint>>>,
    /// By front.
    pub(super) sockets: Vec<Vec<Listener>>,
}

/// Starts a thread.
pub(super) fn spawn(
    index: usize,
    plan: Plan,
    commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    // made here, so that a refusal by the system is told where somebody listens
    let (told, result) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name(format!("gateway-{index}"))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(run(plan, commands, &told)),
                Err(error) => drop(told.send(Err(error))),
            }
        })?;
    result.recv().map_err(io::Error::other)?
}

async fn run(
    mut plan: Plan,
    mut commands: mpsc::UnboundedReceiver<Command>,
    told: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let mut fronts = Vec::new();
    for (index, sockets) in std::mem::take(&mut plan.sockets).into_iter().enumerate() {
        let front = Front::open(&plan, index);
        for (target, endpoints) in &plan.members {
            front.upstreams.set_members(target, endpoints, None);
        }
        for socket in sockets {
            if let Err(error) = front.thread.accept(socket) {
                let _ = told.send(Err(error));
                return;
            }
        }
        fronts.push(front);
    }
    let Plan {
        notices,
        verification,
        ..
    } = plan;
    let _ = told.send(Ok(()));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Members {
                target,
                endpoints,
                leave_within,
                applied,
            } => {
                for front in &fronts {
                    front
                        .upstreams
                        .set_members(&target, &endpoints, leave_within);
                }
                applied.one_more();
            }
            Command::Serve(serve) => {
                for (index, front) in fronts.iter_mut().enumerate() {
                    front.serve_with(&serve, index, &notices, &verification);
                }
            }
            Command::Drain {
                options,
                listening,
                done,
            } => {
                // members may still change while the last requests are answered
                for (front, listening) in fronts.iter().zip(listening) {
                    let (thread, options, done) =
                        (front.thread.clone(), options.clone(), done.clone());
                    tokio::task::spawn_local(async move {
                        thread.drain(&options, listening).await;
                        drop(done);
                    });
                }
            }
        }
    }
}

/// One front as this thread serves it.
struct Front {
    thread: Thread,
    upstreams: Upstreams,
}

impl Front {
    fn open(plan: &Plan, index: usize) -> Self {
        let serve = &plan.serve;
        let workshop = Workshop::new(Arc::clone(&plan.counters[index]));
        let upstreams = Upstreams::new(
            &workshop,
            serve.settings.proxy.upstream.clone(),
            Arc::clone(&serve.standing),
        );
        let serving = serving(serve, index, &plan.notices, &plan.verification, &upstreams);
        Self {
            thread: Thread::start(workshop, serving),
            upstreams,
        }
    }

    fn serve_with(
        &mut self,
        serve: &Serve,
        index: usize,
        notices: &Arc<Notices>,
        verification: &Arc<Verification>,
    ) {
        self.upstreams = self.upstreams.succeed(
            serve.settings.proxy.upstream.clone(),
            Arc::clone(&serve.standing),
        );
        let serving = serving(serve, index, notices, verification, &self.upstreams);
        self.thread.serve_with(serving);
    }
}

/// A pipeline for one front.
fn serving(
    serve: &Serve,
    index: usize,
    notices: &Arc<Notices>,
    verification: &Arc<Verification>,
    upstreams: &Upstreams,
) -> Serving {
    let settings = &serve.settings;
    let pipeline = Pipeline::new(
        settings.front(index),
        &serve.standing,
        Arc::clone(notices),
        Arc::clone(&serve.recorders[index]),
        Arc::clone(verification),
        upstreams.clone(),
    );
    Serving::new(pipeline, settings.proxy.clone())
}
