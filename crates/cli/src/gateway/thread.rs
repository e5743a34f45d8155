//! One thread of the gateway: its own runtime, listeners, pipelines and connections.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::time::Duration;

use mainstay_pipeline::{Notices, Options, Pipeline, Recorder, RouteOptions, Standing};
use mainstay_proxy::{Endpoint, Serving, Thread, Upstreams, Workshop};
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc;

use super::process::Book;
use crate::protocol::Beginning;

/// What a thread is told.
pub(super) enum Command {
    /// Who answers for a target.
    Members {
        target: usize,
        endpoints: Vec<Arc<Endpoint>>,
        applied: Arc<Applied>,
    },
    /// Finish and end; `done` is dropped then.
    Drain {
        grace: Duration,
        done: mpsc::Sender<()>,
    },
}

/// Counts the threads that know a target's new members. Only when all do is anybody who waits for them
/// let go: on a thread that does not know them yet there would be nobody to ask.
pub(super) struct Applied {
    left: AtomicUsize,
    target: usize,
    count: usize,
    standing: Arc<Standing>,
}

impl Applied {
    pub(super) fn new(
        threads: usize,
        target: usize,
        count: usize,
        standing: Arc<Standing>,
    ) -> Self {
        Self {
            left: AtomicUsize::new(threads),
            target,
            count,
            standing,
        }
    }

    fn one_more(&self) {
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.standing.set_ready(self.target, self.count);
        }
    }
}

/// What a thread is made of.
pub(super) struct Plan {
    pub(super) beginning: Arc<Beginning>,
    pub(super) standing: Arc<Standing>,
    pub(super) notices: Arc<Notices>,
    /// By front.
    pub(super) books: Vec<Book>,
    /// By front.
    pub(super) sockets: Vec<Vec<TcpListener>>,
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
    plan: Plan,
    mut commands: mpsc::UnboundedReceiver<Command>,
    told: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let mut fronts = Vec::new();
    let books = plan.books.iter().zip(plan.sockets);
    for (front, (book, sockets)) in plan.beginning.settings.routes.iter().zip(books) {
        let (thread, upstreams) = open(front, book, &plan.beginning, &plan.standing, &plan.notices);
        for socket in sockets {
            if let Err(error) = thread.accept(socket) {
                let _ = told.send(Err(error));
                return;
            }
        }
        fronts.push((thread, upstreams));
    }
    let _ = told.send(Ok(()));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Members {
                target,
                endpoints,
                applied,
            } => {
                for (_, upstreams) in &fronts {
                    upstreams.set_members(target, &endpoints);
                }
                applied.one_more();
            }
            Command::Drain { grace, done } => {
                let drains: Vec<_> = fronts
                    .iter()
                    .map(|(thread, _)| {
                        let thread = thread.clone();
                        tokio::task::spawn_local(async move { thread.drain(grace).await })
                    })
                    .collect();
                // members may still change while the last requests are answered
                tokio::task::spawn_local(async move {
                    for drain in drains {
                        let _ = drain.await;
                    }
                    drop(done);
                });
            }
        }
    }
}

/// A pipeline for one front.
fn open(
    routes: &[RouteOptions],
    book: &Book,
    beginning: &Beginning,
    standing: &Arc<Standing>,
    notices: &Arc<Notices>,
) -> (Thread, Upstreams) {
    let workshop = Workshop::new(Arc::clone(&book.counters));
    let upstreams = Upstreams::new(
        &workshop,
        beginning.settings.proxy.upstream.clone(),
        Arc::clone(standing),
    );
    let recorder = Recorder {
        metrics: Arc::clone(&book.requests),
        log: book.log.clone(),
        routes: routes.iter().map(|route| route.name.clone()).collect(),
    };
    let options = Options {
        trusted_proxies: beginning.settings.trusted_proxies.clone(),
        health: beginning.settings.health.clone(),
        routes: routes.to_vec(),
        headers: beginning.settings.headers.clone(),
        instance: beginning.instance.clone(),
    };
    let pipeline = Pipeline::new(
        options,
        standing,
        Arc::clone(notices),
        Arc::new(recorder),
        upstreams.clone(),
    );
    (
        Thread::start(
            workshop,
            Serving::new(pipeline, beginning.settings.proxy.clone()),
        ),
        upstreams,
    )
}
