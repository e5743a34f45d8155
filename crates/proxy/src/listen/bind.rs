//! Takes addresses: as long as a [`Bound`] is there, nobody else of this machine listens on its address. Accepts nothing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use mainstay_values::Address;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::claim::{self, Claim};
use super::error::BindError;
use super::file::{self, SocketAccess, SocketFile};
use super::listener::{Company, Listener};
use crate::Address as Resolved;
use crate::stream::probes;

/// Sockets for one address, one for each thread.
#[derive(Debug)]
pub struct Bound {
    /// The address as it came out; the port is never 0.
    pub address: Resolved,
    /// At least one socket for each thread. All must be accepted from: the kernel spreads connections over those of TCP.
    pub sockets: Vec<Listener>,
    holding: Holding,
}

/// As long as a copy of it is there, an address is claimed, and a Unix socket has its file.
#[derive(Clone, Debug)]
pub struct Holding {
    held: Arc<Held>,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) claim: Option<Claim>,
    pub(super) file: Option<SocketFile>,
}

impl Holding {
    fn new(claim: Option<Claim>, file: Option<SocketFile>) -> Self {
        Self::of(Held { claim, file })
    }

    pub(super) fn of(held: Held) -> Self {
        Self {
            held: Arc::new(held),
        }
    }
}

/// Makes `threads` sockets for an address; `access` says who may connect to a Unix socket.
///
/// Two programs never share an address in silence: its name is claimed first, then it is listened on without sharing,
/// and only then shared among our threads.
///
/// # Errors
/// See [`BindError`].
pub fn bind(address: &Address, threads: usize, access: &SocketAccess) -> Result<Bound, BindError> {
    match address {
        Address::Unix(path) => bind_file(path, threads, access),
        address => first_of(address, |candidate| bind_one(candidate, threads)),
    }
}

/// Finds out whether [`bind`] would get an address, without listening there: nobody can connect meanwhile.
///
/// # Errors
/// See [`BindError`].
pub fn probe(address: &Address) -> Result<(), BindError> {
    match address {
        Address::Unix(path) => file::examine(path).map(drop),
        address => first_of(address, |candidate| {
            socket(candidate)?.bind(&candidate.into())
        }),
    }
}

/// Tries what an address can mean, in order.
fn first_of<T>(
    address: &Address,
    attempt: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<T, BindError> {
    let written = address.to_string();
    let mut last = None;
    for candidate in candidates(address).unwrap_or_default() {
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

/// What an address of TCP can mean; `None` for a name that is nobody's, and for a Unix socket.
pub(super) fn candidates(address: &Address) -> Option<Vec<SocketAddr>> {
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
    let early = match address.port() {
        0 => None,
        _ => Claim::take(&claim::of_tcp(address))?,
    };
    // SO_REUSEADDR only: fails if anybody listens, whether or not they would share
    let alone = socket(address)?;
    alone.bind(&address.into())?;
    // Whoever comes before there is somebody to wait for asks again. Some sandboxes allow no filter: there, whoever comes in
    // this moment is reset instead.
    let _ = alone.attach_filter(&NOBODY);
    alone.listen(1)?;
    let address = alone
        .local_addr()?
        .as_socket()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let claim = match early {
        Some(claim) => Some(claim),
        None => Claim::take(&claim::of_tcp(address))?,
    };
    // From here on it shares, and still listens: there is no moment in which another could come between.
    alone.set_reuse_port(true)?;
    let mut bound = Bound {
        address: Resolved::Tcp(address),
        sockets: Vec::new(),
        holding: Holding::new(claim, None),
    };
    bound.widen(threads.max(1))?;
    // whoever comes before somebody accepts, waits
    bound.sockets.iter().try_for_each(Listener::open)?;
    Ok(bound)
}

/// Drops whatever comes.
const NOBODY: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

fn bind_file(path: &Path, threads: usize, access: &SocketAccess) -> Result<Bound, BindError> {
    let written = || Address::Unix(path.to_owned()).to_string();
    let other = |source| BindError::Other {
        address: written(),
        source,
    };
    // without its folder it has no name either, and cannot be made
    let claim = match claim::of_path(path) {
        Ok(name) => Claim::take(&name).map_err(|_| BindError::InUse(written()))?,
        Err(_) => None,
    };
    let (socket, file) = file::make(path, access)?;
    let mut bound = Bound {
        address: Resolved::Unix(path.to_owned()),
        sockets: vec![Listener::Unix(socket, Company::default())],
        holding: Holding::new(claim, Some(file)),
    };
    bound.widen(threads.max(1)).map_err(other)?;
    bound.sockets[0].open().map_err(other)?;
    Ok(bound)
}

impl Bound {
    /// The same sockets once more.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn try_clone(&self) -> io::Result<Self> {
        let sockets = self.sockets.iter().map(Listener::try_clone);
        Ok(Self {
            address: self.address.clone(),
            sockets: sockets.collect::<Result<_, _>>()?,
            holding: self.holding.clone(),
        })
    }

    /// One that is there already.
    pub(super) fn kept(address: Resolved, sockets: Vec<Listener>, holding: Holding) -> Self {
        Self {
            address,
            sockets,
            holding,
        }
    }

    pub(super) fn held(&self) -> &Held {
        &self.holding.held
    }

    /// Keeps the address as this does, without its sockets.
    pub fn holding(&self) -> Holding {
        self.holding.clone()
    }

    /// Says anew who may connect to a Unix socket.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn allow(&self, access: &SocketAccess) -> Result<(), BindError> {
        match &self.address {
            Resolved::Unix(path) => file::allow(path, access),
            Resolved::Tcp(_) => Ok(()),
        }
    }

    /// Adds sockets until there are as many as `threads`. There are never fewer than before: those who wait to be
    /// accepted wait at one of them. To those that are added nobody comes before a thread accepts from them. A Unix
    /// socket is only one, under several descriptors.
    ///
    /// # Errors
    /// What the system said.
    pub fn widen(&mut self, threads: usize) -> io::Result<()> {
        while self.sockets.len() < threads {
            let socket = match (&self.address, self.sockets.first()) {
                (Resolved::Tcp(address), _) => shared(*address)?.into(),
                (Resolved::Unix(_), Some(socket)) => socket.try_clone()?,
                // it was released: nobody accepts any more
                (Resolved::Unix(_), None) => return Ok(()),
            };
            self.sockets.push(socket);
        }
        Ok(())
    }

    /// All sockets but the first `accepted` are closed, and others take their places, to which nobody comes before a
    /// thread accepts from them: whoever was to accept from them never did.
    pub fn rest(&mut self, accepted: usize) {
        let Resolved::Tcp(address) = self.address else {
            // who waits at a Unix socket is met by whoever accepts
            return;
        };
        for socket in self.sockets.iter_mut().skip(accepted) {
            // one that cannot be made anew stays as it is: there must be one for each thread
            if let Ok(fresh) = shared(address) {
                *socket = fresh.into();
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

#[cfg(test)]
mod tests;
