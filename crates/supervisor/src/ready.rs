//! When a worker is ready: what is waited for, and how it is noticed. Sends no request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::events::Endpoint;
use crate::footprint::family;
use crate::ports;
use crate::tree::Tree;

/// How a worker becomes reachable.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// It says so itself (Node with the preload script).
    Said,
    /// It need not be; it shall run for so long.
    Alive(Duration),
    /// It listens on this loopback port.
    Port(u16),
    /// It accepts from this socket of ours, reachable by this path.
    Accepted(Arc<UnixListener>, PathBuf),
}

/// What was found by looking.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It answers here.
    Here(Endpoint),
    /// It listens on these ports instead of the one it was given.
    Elsewhere(Vec<u16>),
    /// It has run for as long as it should.
    Alive,
}

/// A slow look is no use to anybody; a fast one costs CPU the app needs for starting.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(100);
/// Whoever has not listened by then may never do it: there may be a hundred of them, and looking costs CPU.
const PATIENT_AFTER: Duration = Duration::from_secs(10);
const RARE_LOOK: Duration = Duration::from_secs(30);

/// How long a worker may be without its port before we look where else it listens.
const LOOK_ELSEWHERE_AFTER: Duration = Duration::from_secs(2);

/// Looks until the worker is reachable. Never ends for a worker that says so itself.
pub(crate) async fn look(expected: Expected, tree: Tree) -> Found {
    match expected {
        Expected::Said => std::future::pending().await,
        Expected::Alive(time) => {
            sleep_until(Instant::now() + time).await;
            Found::Alive
        }
        Expected::Port(port) => look_at_port(port, &tree).await,
        Expected::Accepted(listener, path) => {
            look_at_queue(&listener, &path).await;
            // Our copy is closed here: from now on a dead worker refuses connections at once.
            drop(listener);
            Found::Here(Endpoint::Unix(path))
        }
    }
}

async fn look_at_port(port: u16, tree: &Tree) -> Found {
    let started = Instant::now();
    let mut pause = FIRST_LOOK;
    let mut look_elsewhere = started + LOOK_ELSEWHERE_AFTER;
    loop {
        for address in [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            let address = SocketAddr::new(address, port);
            if TcpStream::connect(address).await.is_ok() {
                return Found::Here(Endpoint::Tcp(address));
            }
        }
        if Instant::now() >= look_elsewhere {
            // whoever leaves its family does so when it begins; later there is no need to look at all of the machine
            let members = if started.elapsed() < PATIENT_AFTER {
                tree.members()
            } else {
                family(tree.group)
            };
            let ports = ports::of_processes(&members);
            if !ports.is_empty() && !ports.contains(&port) {
                return Found::Elsewhere(ports);
            }
            look_elsewhere = Instant::now() + started.elapsed().max(LOOK_ELSEWHERE_AFTER);
        }
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(longest_pause(started.elapsed()));
    }
}

/// How long is waited between two looks at most, `looked` after the first one.
fn longest_pause(looked: Duration) -> Duration {
    if looked < PATIENT_AFTER {
        LAST_LOOK
    } else {
        (looked / 10).min(RARE_LOOK)
    }
}

/// A connection of ours waits in the socket's queue until the worker accepts it; then the queue is empty again. Seen from
/// outside, without a byte sent.
async fn look_at_queue(listener: &UnixListener, path: &std::path::Path) {
    let mut pause = FIRST_LOOK;
    let probe = UnixStream::connect(path);
    while probe.is_ok() && has_waiting(listener) {
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}

fn has_waiting(listener: &UnixListener) -> bool {
    let mut sets = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut sets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_where_nobody_listens() {
        let seconds = Duration::from_secs;
        for (looked, pause) in [
            (seconds(1), LAST_LOOK),
            (seconds(9), LAST_LOOK),
            (seconds(10), seconds(1)),
            (seconds(50), seconds(5)),
            (seconds(3_500), RARE_LOOK),
        ] {
            assert_eq!(longest_pause(looked), pause, "after {looked:?}");
        }
    }
}
