//! What the supervisor tells whoever started it. Facts only: sentences for people are made by the program.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::lifecycle::Why;
use crate::output::Line;
use crate::process::Exit;

/// One worker: its app, the release it was started from, its number there, from 0, and which one of those it is that held
/// that number one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerId {
    /// The app's name.
    #[serde(with = "name")]
    pub app: Arc<str>,
    /// The release of the app, counted up from 1 within the instance.
    pub release: u32,
    /// The worker's number within the app, from 0; it stays over restarts.
    pub index: u32,
    /// From 0; higher by one for a successor that comes up before, or just after, it ends. It stays over restarts.
    pub incarnation: u32,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.app, self.index)
    }
}

/// A shared name, written as it is.
mod name {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        name: &Arc<str>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// Where a worker can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// A Unix stream socket, new at every start of the worker.
    Unix(PathBuf),
    /// A TCP address on loopback.
    Tcp(SocketAddr),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(formatter),
        }
    }
}

/// What kind of server a Node app put on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerKind {
    /// `http.createServer`.
    Http,
    /// `https.createServer` or any other TLS server.
    Https,
    /// `http2.createServer` or `createSecureServer`.
    Http2,
    /// `net.createServer`: some protocol on TCP, perhaps HTTP.
    Net,
}

/// A worker that can be given work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyWorker {
    /// Which one.
    pub worker: WorkerId,
    /// The process that answers; not always the one that was started.
    pub pid: u32,
    /// Where it answers; an app in the background answers nowhere.
    pub endpoint: Option<Endpoint>,
    /// The port the app asked for, which we listen on in its place unless told otherwise.
    pub port_asked: Option<u16>,
    /// The address the app asked for: `::`, `0.0.0.0`, `127.0.0.1`, ...
    pub address_asked: Option<String>,
    /// The kind of server, where it is known (Node).
    pub server: Option<ServerKind>,
    /// Whether Express's `trust proxy` covers loopback, so that `req.ip` is the client; `None` when it cannot be seen.
    pub trusts_loopback: Option<bool>,
    /// From start until ready.
    pub took: Duration,
}

/// Something about a worker that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The app would have forked its own cluster; it was made to run as one worker of ours.
    OwnCluster,
    /// The app also listens on this fixed port, which is its own business with a single worker.
    ExtraPort {
        /// The port.
        port: u16,
        /// With several workers only worker 0 keeps it; true when this worker went without.
        given_up: bool,
    },
    /// The app listened on a random port; nobody can find it there.
    RandomPort,
    /// An HTTPS or HTTP/2 server asked for the app's port and was refused: TLS ends in front of the workers.
    RefusedServer {
        /// The port.
        port: u16,
        /// What it would have been.
        server: ServerKind,
    },
    /// The app listens on a port of its own choice instead of the one it was given; with one worker that works.
    OwnPort {
        /// The port.
        port: u16,
    },
    /// Lines of output were dropped because nobody took them in time.
    DroppedOutput {
        /// How many.
        lines: u64,
    },
    /// The worker did not end within its time and was killed.
    Killed,
}

/// A Node worker's own measurements, every few seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeStats {
    /// The longest delay of the event loop since the last report, in milliseconds.
    pub lag: f64,
    /// The part of the time the event loop was busy, 0 to 1.
    pub busy: f64,
    /// Bytes of live JavaScript heap.
    pub heap_used: u64,
    /// Bytes of JavaScript heap reserved.
    pub heap_total: u64,
    /// Bytes of buffers outside of the heap.
    pub external: u64,
    /// Resident bytes of the process.
    pub rss: u64,
    /// Time spent collecting garbage since the last report, in milliseconds.
    pub gc: f64,
    /// Timers, sockets and the like that keep the process alive.
    pub handles: u64,
}

/// Why an app did not come up at its first start.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The worker.
    pub worker: WorkerId,
    /// What happened.
    pub cause: Cause,
    /// The last lines it wrote, oldest first, each cut at 1 KiB.
    pub last_lines: Vec<String>,
    /// What to do about it, where we recognise the trouble.
    pub hint: Option<String>,
}

/// What kept a worker from becoming ready.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Cause {
    /// It could not be started at all; the reason names the program.
    NotStarted(String),
    /// It ended before it was ready.
    Ended(Exit),
    /// It was still not ready after this time.
    TimedOut(Duration),
    /// It listens on these ports instead of the one it was given, which several workers cannot share.
    Elsewhere(Vec<u16>),
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(reason) => formatter.write_str(reason),
            Self::Ended(exit) => write!(formatter, "ended before it listened, {exit}"),
            Self::TimedOut(limit) => {
                write!(formatter, "did not listen within {} s", limit.as_secs())
            }
            Self::Elsewhere(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(
                    formatter,
                    "listens on port {} instead of the one in the environment variable PORT, which only one worker can do: \
                     let it read PORT, or use one worker",
                    ports.join(", ")
                )
            }
        }
    }
}

/// Everything the supervisor tells, in the order it happened per worker.
#[derive(Debug)]
pub enum Event {
    /// A process was started.
    Started {
        /// The worker.
        worker: WorkerId,
        /// Its process, which is also its process group.
        pid: u32,
    },
    /// A worker can be given work.
    Ready(Box<ReadyWorker>),
    /// A worker must be given nothing new: it was withdrawn, or it does not react any more. When nothing of it is under
    /// way, `Supervisor::released` lets it end sooner than its time allows.
    Draining {
        /// The worker.
        worker: WorkerId,
        /// Why.
        why: Why,
    },
    /// The process of a worker that was ready has ended: nothing more can be sent to it. Told at once; how it ended comes
    /// when its last words were read, with `Exited` or `Stopped`.
    Gone {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker that was not asked to end has ended; it is started again after `restart_in`.
    Exited {
        /// The worker.
        worker: WorkerId,
        /// How.
        exit: Exit,
        /// Why.
        cause: Cause,
        /// From start to end.
        uptime: Duration,
        /// Whether it had been ready.
        was_ready: bool,
        /// The last lines it wrote, oldest first.
        last_lines: Vec<String>,
        /// What to do about it, where we recognise the trouble.
        hint: Option<String>,
        /// When it is started again: at once after it was ready, later after a failed start; absent when it is given up.
        restart_in: Option<Duration>,
    },
    /// A worker has ended by itself, and its app's options want it to stay so. `Event::Stopped` still follows when it is
    /// asked to end.
    Finished {
        /// The worker.
        worker: WorkerId,
        /// How.
        exit: Exit,
        /// Whether that is how its work should end: with status 0, or one of `stop_exit_codes`.
        is_well: bool,
    },
    /// A worker's starts fail again and again. Told once; it is tried again slowly, for ever, unless it is given up.
    CrashLoop {
        /// The worker.
        worker: WorkerId,
        /// How many failed starts.
        deaths: u32,
        /// Within what time.
        within: Duration,
    },
    /// A worker whose starts failed again and again has been ready for a while.
    Recovered {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker is not started again, as the options want it after a crash loop. `Event::Stopped` still follows when it
    /// is asked to end.
    GaveUp {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker was asked to end and has ended, with all its tree; it is not started again.
    Stopped {
        /// The worker.
        worker: WorkerId,
        /// How it ended; `None` if it was not running.
        exit: Option<Exit>,
    },
    /// A worker failed before it was ever ready. Told once; it is tried again with back-off all the same.
    Failed(Box<Failure>),
    /// A line of output.
    Output(Line),
    /// Something a person should know.
    Note {
        /// The worker.
        worker: WorkerId,
        /// What.
        note: Note,
    },
    /// A Node worker's measurements.
    Stats {
        /// The worker.
        worker: WorkerId,
        /// What it measured.
        stats: NodeStats,
    },
}
