//! Who has an address, by a name that the kernel keeps for whoever took it: an abstract Unix socket, `@mainstay/ADDRESS`.
//! It goes with its holder, however that ends. Listens on no address.
//!
//! The kernel lets processes of one user share a TCP port if each asks for it, and one could take a Unix socket's path
//! from under another. So an instance takes the name first.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr as Name, UnixListener};
use std::path::Path;

use mainstay_values::Address;
use socket2::{Domain, SockAddr, Socket, Type};

use super::bind::candidates;

/// Longer names do not fit into an address of a Unix socket.
const LONGEST: usize = 107;

/// A name that is held.
#[derive(Debug)]
pub(super) struct Claim {
    held: UnixListener,
}

/// Who holds a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its process id; 0 if it cannot be seen from here, as in another container.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

impl Claim {
    /// Takes the name. `None`: it cannot be had, but nobody with whom the address could be shared in silence has it:
    /// what the kernel says of the address itself decides.
    ///
    /// # Errors
    /// `AddrInUse`: another process of this user has it.
    pub(super) fn take(name: &[u8]) -> io::Result<Option<Self>> {
        let name = Name::from_abstract_name(name)?;
        match UnixListener::bind_addr(&name) {
            Ok(held) => Ok(Some(Self { held })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let own = rustix::process::geteuid().as_raw();
                match holder(&name) {
                    Some(holder) if holder.uid == own => Err(error),
                    // Another user may take any such name, and must not keep us from an address by it.
                    Some(_) | None => Ok(None),
                }
            }
            // a sandbox without such sockets
            Err(_) => Ok(None),
        }
    }
}

impl Claim {
    /// Another descriptor for it.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.held.try_clone()?.into())
    }

    /// One that is held already.
    pub(super) fn held(descriptor: OwnedFd) -> Self {
        Self {
            held: descriptor.into(),
        }
    }
}

/// Who has claimed an address, if one of ours has. Names are tried as they would be to listen.
pub fn claimant(address: &Address) -> Option<Claimant> {
    let names: Vec<Vec<u8>> = match address {
        Address::Unix(path) => vec![of_path(path).ok()?],
        address => candidates(address)?.into_iter().map(of_tcp).collect(),
    };
    let mut found = names.iter().filter_map(|name| {
        let name = Name::from_abstract_name(name).ok()?;
        holder(&name)
    });
    found.next()
}

/// `mainstay/127.0.0.1:3000`.
pub(super) fn of_tcp(address: SocketAddr) -> Vec<u8> {
    format!("mainstay/{address}").into_bytes()
}

/// `mainstay/DEVICE:FOLDER/NAME`: in every container, and by whichever way it was reached, a folder is its number.
pub(super) fn of_path(path: &Path) -> io::Result<Vec<u8>> {
    let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
    let file = path.file_name().unwrap_or_default();
    let mut name = format!("mainstay/{:x}:{:x}/", folder.dev(), folder.ino()).into_bytes();
    name.extend_from_slice(file.as_encoded_bytes());
    name.truncate(LONGEST);
    Ok(name)
}

/// Asks the kernel who listens there, without waiting.
fn holder(name: &Name) -> Option<Claimant> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).ok()?;
    socket.set_nonblocking(true).ok()?;
    let name = [b"\0", name.as_abstract_name()?].concat();
    let name = std::str::from_utf8(&name).ok()?;
    socket.connect(&SockAddr::unix(name).ok()?).ok()?;
    let holder = rustix::net::sockopt::socket_peercred(&socket).ok()?;
    Some(Claimant {
        pid: holder.pid.as_raw_pid().unsigned_abs(),
        uid: holder.uid.as_raw(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_tells_by_whom_until_it_goes() {
        let name = of_tcp("192.0.2.7:1".parse().expect("an address"));
        let address: Address = "192.0.2.7:1".parse().expect("an address");
        assert_eq!(claimant(&address), None);
        let held = Claim::take(&name).expect("it is free");
        assert!(held.is_some());
        let again = Claim::take(&name).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(again, Err(io::ErrorKind::AddrInUse));
        let found = claimant(&address).expect("we hold it");
        assert_eq!(found.pid, std::process::id());
        drop(held);
        assert_eq!(claimant(&address), None);
    }

    #[test]
    fn a_folder_has_one_name_however_it_was_reached() {
        let folder = tempfile::tempdir().expect("a folder");
        let way = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &way).expect("a link");
        let [direct, linked] = [folder.path(), &way].map(|way| of_path(&way.join("a.sock")));
        assert_eq!(direct.expect("a name"), linked.expect("a name"));
        let long = of_path(&folder.path().join("a".repeat(200))).expect("a name");
        assert!(Name::from_abstract_name(long).is_ok());
    }
}
