//! Listening sockets on their way to the next program that this process becomes: the same sockets, so that nobody who waits
//! to be accepted is turned away, and the same claim on the address.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bind::{Bound, Held, Holding};
use super::claim::Claim;
use super::file::SocketFile;
use super::listener::Listener;
use crate::Address as Resolved;

/// A [`Bound`], told to the next program.
#[derive(Debug, Serialize, Deserialize)]
pub struct BoundState {
    address: Resolved,
    sockets: Vec<RawFd>,
    claim: Option<RawFd>,
    /// The path of a Unix socket, and which file it was.
    file: Option<(PathBuf, (u64, u64))>,
}

impl Bound {
    /// What the next program must know. `keep` leaves a descriptor open for it and gives its number.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn state(&self, mut keep: impl FnMut(OwnedFd) -> RawFd) -> io::Result<BoundState> {
        let mut sockets = Vec::new();
        for socket in &self.sockets {
            sockets.push(keep(socket.try_clone()?.into()));
        }
        let held = self.held();
        let claim = held.claim.as_ref().map(Claim::descriptor).transpose()?;
        Ok(BoundState {
            address: self.address.clone(),
            sockets,
            claim: claim.map(keep),
            file: held.file.as_ref().map(SocketFile::parts),
        })
    }

    /// What the program before has kept. `take` gives the descriptor of a number.
    ///
    /// # Errors
    /// When one was not kept.
    pub fn take_up(
        state: BoundState,
        mut take: impl FnMut(RawFd) -> io::Result<OwnedFd>,
    ) -> io::Result<Self> {
        let claim = state.claim.map(&mut take).transpose()?;
        let sockets = Listener::of_one_address(state.sockets.into_iter().map(take))?;
        let held = Held {
            claim: claim.map(Claim::held),
            file: state.file.map(SocketFile::of),
        };
        Ok(Self::kept(state.address, sockets, Holding::of(held)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;
    use std::net::TcpStream;
    use std::os::fd::AsRawFd as _;

    use mainstay_values::Address;

    use super::*;
    use crate::{SocketAccess, bind, claimant};

    #[test]
    fn who_waits_to_be_accepted_still_does_and_the_address_stays_claimed() {
        let address: Address = "127.0.0.1:0".parse().expect("an address");
        let bound = bind(&address, 2, &SocketAccess::default()).expect("bound");
        let Resolved::Tcp(socket) = bound.address else {
            unreachable!("it is TCP")
        };
        let mut waiting = TcpStream::connect(socket).expect("connected");
        let mut kept = BTreeMap::new();
        let state = bound.state(|descriptor| {
            let number = descriptor.as_raw_fd();
            kept.insert(number, descriptor);
            number
        });
        let state = serde_json::to_string(&state.expect("a state")).expect("JSON");
        drop(bound);
        let state = serde_json::from_str(&state).expect("a state");
        let taken = Bound::take_up(state, |number| Ok(kept.remove(&number).expect("kept")));
        let taken = taken.expect("taken");
        assert!(kept.is_empty());
        let accepted = taken.sockets.iter().find_map(|listener| match listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true).expect("set");
                listener.accept().ok()
            }
            Listener::Unix(..) => None,
        });
        drop(accepted.expect("somebody waited"));
        assert_eq!(waiting.read(&mut [0; 1]).expect("closed in order"), 0);
        let address = Address::Socket(socket);
        assert!(claimant(&address).is_some());
        drop(taken);
        assert!(claimant(&address).is_none());
    }
}
