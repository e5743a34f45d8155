//! Who is asked: the least busy, whoever is there now, and nobody who is gone.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mainstay_proxy::{Address, Endpoint};
use mainstay_testkit::eventually;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::{End, Gateway, OK, Origin, answer, endpoint, get};

/// Answers with a name; `/wait` only when told to.
fn named(name: &str) -> (Origin, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel::<()>();
    let (gone, bytes) = (Mutex::new(gone), answer("200 OK", name));
    let origin = Origin::new(move |mut visit| {
        while let Some(request) = visit.request() {
            if request.start.contains("/wait") {
                let _ = gone.lock().expect("one at a time").recv();
            }
            visit.send(&bytes);
        }
    });
    (origin, go)
}

#[test]
fn the_one_that_is_idle_is_asked() {
    let ((a, go_a), (b, go_b)) = (named("a"), named("b"));
    let members = [endpoint(0, a.address), endpoint(1, b.address)];
    let gateway = Gateway::with(|_| {}).before(&members);
    let mut waiting = gateway.connect();
    waiting.send(get("/wait"));
    let busy = eventually("a busy member", || {
        members.iter().position(|member| member.in_flight() == 1)
    });
    let idle = ["b", "a"][busy];
    for _ in 0..20 {
        assert_eq!(gateway.ask(get("/")).expect(200).text(), idle);
    }
    drop((go_a, go_b));
    assert_ne!(waiting.response().expect(200).text(), idle);
    eventually("both to be idle", || {
        members
            .iter()
            .all(|member| member.in_flight() == 0)
            .then_some(())
    });
}

#[test]
fn a_request_that_is_cancelled_gives_back_its_place() {
    let (a, _go) = named("a");
    let members = [endpoint(0, a.address)];
    let gateway = Gateway::with(|_| {}).before(&members);
    let mut client = gateway.connect();
    client.send(get("/wait"));
    eventually("the request", || {
        (members[0].in_flight() == 1).then_some(())
    });
    client.reset();
    eventually("its place", || (members[0].in_flight() == 0).then_some(()));
}

#[test]
fn members_change_while_requests_run() {
    let ((a, go), (b, _go)) = (named("a"), named("b"));
    let gateway = Gateway::before(&[&a]);
    let mut waiting = gateway.connect();
    waiting.send(get("/wait"));
    eventually("the request", || a.requests().pop());
    gateway.set_members(&[endpoint(7, b.address)]);
    for _ in 0..5 {
        assert_eq!(gateway.ask(get("/")).expect(200).text(), "b");
    }
    go.send(()).expect("the origin waits");
    assert_eq!(waiting.response().expect(200).text(), "a");
    // and the old one keeps no connection
    assert_eq!(waiting.send(get("/")).response().expect(200).text(), "b");
}

#[test]
fn connections_to_a_member_that_left_are_closed() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send(OK);
        let _ = told.send(visit.read_to_end().1);
    });
    let gateway = Gateway::before(&[&origin]);
    gateway.ask(get("/")).expect(200);
    gateway.set_members(&[]);
    assert_eq!(ended.recv().expect("the origin waits"), End::Closed);
}

#[test]
fn requests_wait_while_there_is_nobody() {
    let (a, _go) = named("a");
    let gateway = Gateway::with(|_| {}).app().before(&[]);
    let mut clients: Vec<_> = (0..10).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(get("/"));
    }
    assert_eq!(clients[0].end_within(Duration::from_millis(200)), End::Open);
    gateway.set_members(&[endpoint(0, a.address)]);
    gateway.standing.set_ready(0, 1);
    for client in &mut clients {
        client.response().expect(200);
    }
}

#[test]
fn requests_of_a_worker_that_died_wait_for_its_successor() {
    let (a, _go) = named("a");
    let gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, Origin::nowhere())]);
    let mut client = gateway.connect();
    client.send(get("/"));
    assert_eq!(client.end_within(Duration::from_millis(200)), End::Open);
    gateway.set_members(&[endpoint(1, a.address)]);
    client.response().expect(200);
}

/// A worker that is busy for a while lets its queue fill up; Unix sockets refuse at once then.
#[test]
fn a_worker_whose_queue_is_full_for_a_moment_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("worker.sock");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    let address = SockAddr::unix(&path).expect("a short path");
    socket.bind(&address).expect("a free path");
    socket.listen(0).expect("a listener");
    let first = UnixStream::connect(&path).expect("room for one");
    let worker = Endpoint::new(0, "api/0", Address::Unix(path));
    let gateway = Gateway::with(|_| {}).app().before(&[Arc::new(worker)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    assert_eq!(client.end_within(Duration::from_millis(200)), End::Open);
    drop(first);
    let listener: std::os::unix::net::UnixListener = socket.into();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut block = [0; 4096];
            if matches!(stream.read(&mut block), Ok(1..)) {
                let _ = stream.write_all(OK.as_bytes());
            }
        }
    });
    client.response().expect(200);
}
