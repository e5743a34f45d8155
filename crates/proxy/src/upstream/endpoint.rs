//! One worker or server: where it is, and how busy it is over all threads. Opens nothing but connections.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, UnixStream};

use crate::stream::Stream;

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
    in_flight: AtomicUsize,
}

impl Endpoint {
    /// An origin that nobody has asked yet.
    pub fn new(id: u64, name: impl Into<Arc<str>>, address: Address) -> Self {
        Self {
            id,
            name: name.into(),
            address,
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Requests it is working on, over all threads.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
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
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
