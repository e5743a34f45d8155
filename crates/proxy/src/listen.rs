//! Listening sockets: made once, accepted from by every thread.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::task::Poll;
use std::time::Duration;

use mainstay_pipeline::Peer;
use mainstay_values::Address;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::sync::watch;

use crate::drain::Listening;
use crate::stream::{Stream, probes};
use crate::thread::Thread;

/// Connections that may wait to be accepted; the kernel bounds it further (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;
/// How long a handshake that has begun may take while the socket closes.
const HANDSHAKE: Duration = Duration::from_millis(200);
/// How long accepting pauses when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Sockets for one address, one for each thread.
#[derive(Debug)]
pub struct Bound {
    /// The address as it came out; the port is never 0.
    pub address: SocketAddr,
    /// At least one socket for each thread. All must be accepted from: the kernel spreads connections over them.
    pub sockets: Vec<TcpListener>,
}

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it.
    #[error(
        "`{0}` is in use by another process; stop it, or choose another address with `--listen`"
    )]
    InUse(String),
    /// Ports below 1024 need a right.
    #[error(
        "`{0}` may not be opened: ports below 1024 need root or CAP_NET_BIND_SERVICE; \
         run `setcap cap_net_bind_service=+ep` on the program, or choose a port above 1023"
    )]
    NotAllowed(String),
    /// Not an address of this machine.
    #[error("`{0}` is not an address of this machine")]
    NotHere(String),
    /// Something that is not a TCP address.
    #[error("`{0}` is not a TCP address; write `:3000` or `127.0.0.1:3000`")]
    NotTcp(String),
    /// Anything else.
    #[error("`{address}` cannot be listened on: {source}")]
    Other {
        /// As written.
        address: String,
        /// The system's word.
        source: io::Error,
    },
}

/// Makes `threads` sockets for an address.
///
/// The address is first bound once without sharing, so that two programs never share a port in silence.
///
/// # Errors
/// See [`BindError`].
pub fn bind(address: &Address, threads: usize) -> Result<Bound, BindError> {
    first_of(address, |candidate| bind_one(candidate, threads))
}

/// Finds out whether [`bind`] would get an address, without listening there: nobody can connect meanwhile.
///
/// # Errors
/// See [`BindError`].
pub fn probe(address: &Address) -> Result<(), BindError> {
    first_of(address, |candidate| {
        socket(candidate)?.bind(&candidate.into())
    })
}

/// Tries what an address can mean, in order.
fn first_of<T>(
    address: &Address,
    attempt: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<T, BindError> {
    let written = address.to_string();
    let candidates = candidates(address).ok_or_else(|| BindError::NotTcp(written.clone()))?;
    let mut last = None;
    for candidate in candidates {
        match attempt(candidate) {
            Ok(found) => return Ok(found),
            // no IPv6 here: the same port on IPv4
            Err(error)
                if error.raw_os_error() == Some(97)
                    || error.kind() == io::ErrorKind::AddrNotAvailable =>
            {
                last = Some(error);
            }
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    let error = last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
    Err(match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(written),
        io::ErrorKind::PermissionDenied => BindError::NotAllowed(written),
        io::ErrorKind::AddrNotAvailable => BindError::NotHere(written),
        _ => BindError::Other {
            address: written,
            source: error,
        },
    })
}

fn candidates(address: &Address) -> Option<Vec<SocketAddr>> {
    match address {
        Address::Port(port) => Some(vec![
            (Ipv6Addr::UNSPECIFIED, *port).into(),
            (Ipv4Addr::UNSPECIFIED, *port).into(),
        ]),
        Address::Socket(socket) => Some(vec![*socket]),
        Address::Name { host, port } => {
            use std::net::ToSocketAddrs as _;
            let mut found: Vec<SocketAddr> =
                (host.as_str(), *port).to_socket_addrs().ok()?.collect();
            // `localhost` means 127.0.0.1 to most tools
            found.sort_by_key(SocketAddr::is_ipv6);
            Some(found)
        }
        Address::Unix(_) => None,
    }
}

fn bind_one(address: SocketAddr, threads: usize) -> io::Result<Bound> {
    // SO_REUSEADDR only: fails if anybody listens, whether or not they would share
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    probe.listen(1)?;
    let address = probe
        .local_addr()?
        .as_socket()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    drop(probe);
    let mut bound = Bound {
        address,
        sockets: Vec::new(),
    };
    bound.widen(threads.max(1))?;
    // whoever comes before somebody accepts, waits
    bound.sockets.iter().try_for_each(open)?;
    Ok(bound)
}

impl Bound {
    /// Adds sockets until there are as many as `threads`. There are never fewer than before: those who wait to be
    /// accepted wait at one of them. To those that are added nobody comes before a thread accepts from them.
    ///
    /// # Errors
    /// What the system said.
    pub fn widen(&mut self, threads: usize) -> io::Result<()> {
        while self.sockets.len() < threads {
            self.sockets.push(shared(self.address)?);
        }
        Ok(())
    }

    /// All sockets but the first `accepted` are closed, and others take their places, to which nobody comes before a
    /// thread accepts from them: whoever was to accept from them never did.
    pub fn rest(&mut self, accepted: usize) {
        for socket in self.sockets.iter_mut().skip(accepted) {
            // one that cannot be made anew stays as it is: there must be one for each thread
            if let Ok(fresh) = shared(self.address) {
                *socket = fresh;
            }
        }
    }
}

/// One of several sockets of an address. It is bound, and not listened on: the kernel sends nobody there.
fn shared(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    // inherited by accepted connections: no call for each of them
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&probes())?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// From now on the kernel sends connections here. Once more changes nothing.
pub(crate) fn open(socket: &TcpListener) -> io::Result<()> {
    socket2::SockRef::from(socket).listen(BACKLOG)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts until the thread drains. `number` is the socket's place among those of its thread.
pub(crate) async fn accept(
    thread: Thread,
    listener: tokio::net::TcpListener,
    number: usize,
    mut stop: watch::Receiver<Option<Vec<Listening>>>,
) {
    let port = listener.local_addr().ok().map(|address| address.port());
    let mut reserve = Reserve::new();
    let listening = loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            stop = stop.wait_for(Option::is_some) => {
                break stop.ok().and_then(|all| all.as_ref()?.get(number).copied());
            }
        };
        match accepted {
            Ok((stream, address)) => {
                thread.spawn(Stream::Tcp(stream), Peer::plain(address.ip(), port));
            }
            Err(error) if is_exhaustion(&error) => {
                thread.counters().accept_pauses.increment();
                reserve.shed(&listener).await;
                pause().await;
            }
            // the client gave up while it waited: the next one is waiting already
            Err(_) => {}
        }
    };
    if listening == Some(Listening::Ends) {
        accept_the_last(&thread, listener, port).await;
    }
}

/// Whoever has a connection in the kernel's queue believes to be connected: closing the socket would reset it.
/// So nobody new is let in, those who are shaking hands may finish, and all are accepted before the socket
/// goes. Whoever knocks meanwhile hears nothing, asks again a second later, and is refused.
async fn accept_the_last(thread: &Thread, listener: tokio::net::TcpListener, port: Option<u16>) {
    let is_local = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let lets_nobody_in = socket2::SockRef::from(&listener)
        .attach_filter(&ONLY_KNOWN)
        .is_ok();
    if lets_nobody_in && !is_local {
        shake_hands().await;
    }
    // asked directly: what the runtime believes of the queue may be a moment old
    let Ok(listener) = listener.into_std() else {
        return;
    };
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| tokio::net::TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    thread.spawn(Stream::Tcp(stream), Peer::plain(address.ip(), port));
                }
            }
            // the client gave up while it waited
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
    }
}

/// Drops the first segment of new connections (SYN without ACK), lets everything else pass. The filter sees a
/// segment from its TCP header on; the flags are byte 13.
const ONLY_KNOWN: [SockFilter; 5] = [
    SockFilter::new(0x30, 0, 0, 13),          // A = byte 13
    SockFilter::new(0x54, 0, 0, 0x12),        // A = A & (SYN | ACK)
    SockFilter::new(0x15, 0, 1, 0x02),        // if A is SYN alone
    SockFilter::new(0x06, 0, 0, 0),           //   drop
    SockFilter::new(0x06, 0, 0, 0xFFFF_FFFF), // else pass
];

#[expect(
    clippy::disallowed_methods,
    reason = "not on a request's way: a socket closes for good"
)]
async fn shake_hands() {
    tokio::time::sleep(HANDSHAKE).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "not on a request's way: accepting pauses as a whole"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

/// A descriptor kept for the moment when there is none: with it one waiting client can be accepted and
/// let go, instead of waiting for nothing.
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn shed(&mut self, listener: &tokio::net::TcpListener) {
        self.0 = None;
        let shed = poll_fn(|context| match listener.poll_accept(context) {
            Poll::Ready(accepted) => Poll::Ready(accepted.is_ok()),
            Poll::Pending => Poll::Ready(false),
        });
        shed.await;
        self.0 = File::open("/dev/null").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_said_to_be() {
        let first = bind(&"127.0.0.1:0".parse().expect("an address"), 2).expect("a free port");
        assert_eq!(first.sockets.len(), 2);
        assert_ne!(first.address.port(), 0);
        let again = bind(&first.address.to_string().parse().expect("an address"), 1);
        assert!(matches!(again, Err(BindError::InUse(_))), "{again:?}");
    }

    /// How many of so many new connections arrive at each socket.
    fn arrivals(bound: &Bound) -> Vec<usize> {
        let clients: Vec<_> = (0..64)
            .map(|_| std::net::TcpStream::connect(bound.address).expect("somebody listens"))
            .collect();
        let of = |socket: &TcpListener| std::iter::from_fn(|| socket.accept().ok()).count();
        let arrivals: Vec<usize> = bound.sockets.iter().map(of).collect();
        assert_eq!(arrivals.iter().sum::<usize>(), clients.len());
        arrivals
    }

    #[test]
    fn nobody_comes_to_a_socket_from_which_nobody_accepts() {
        let mut bound = bind(&"127.0.0.1:0".parse().expect("an address"), 1).expect("a free port");
        bound.widen(3).expect("two more");
        assert_eq!(arrivals(&bound), [64, 0, 0]);
        bound
            .sockets
            .iter()
            .try_for_each(open)
            .expect("they are bound");
        let all = arrivals(&bound);
        assert!(all.iter().all(|count| *count > 0), "{all:?}");
        bound.rest(1);
        assert_eq!(arrivals(&bound), [64, 0, 0]);
    }

    #[test]
    fn a_foreign_address_is_refused_with_a_reason() {
        let result = bind(&"192.0.2.1:0".parse().expect("an address"), 1);
        assert!(matches!(result, Err(BindError::NotHere(_))), "{result:?}");
    }
}
