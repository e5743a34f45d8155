//! A listening socket of either kind. Knows no thread and no address but its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
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
    /// A Unix socket, which may be held under several descriptors.
    Unix(UnixListener, Company),
}

/// Those of one process who accept from one Unix socket. It can only be shut for all at once, and whoever then still
/// waited in it would be told again and again that it is ready: so the last to leave shuts it.
#[derive(Clone, Debug, Default)]
pub struct Company(Arc<()>);

impl Company {
    /// Whether nobody is left.
    pub(super) fn leave(self) -> bool {
        Arc::into_inner(self.0).is_some()
    }
}

impl Listener {
    /// The same socket once more.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket, company) => Self::Unix(socket.try_clone()?, company.clone()),
        })
    }

    /// Inherited sockets of one address, of whichever kind they are.
    ///
    /// # Errors
    /// When one of them is no socket.
    pub fn of_one_address(
        descriptors: impl Iterator<Item = io::Result<OwnedFd>>,
    ) -> io::Result<Vec<Self>> {
        let company = Company::default();
        let listener = |descriptor: io::Result<OwnedFd>| {
            let descriptor = descriptor?;
            Ok(match SockRef::from(&descriptor).domain()? {
                Domain::UNIX => Self::Unix(descriptor.into(), company.clone()),
                _ => Self::Tcp(descriptor.into()),
            })
        };
        descriptors.map(listener).collect()
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
            Self::Unix(socket, company) => {
                AsyncListener::Unix(tokio::net::UnixListener::from_std(socket)?, company)
            }
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket, _) => socket.as_fd(),
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
            Listener::Unix(socket, _) => socket.into(),
        }
    }
}

/// A listening socket as a thread accepts from it.
pub(super) enum AsyncListener {
    /// With its port.
    Tcp(tokio::net::TcpListener, Option<u16>),
    Unix(tokio::net::UnixListener, Company),
}

impl AsyncListener {
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener, port) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::plain(address.ip(), *port)))
            }
            Self::Unix(listener, _) => {
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
            Self::Unix(listener, _) => listener
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
            Self::Unix(..) => true,
        }
    }

    /// Out of the runtime, to be asked directly: what it believes of the queue may be a moment old. Whoever
    /// knocks at a Unix socket from now on is refused at once; None while others still accept from it.
    pub(super) fn into_last(self) -> io::Result<Option<LastListener>> {
        Ok(match self {
            Self::Tcp(listener, port) => Some(LastListener::Tcp(listener.into_std()?, port)),
            Self::Unix(listener, company) => {
                let listener = listener.into_std()?;
                if !company.leave() {
                    return Ok(None);
                }
                SockRef::from(&listener).shutdown(Shutdown::Both)?;
                Some(LastListener::Unix(listener))
            }
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
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// Whoever comes by a Unix socket counts as loopback.
fn of_this_machine() -> Peer {
    Peer::plain(IpAddr::V4(Ipv4Addr::LOCALHOST), None)
}
