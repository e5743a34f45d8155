//! One worker or server: where it is, and how busy it is over all threads. Opens nothing but connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU8, AtomicU32, AtomicUsize,
    Ordering::{AcqRel, Relaxed},
};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;

use super::trial::{Count, Tally, Trial};
use crate::stream::{Stream, probes};

/// Where somebody listens, us included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

/// As settings spell it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// A worker or a server. Shared by all threads.
#[derive(Debug)]
pub struct Endpoint {
    /// Tells it from others, also from an earlier worker at the same address.
    pub id: u64,
    /// What the log calls it: `api/0`.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// Requests it is working on, and the bit [`LEAVING`].
    in_flight: AtomicUsize,
    /// [`ANSWERED`] and [`COUNTED`] in one: an answer costs one look.
    noted: AtomicU8,
    /// Its [`Trial::share`], or [`ANY`].
    share: AtomicU8,
    /// Its [`Trial::slow_after_ms`], or [`NEVER`].
    slow_after: AtomicU32,
    count: Count,
    watcher: Option<mpsc::UnboundedSender<Tiding>>,
}

/// What happens to an endpoint, told by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiding {
    /// It gave its first answer.
    Answered(u64),
    /// It was told to leave, and nothing runs on it any more.
    Left(u64),
}

/// Set while an endpoint leaves. In the count itself, so that its last request and the order to leave cannot
/// miss each other.
const LEAVING: usize = 1 << (usize::BITS - 1);

/// It has given an answer.
const ANSWERED: u8 = 1;
/// Its answers are counted.
const COUNTED: u8 = 2;
/// No share of its own.
const ANY: u8 = u8::MAX;
/// No answer is slow.
const NEVER: u32 = u32::MAX;

impl Endpoint {
    /// An origin that nobody has asked yet.
    pub fn new(id: u64, name: impl Into<Arc<str>>, address: Address) -> Self {
        Self {
            id,
            name: name.into(),
            address,
            in_flight: AtomicUsize::new(0),
            noted: AtomicU8::new(0),
            share: AtomicU8::new(ANY),
            slow_after: AtomicU32::new(NEVER),
            count: Count::default(),
            watcher: None,
        }
    }

    /// Tells this one what happens.
    #[must_use]
    pub fn watched_by(mut self, watcher: mpsc::UnboundedSender<Tiding>) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Requests it is working on, over all threads.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed) & !LEAVING
    }

    /// It leaves: when nothing runs on it any more, that is told. To be called when no thread will ask it
    /// again.
    pub fn leave(&self) {
        if self.in_flight.fetch_or(LEAVING, AcqRel) == 0 {
            self.tell(Tiding::Left(self.id));
        }
    }

    /// Puts it on trial, or ends that. Its share is looked at when members are set.
    pub fn set_trial(&self, trial: Option<Trial>) {
        let share = trial.and_then(|trial| trial.share);
        self.share.store(share.unwrap_or(ANY), Relaxed);
        let slow_after = trial.and_then(|trial| trial.slow_after_ms);
        self.slow_after.store(slow_after.unwrap_or(NEVER), Relaxed);
        if trial.is_some() {
            self.noted.fetch_or(COUNTED, Relaxed);
        } else {
            self.noted.fetch_and(!COUNTED, Relaxed);
            self.tally();
        }
    }

    /// Whether its answers are counted.
    pub fn is_counted(&self) -> bool {
        self.noted.load(Relaxed) & COUNTED != 0
    }

    /// What was counted since it was asked last.
    pub fn tally(&self) -> Tally {
        self.count.take()
    }

    /// The share of requests that it and others of its kind get, if they do not just get what falls to them.
    pub(super) fn share(&self) -> Option<u8> {
        Some(self.share.load(Relaxed)).filter(|share| *share != ANY)
    }

    /// It has answered what it was sent at `since`, with this status; its head came at `came`.
    pub(super) fn answered(&self, status: u16, since: Instant, came: Instant) {
        // no write, and no shared line fought over, for all answers but the first, unless they are counted
        let noted = self.noted.load(Relaxed);
        if noted != ANSWERED {
            self.note(noted, status, came.saturating_duration_since(since));
        }
    }

    #[cold]
    fn note(&self, noted: u8, status: u16, took: Duration) {
        if noted & ANSWERED == 0 && self.noted.fetch_or(ANSWERED, Relaxed) & ANSWERED == 0 {
            self.tell(Tiding::Answered(self.id));
        }
        if noted & COUNTED != 0 {
            let slow_after = self.slow_after.load(Relaxed);
            if slow_after != NEVER && took > Duration::from_millis(slow_after.into()) {
                self.count.slow();
            }
            self.count.answer(status);
        }
    }

    /// It left a request without an answer.
    pub(super) fn failed(&self) {
        if self.is_counted() {
            self.count.none();
        }
    }

    /// It broke an answer off.
    pub(super) fn cut_off(&self) {
        if self.is_counted() {
            self.count.cut_off();
        }
    }

    fn tell(&self, tiding: Tiding) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(tiding);
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Stream> {
        Ok(match &self.address {
            Address::Unix(path) => loop {
                match UnixStream::connect(path).await {
                    // its queue is full for the moment; TCP would wait in the kernel
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        queue_is_full().await;
                    }
                    result => break Stream::Unix(result?),
                }
            },
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                socket2::SockRef::from(&stream).set_tcp_keepalive(&probes())?;
                Stream::Tcp(stream)
            }
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounded by the connect timeout of the caller"
)]
async fn queue_is_full() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Counts a request for as long as its answer is not over.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Endpoint>);

impl InFlight {
    pub(super) fn begin(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.in_flight.fetch_add(1, Relaxed);
        Self(Arc::clone(endpoint))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, AcqRel) == LEAVING | 1 {
            self.0.tell(Tiding::Left(self.0.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(endpoint: &Endpoint, status: u16, milliseconds: u64) {
        let since = Instant::now();
        endpoint.answered(status, since, since + Duration::from_millis(milliseconds));
    }

    #[test]
    fn the_last_request_of_one_that_leaves_is_told_and_no_other() {
        let (watcher, mut tidings) = mpsc::unbounded_channel();
        let address = Address::Unix("/nowhere".into());
        let endpoint = Arc::new(Endpoint::new(7, "api/0", address).watched_by(watcher));
        drop(InFlight::begin(&endpoint));
        let (first, second) = (InFlight::begin(&endpoint), InFlight::begin(&endpoint));
        answered(&endpoint, 200, 1);
        answered(&endpoint, 500, 1);
        assert!(endpoint.tally().is_empty(), "it is not on trial");
        endpoint.leave();
        assert_eq!(endpoint.in_flight(), 2);
        drop(first);
        assert_eq!(tidings.try_recv(), Ok(Tiding::Answered(7)));
        assert!(tidings.try_recv().is_err());
        drop(second);
        assert_eq!(tidings.try_recv(), Ok(Tiding::Left(7)));
        assert!(tidings.try_recv().is_err());
    }

    #[test]
    fn answers_are_counted_on_trial_only() {
        let endpoint = Endpoint::new(1, "api/0", Address::Unix("/nowhere".into()));
        endpoint.failed();
        endpoint.set_trial(Some(Trial {
            share: Some(10),
            slow_after_ms: Some(100),
        }));
        assert_eq!(endpoint.share(), Some(10));
        answered(&endpoint, 500, 1);
        answered(&endpoint, 200, 1);
        endpoint.failed();
        let tally = endpoint.tally();
        assert_eq!((tally.answers, tally.failures, tally.slow), (3, 2, 0));
        answered(&endpoint, 200, 100);
        answered(&endpoint, 200, 101);
        let tally = endpoint.tally();
        assert_eq!((tally.answers, tally.slow), (2, 1));
        answered(&endpoint, 500, 1);
        endpoint.set_trial(None);
        answered(&endpoint, 500, 1);
        assert!(endpoint.tally().is_empty());
        assert_eq!(endpoint.share(), None);
    }

    /// An event stream may be silent for ever; a machine that lost its power is silent too.
    #[tokio::test]
    async fn a_server_that_is_gone_without_a_word_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = Address::Tcp(listener.local_addr().expect("an address"));
        let stream = Endpoint::new(1, "api/0", address).connect().await;
        let Ok(Stream::Tcp(stream)) = stream else {
            panic!("{stream:?}");
        };
        let is_probed = socket2::SockRef::from(&stream).keepalive();
        assert!(is_probed.expect("an option of every socket"));
    }

    #[test]
    fn one_that_is_idle_leaves_at_once() {
        let (watcher, mut tidings) = mpsc::unbounded_channel();
        let address = Address::Unix("/nowhere".into());
        Endpoint::new(1, "api/0", address)
            .watched_by(watcher)
            .leave();
        assert_eq!(tidings.try_recv(), Ok(Tiding::Left(1)));
    }
}
