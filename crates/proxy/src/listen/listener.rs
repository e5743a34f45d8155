//! A listening socket of either kind. Knows no thread and no address but its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::task::{Context, Poll};

use mainstay_pipeline::Peer;
use socket2::{Domain, SockRef};

use crate::stream::Stream;

/// Connections that may wait to be accepted; the kernel bounds it further (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// The same socket once more.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket) => Self::Unix(socket.try_clone()?),
        })
    }

    /// From now on the kernel sends connections here. Once more changes nothing.
    pub(crate) fn open(&self) -> io::Result<()> {
        SockRef::from(self).listen(BACKLOG)
    }

    /// To be accepted from in a runtime.
    pub(super) fn into_async(self) -> io::Result<AsyncListener> {
        SockRef::from(&self).set_nonblocking(true)?;
        Ok(match self {
            Self::Tcp(socket) => {
                let port = socket.local_addr().ok().map(|address| address.port());
                AsyncListener::Tcp(tokio::net::TcpListener::from_std(socket)?, port)
            }
            Self::Unix(socket) => AsyncListener::Unix(tokio::net::UnixListener::from_std(socket)?),
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::Tcp(socket)
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        match listener {
            Listener::Tcp(socket) => socket.into(),
            Listener::Unix(socket) => socket.into(),
        }
    }
}

/// An inherited socket, of whichever kind it is.
impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    fn try_from(descriptor: OwnedFd) -> io::Result<Self> {
        Ok(match SockRef::from(&descriptor).domain()? {
            Domain::UNIX => Self::Unix(descriptor.into()),
            _ => Self::Tcp(descriptor.into()),
        })
    }
}

/// A listening socket as a thread accepts from it.
pub(super) enum AsyncListener {
    /// With its port.
    Tcp(tokio::net::TcpListener, Option<u16>),
    Unix(tokio::net::UnixListener),
}

impl AsyncListener {
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener, port) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::plain(address.ip(), *port)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), of_this_machine()))
            }
        }
    }

    /// Whether a connection was waiting, which is let go.
    pub(super) fn poll_shed(&self, context: &mut Context<'_>) -> Poll<bool> {
        match self {
            Self::Tcp(listener, _) => listener
                .poll_accept(context)
                .map(|accepted| accepted.is_ok()),
            Self::Unix(listener) => listener
                .poll_accept(context)
                .map(|accepted| accepted.is_ok()),
        }
    }

    /// Whether only this machine can reach it.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener, _) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix(_) => true,
        }
    }

    /// Out of the runtime, to be asked directly: what it believes of the queue may be a moment old.
    pub(super) fn into_last(self) -> io::Result<LastListener> {
        Ok(match self {
            Self::Tcp(listener, port) => LastListener::Tcp(listener.into_std()?, port),
            Self::Unix(listener) => LastListener::Unix(listener.into_std()?),
        })
    }
}

/// A listening socket whose queue is emptied.
pub(super) enum LastListener {
    Tcp(TcpListener, Option<u16>),
    Unix(UnixListener),
}

impl LastListener {
    /// Never waits.
    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener, port) => {
                let (stream, address) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let stream = tokio::net::TcpStream::from_std(stream)?;
                Ok((Stream::Tcp(stream), Peer::plain(address.ip(), *port)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let stream = tokio::net::UnixStream::from_std(stream)?;
                Ok((Stream::Unix(stream), of_this_machine()))
            }
        }
    }
}

impl AsFd for AsyncListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener, _) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Whoever comes by a Unix socket counts as loopback.
fn of_this_machine() -> Peer {
    Peer::plain(IpAddr::V4(Ipv4Addr::LOCALHOST), None)
}
