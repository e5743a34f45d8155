//! The gateway's main thread: listens to the control plane and hands on what it says.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::RequestMetrics;
use mainstay_pipeline::{AccessLog, Notices, Standing, Target};
use mainstay_proxy::{Counters, Endpoint};
use mainstay_supervisor::os::inherited_fd;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::metrics::Metrics;
use super::thread::{self, Applied, Command};
use crate::failure::Failure;
use crate::plain_http::{self, Reply};
use crate::protocol::{
    self, AccessLogging, Beginning, Down, Frame, Member, Observe, Scope, Up, VERSION,
};

/// The socket to the control plane.
pub(crate) const CONTROL_FD: i32 = 3;
/// The folder of the workers' sockets: whoever is not allowed to walk there can still go from it.
pub(crate) const FOLDER_FD: i32 = 4;
/// The first listening socket.
pub(crate) const FIRST_SOCKET_FD: i32 = 5;
/// How often access lines are handed on.
const FLUSH: Duration = Duration::from_millis(25);
/// Lines are handed on in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Runs the gateway until the control plane says drain, or is gone.
pub(crate) fn main() -> Result<ExitCode, Failure> {
    let control = inherited_fd(CONTROL_FD)
        .map_err(|error| Failure::internal("the control plane's socket", error))?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    runtime
        .block_on(serve(control))
        .map_err(|error| Failure::internal("the gateway", error))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(control: OwnedFd) -> io::Result<()> {
    let control = std::os::unix::net::UnixStream::from(control);
    control.set_nonblocking(true)?;
    let (mut from, to) = UnixStream::from_std(control)?.into_split();
    let Some(Frame::Message(Down::Begin(beginning))) = protocol::receive(&mut from).await? else {
        return Ok(());
    };
    if beginning.version != VERSION {
        return Err(io::Error::other(format!(
            "the control plane speaks version {}, not {VERSION}",
            beginning.version
        )));
    }
    let mut gateway = Gateway::start(*beginning, to)?;
    gateway.listen(&mut from).await
}

struct Gateway {
    standing: Arc<Standing>,
    threads: Vec<mpsc::UnboundedSender<Command>>,
    /// Known workers and servers: one that stays keeps its count of requests.
    endpoints: HashMap<u64, Arc<Endpoint>>,
    metrics: Arc<Metrics>,
    up: mpsc::UnboundedSender<Up>,
    writer: tokio::task::JoinHandle<()>,
}

impl Gateway {
    fn start(beginning: Beginning, to: OwnedWriteHalf) -> io::Result<Self> {
        let mut numbers = FIRST_SOCKET_FD..;
        let mut next = || inherited_fd(numbers.next().unwrap_or(i32::MAX)).map(TcpListener::from);
        // by thread, by front
        let mut sockets: Vec<Vec<Vec<TcpListener>>> = (0..beginning.threads)
            .map(|_| beginning.addresses.iter().map(|_| Vec::new()).collect())
            .collect();
        for (index, addresses) in beginning.addresses.iter().enumerate() {
            for _ in 0..*addresses {
                for thread in &mut sockets {
                    thread[index].push(next()?);
                }
            }
        }
        let observe = (beginning.observe == Observe::Served)
            .then(&mut next)
            .transpose()?;

        let targets = beginning
            .settings
            .targets
            .iter()
            .map(|target| Target::new(&target.name, target.kind, target.wanted));
        let standing = Arc::new(Standing::new(
            targets.collect(),
            beginning.settings.wait.clone(),
        ));
        let notices = Arc::new(Notices::default());
        let (up, up_receiver) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::new(&beginning, Arc::clone(&standing), up.clone()));
        let beginning = Arc::new(beginning);
        let mut threads = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let (commands, receiver) = mpsc::unbounded_channel();
            threads.push(commands);
            let plan = thread::Plan {
                beginning: Arc::clone(&beginning),
                standing: Arc::clone(&standing),
                notices: Arc::clone(&notices),
                books: metrics.books(index).to_vec(),
                sockets,
            };
            thread::spawn(index, plan, receiver)?;
        }
        let logs = metrics.logs();
        let writer = tokio::spawn(write_up(to, up_receiver, logs, notices));
        if let Some(observe) = observe {
            tokio::spawn(serve_metrics(observe, Arc::clone(&metrics)));
        }
        let _ = up.send(Up::Ready);
        Ok(Self {
            standing,
            threads,
            endpoints: HashMap::new(),
            metrics,
            up,
            writer,
        })
    }

    async fn listen(&mut self, from: &mut OwnedReadHalf) -> io::Result<()> {
        loop {
            match protocol::receive(from).await? {
                Some(Frame::Message(Down::Members {
                    target, members, ..
                })) => {
                    let mut targets = self.standing.targets().iter();
                    if let Some(target) = targets.position(|known| known.name == target) {
                        self.set_members(target, members);
                    }
                }
                Some(Frame::Message(Down::Metrics { ticket })) => {
                    let _ = self.up.send(Up::Metrics {
                        ticket,
                        totals: Box::new(self.metrics.totals()),
                    });
                }
                Some(Frame::Message(Down::MetricsText { ticket, text })) => {
                    self.metrics.told(ticket, text);
                }
                Some(Frame::Message(Down::Drain {
                    grace_ms, scope, ..
                })) => {
                    if scope == Scope::Instance {
                        self.standing.drain();
                    }
                    return self.drain(Duration::from_millis(grace_ms), from).await;
                }
                Some(Frame::Message(Down::Begin(_) | Down::Settings(_)) | Frame::Lines(_)) => {}
                // the control plane is gone: so are the workers
                None => return Ok(()),
            }
        }
    }

    fn set_members(&mut self, target: usize, members: Vec<Member>) {
        let endpoints: Vec<Arc<Endpoint>> = members
            .into_iter()
            .map(|member| {
                let known = self.endpoints.entry(member.id);
                Arc::clone(known.or_insert_with(|| {
                    Arc::new(Endpoint::new(member.id, member.name, member.address))
                }))
            })
            .collect();
        // Fewer are fewer at once: on a thread that has heard of it there must be no wait that ends before
        // somebody has come.
        if let Some(known) = self.standing.targets().get(target)
            && endpoints.len() < known.ready()
        {
            self.standing.set_ready(target, endpoints.len());
        }
        let applied = Arc::new(Applied::new(
            self.threads.len(),
            target,
            endpoints.len(),
            Arc::clone(&self.standing),
        ));
        for thread in &self.threads {
            let _ = thread.send(Command::Members {
                target,
                endpoints: endpoints.clone(),
                applied: Arc::clone(&applied),
            });
        }
        // whoever is in no list any more is forgotten with its last request
        self.endpoints.retain(|id, endpoint| {
            Arc::strong_count(endpoint) > 1 || endpoints.iter().any(|kept| kept.id == *id)
        });
    }

    async fn drain(&mut self, grace: Duration, from: &mut OwnedReadHalf) -> io::Result<()> {
        let (done, mut all_done) = mpsc::channel::<()>(1);
        for thread in &self.threads {
            let _ = thread.send(Command::Drain {
                grace,
                done: done.clone(),
            });
        }
        drop(done);
        // ends when every thread has dropped its sender, or the control plane is gone
        tokio::select! {
            _ = all_done.recv() => {}
            () = gone(from) => {}
        }
        let _ = self.up.send(Up::Drained);
        // the last lines go out with the writer, which ends when nobody can tell it anything any more
        let (nobody, _) = mpsc::unbounded_channel();
        self.up = nobody;
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut self.writer).await;
        Ok(())
    }
}

/// Reads on while draining: nothing changes its course but the control plane's end.
async fn gone(from: &mut OwnedReadHalf) {
    while let Ok(Some(_)) = protocol::receive::<Down>(from).await {}
}

/// Writes to the control plane. Slow reading there makes access lines wait, then drop; never a request.
async fn write_up(
    mut to: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Up>,
    logs: Vec<Arc<AccessLog>>,
    notices: Arc<Notices>,
) {
    let mut interval = tokio::time::interval(FLUSH);
    // the one that is written and those that collect change places, so none is ever made anew
    let mut lines = Vec::new();
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            biased;
            message = messages.recv() => message,
            _ = interval.tick() => {
                let sentences = notices.take();
                if !sentences.is_empty() && protocol::send(&mut to, &Up::Notices(sentences)).await.is_err() {
                    return;
                }
                if flush(&mut to, &logs, &mut lines).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let is_last = matches!(message, None | Some(Up::Drained));
        if is_last && flush(&mut to, &logs, &mut lines).await.is_err() {
            return;
        }
        let Some(message) = message else { return };
        if protocol::send(&mut to, &message).await.is_err() || is_last {
            return;
        }
    }
}

async fn flush(
    to: &mut OwnedWriteHalf,
    logs: &[Arc<AccessLog>],
    lines: &mut Vec<u8>,
) -> io::Result<()> {
    for log in logs {
        log.take_into(lines);
        let mut rest = &lines[..];
        while !rest.is_empty() {
            // pieces end where lines end
            let end = match rest.get(..PIECE) {
                Some(piece) => piece
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(rest.len(), |end| end + 1),
                None => rest.len(),
            };
            protocol::send_lines(to, &rest[..end]).await?;
            rest = &rest[end..];
        }
    }
    Ok(())
}

/// Health and metrics, read-only.
async fn serve_metrics(socket: TcpListener, metrics: Arc<Metrics>) {
    const CLIENTS: usize = 64;
    let places = Arc::new(tokio::sync::Semaphore::new(CLIENTS));
    let Ok(listener) = socket
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(socket))
    else {
        return;
    };
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    plain_http::serve(stream, |call| {
                        let metrics = Arc::clone(&metrics);
                        async move { metrics.answer(&call).await }
                    })
                    .await;
                    drop(place);
                });
            }
            // out of descriptors, most likely: no busy loop until there is one
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// As many descriptors as we may have: a connection costs one.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// What one thread counts for one front.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) requests: Arc<RequestMetrics>,
    pub(super) counters: Arc<Counters>,
    pub(super) log: Option<Arc<AccessLog>>,
}

impl Book {
    pub(super) fn new(routes: usize, logging: AccessLogging) -> Self {
        Self {
            requests: Arc::new(RequestMetrics::new(routes)),
            counters: Arc::default(),
            log: (logging == AccessLogging::Json).then(Arc::default),
        }
    }
}

/// Says what is not there.
pub(super) fn not_found() -> Reply {
    plain_http::text(
        http::StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        "there is /metrics, /live and /ready\n",
    )
}
