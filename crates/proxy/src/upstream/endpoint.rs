//! One worker or server: where it is, and how busy it is over all threads. Opens nothing but connections.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Relaxed},
};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;

use crate::stream::{Stream, probes};

/// Where an origin listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
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
    has_answered: AtomicBool,
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

impl Endpoint {
    /// An origin that nobody has asked yet.
    pub fn new(id: u64, name: impl Into<Arc<str>>, address: Address) -> Self {
        Self {
            id,
            name: name.into(),
            address,
            in_flight: AtomicUsize::new(0),
            has_answered: AtomicBool::new(false),
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

    /// It has answered.
    pub(super) fn answered(&self) {
        // once in its life: no write, and no shared line fought over, for all other answers
        if !self.has_answered.load(Relaxed) && !self.has_answered.swap(true, Relaxed) {
            self.tell(Tiding::Answered(self.id));
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
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
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

    #[test]
    fn the_last_request_of_one_that_leaves_is_told_and_no_other() {
        let (watcher, mut tidings) = mpsc::unbounded_channel();
        let address = Address::Unix("/nowhere".into());
        let endpoint = Arc::new(Endpoint::new(7, "api/0", address).watched_by(watcher));
        drop(InFlight::begin(&endpoint));
        let (first, second) = (InFlight::begin(&endpoint), InFlight::begin(&endpoint));
        endpoint.answered();
        endpoint.answered();
        endpoint.leave();
        assert_eq!(endpoint.in_flight(), 2);
        drop(first);
        assert_eq!(tidings.try_recv(), Ok(Tiding::Answered(7)));
        assert!(tidings.try_recv().is_err());
        drop(second);
        assert_eq!(tidings.try_recv(), Ok(Tiding::Left(7)));
        assert!(tidings.try_recv().is_err());
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
