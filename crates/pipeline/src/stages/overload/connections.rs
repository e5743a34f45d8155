//! How many connections of clients are open, in all and of each client, over all threads; what becomes of those beyond the
//! bounds. Opens and closes none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::OverloadOptions;
use crate::{Enforcement, Peer};

/// Of connections beyond a bound, this part of it and a few more are still heard, so that probes are answered and clients
/// are told why; those beyond that are closed unheard.
const HEARD_PART: usize = 8;
const HEARD_LEAST: usize = 2;

/// Bits of an IPv6 address that tell clients apart: providers give a /56 or more to each.
const IPV6_PREFIX: u32 = 56;

/// The connections that are open now.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: AtomicUsize,
    /// Only of those that are bounded each for itself.
    by_client: Mutex<HashMap<u64, usize>>,
}

/// A connection that is counted; no more when it is dropped.
#[derive(Debug)]
pub struct Connection {
    among: Arc<Connections>,
    client: Option<u64>,
}

impl Connections {
    fn by_client(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        // nothing in here can panic half-way, so a poisoned state is still a right state
        self.by_client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new connection in, and notes at its peer if it is one too many. None: it is so far beyond the bounds that it
    /// is to be closed unheard.
    pub(super) fn take(
        self: &Arc<Self>,
        options: &OverloadOptions,
        peer: &mut Peer,
        peer_is_trusted: bool,
    ) -> Option<Connection> {
        // a proxy in front carries many clients, and on a Unix socket nobody can tell who comes
        let is_one_client = !peer_is_trusted && peer.local_port.is_some();
        let each = options.connections_per_client.filter(|_| is_one_client);
        let client = each.map(|_| client(peer.address));
        let connection = Connection {
            among: Arc::clone(self),
            client,
        };
        let open = self.open.fetch_add(1, Relaxed) + 1;
        let of_client = client.map_or(0, |client| {
            let mut by_client = self.by_client();
            let count = by_client.entry(client).or_default();
            *count += 1;
            *count
        });
        let (all, own) = (judge(open, options.connections), judge(of_client, each));
        match all.max(own) {
            Fate::Served => {}
            Fate::Unheard if options.enforcement == Enforcement::Enforce => return None,
            Fate::Heard | Fate::Unheard => peer.is_excess = true,
        }
        Some(connection)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.among.open.fetch_sub(1, Relaxed);
        if let Some(client) = self.client {
            let mut by_client = self.among.by_client();
            if let Some(count) = by_client.get_mut(&client) {
                *count -= 1;
                if *count == 0 {
                    by_client.remove(&client);
                }
            }
        }
    }
}

/// What becomes of a connection; the worse is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// As any other.
    Served,
    /// Its request is read, and refused.
    Heard,
    /// Closed.
    Unheard,
}

fn judge(open: usize, most: Option<u32>) -> Fate {
    let Some(most) = most.map(|most| most as usize) else {
        return Fate::Served;
    };
    if open <= most {
        Fate::Served
    } else if open <= most + most / HEARD_PART + HEARD_LEAST {
        Fate::Heard
    } else {
        Fate::Unheard
    }
}

/// Whose connection it is. IPv4 addresses and IPv6 prefixes do not meet: of the latter the upper bits are set.
fn client(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> (128 - IPV6_PREFIX);
            // 56 bits, so nothing is cut off; 2000::/3 is all that is in use, and never zero
            u64::try_from(prefix).unwrap_or(u64::MAX) | 1 << 63
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(all: Option<u32>, each: Option<u32>) -> OverloadOptions {
        OverloadOptions {
            connections: all,
            connections_per_client: each,
            ..OverloadOptions::default()
        }
    }

    fn from(address: &str) -> Peer {
        Peer::plain(address.parse().expect("an address"), Some(80))
    }

    /// What becomes of so many connections of one client that stay open.
    fn fates(options: &OverloadOptions, address: &str, count: usize) -> Vec<Fate> {
        let connections = Arc::default();
        let mut kept = Vec::new();
        let fates = (0..count).map(|_| {
            let mut peer = from(address);
            match Connections::take(&connections, options, &mut peer, false) {
                None => Fate::Unheard,
                Some(connection) => {
                    kept.push(connection);
                    if peer.is_excess {
                        Fate::Heard
                    } else {
                        Fate::Served
                    }
                }
            }
        });
        let fates = fates.collect();
        drop(kept);
        assert_eq!(connections.open.load(Relaxed), 0);
        assert!(connections.by_client().is_empty());
        fates
    }

    #[test]
    fn beyond_a_bound_some_are_heard_and_the_rest_is_closed() {
        let expected = |served: usize, heard: usize| {
            let mut fates = vec![Fate::Served; served];
            fates.extend(vec![Fate::Heard; heard]);
            fates.extend(vec![Fate::Unheard; 3]);
            fates
        };
        for (all, each) in [(Some(16), None), (None, Some(16)), (Some(16), Some(16))] {
            let found = fates(&options(all, each), "198.51.100.1", 23);
            assert_eq!(found, expected(16, 4), "{all:?} {each:?}");
        }
        assert_eq!(fates(&options(None, None), "::1", 3), [Fate::Served; 3]);
    }

    #[test]
    fn a_dry_run_hears_everybody() {
        let options = OverloadOptions {
            enforcement: Enforcement::DryRun,
            ..options(Some(1), None)
        };
        let found = fates(&options, "198.51.100.1", 9);
        assert_eq!(found[1..], [Fate::Heard; 8]);
    }

    #[test]
    fn clients_are_told_apart_as_providers_do() {
        let same = |one: &str, other: &str| {
            client(one.parse().expect("an address")) == client(other.parse().expect("an address"))
        };
        assert!(same("2001:db8:0:a00::1", "2001:db8:0:aff::2"));
        assert!(!same("2001:db8:0:a00::1", "2001:db8:0:b00::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(!same("192.0.2.1", "::c000:201"));
    }

    #[test]
    fn proxies_and_unix_sockets_are_not_one_client() {
        let (connections, options) = (Arc::default(), options(None, Some(1)));
        let mut kept = Vec::new();
        for is_trusted in [true, false] {
            for _ in 0..20 {
                let mut peer = from("127.0.0.1");
                if !is_trusted {
                    peer.local_port = None;
                }
                kept.push(Connections::take(
                    &connections,
                    &options,
                    &mut peer,
                    is_trusted,
                ));
                assert!(!peer.is_excess);
            }
        }
        assert!(kept.iter().all(Option::is_some));
    }
}
