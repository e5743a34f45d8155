//! Addresses that are free, taken, left behind and not to be had.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::*;

fn take(address: &str) -> Result<Bound, BindError> {
    let address = address.parse().expect("an address");
    bind(&address, 2, &SocketAccess::default())
}

fn tcp(bound: &Bound) -> SocketAddr {
    match bound.address {
        Resolved::Tcp(address) => address,
        Resolved::Unix(_) => panic!("an address of TCP"),
    }
}

#[test]
fn an_address_in_use_is_said_to_be() {
    let first = take("127.0.0.1:0").expect("a free port");
    assert_eq!(first.sockets.len(), 2);
    let address = tcp(&first);
    assert_ne!(address.port(), 0);
    for again in [address.to_string(), format!(":{}", address.port())] {
        let refused = take(&again);
        assert!(matches!(refused, Err(BindError::InUse(_))), "{refused:?}");
        let refused = probe(&again.parse().expect("an address"));
        assert!(matches!(refused, Err(BindError::InUse(_))), "{refused:?}");
    }
    let copy = first.try_clone().expect("two more descriptors");
    drop(first);
    let again = take(&address.to_string());
    assert!(matches!(again, Err(BindError::InUse(_))), "{again:?}");
    drop(copy);
    take(&address.to_string()).expect("it is free again");
}

/// The kernel would let them: each asks to share, and both are the same user's.
#[test]
fn a_port_that_others_would_share_is_not_shared() {
    let other = socket("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    other.set_reuse_port(true).expect("it can share");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    other.bind(&any.into()).expect("a free port");
    other.listen(1).expect("it is bound");
    let address = other.local_addr().expect("it is bound").as_socket();
    let refused = take(&address.expect("TCP").to_string());
    assert!(matches!(refused, Err(BindError::InUse(_))), "{refused:?}");
}

#[test]
fn of_many_that_want_a_port_at_once_one_gets_it() {
    for _ in 0..20 {
        let free = take("127.0.0.1:0").expect("a free port");
        let address = tcp(&free);
        drop(free);
        let wanted = [address.to_string(), format!("0.0.0.0:{}", address.port())];
        let taken: Vec<Bound> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|number| {
                    let wanted = &wanted[number % 2];
                    scope.spawn(move || take(wanted).ok())
                })
                .collect();
            let ends = starts
                .into_iter()
                .map(|start| start.join().expect("no panic"));
            ends.flatten().collect()
        });
        assert!(taken.len() <= 1, "{taken:?}");
    }
}

/// How many of so many new connections arrive at each socket.
fn arrivals(bound: &Bound) -> Vec<usize> {
    let clients: Vec<_> = (0..64)
        .map(|_| std::net::TcpStream::connect(tcp(bound)).expect("somebody listens"))
        .collect();
    let of = |socket: &Listener| match socket {
        Listener::Tcp(socket) => std::iter::from_fn(|| socket.accept().ok()).count(),
        Listener::Unix(..) => 0,
    };
    let arrivals: Vec<usize> = bound.sockets.iter().map(of).collect();
    assert_eq!(arrivals.iter().sum::<usize>(), clients.len());
    arrivals
}

#[test]
fn nobody_comes_to_a_socket_from_which_nobody_accepts() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut bound = bind(&address, 1, &SocketAccess::default()).expect("a free port");
    bound.widen(3).expect("two more");
    assert_eq!(arrivals(&bound), [64, 0, 0]);
    let mut sockets = bound.sockets.iter();
    sockets
        .try_for_each(Listener::open)
        .expect("they are bound");
    let all = arrivals(&bound);
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
    bound.rest(1);
    assert_eq!(arrivals(&bound), [64, 0, 0]);
}

#[test]
fn a_foreign_address_is_refused_with_a_reason() {
    let result = take("192.0.2.1:0");
    assert!(matches!(result, Err(BindError::NotHere(_))), "{result:?}");
}

fn path(folder: &tempfile::TempDir) -> (PathBuf, String) {
    let path = folder.path().join("a.sock");
    let written = format!("unix:{}", path.display());
    (path, written)
}

#[test]
fn a_unix_socket_is_for_whom_it_was_made_and_goes_with_its_last_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, written) = path(&folder);
    let mut bound = take(&written).expect("a free path");
    assert_eq!(bound.sockets.len(), 2);
    bound.widen(3).expect("a descriptor more");
    let mode = || path.metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o660);
    let everybody = SocketAccess {
        mode: 0o666,
        group: None,
    };
    bound.allow(&everybody).expect("it is ours");
    assert_eq!(mode(), 0o666);

    let mut client = UnixStream::connect(&path).expect("somebody listens");
    let Listener::Unix(socket, _) = &bound.sockets[2] else {
        panic!("a Unix socket");
    };
    let (mut server, _) = socket.accept().expect("whichever descriptor is asked");
    server.write_all(b"a").expect("the client is there");
    client.read_exact(&mut [0]).expect("what was sent");

    let again = take(&written);
    assert!(matches!(again, Err(BindError::InUse(_))), "{again:?}");
    let copy = bound.try_clone().expect("three more descriptors");
    drop(bound);
    assert!(path.exists());
    drop(copy);
    assert!(!path.exists());
}

#[test]
fn what_a_dead_one_left_is_taken_over_and_what_lives_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, written) = path(&folder);
    let living = UnixListener::bind(&path).expect("a free path");
    for refused in [
        take(&written).map(drop),
        probe(&written.parse().expect("an address")),
    ] {
        assert!(matches!(refused, Err(BindError::InUse(_))), "{refused:?}");
    }
    drop(living);
    assert!(path.exists(), "the file stays behind");
    probe(&written.parse().expect("an address")).expect("it could be taken over");
    assert!(path.exists(), "nothing was done yet");
    let bound = take(&written).expect("nobody listens there");

    // another one took the place meanwhile: it is not ours to remove
    std::fs::remove_file(&path).expect("the folder is ours");
    std::fs::write(&path, "theirs").expect("the folder is ours");
    drop(bound);
    assert!(path.exists());
    let refused = take(&written);
    assert!(
        matches!(refused, Err(BindError::NoSocket(_))),
        "{refused:?}"
    );
    let absent = take(&format!("unix:{}/absent/a.sock", folder.path().display()));
    assert!(
        matches!(absent, Err(BindError::NoFolder { .. })),
        "{absent:?}"
    );
}
