//! A member that leaves: nothing new begins on it, what runs goes on, and in the end it is let go.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mainstay_proxy::{Address, Endpoint, Tiding};
use mainstay_testkit::eventually;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::harness::{
    EVENTS, End, FRAME, Gateway, OK, Origin, RESTART, SWITCH, UPGRADE, endpoint, get, with_body,
};

const SOON: Duration = Duration::from_millis(400);

/// A member whose tidings can be read.
fn watched(id: u64, origin: &Origin) -> (Arc<Endpoint>, UnboundedReceiver<Tiding>) {
    let (watcher, tidings) = unbounded_channel();
    let endpoint = Endpoint::new(id, format!("api/{id}"), Address::Tcp(origin.address));
    (Arc::new(endpoint.watched_by(watcher)), tidings)
}

#[track_caller]
fn expect_left(tidings: &mut UnboundedReceiver<Tiding>, id: u64) {
    eventually("the last tiding", || {
        tidings
            .try_recv()
            .ok()
            .filter(|tiding| *tiding == Tiding::Left(id))
    });
}

/// Answers when it is told to.
fn waiting(text: &'static str) -> (Origin, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        while visit.request().is_some() {
            let _ = gone.lock().expect("one at a time").recv();
            visit.send(text);
        }
    });
    (origin, go)
}

/// Says this and stays.
fn staying(text: impl AsRef<[u8]> + Send + Sync + 'static) -> Origin {
    Origin::new(move |mut visit| {
        visit.head();
        visit.send(&text);
        visit.read_to_end();
    })
}

#[test]
fn the_first_answer_of_a_member_is_told_once() {
    let origin = Origin::answering(OK);
    let (member, mut tidings) = watched(3, &origin);
    let gateway = Gateway::with(|_| {}).before(&[member]);
    for _ in 0..3 {
        gateway.ask(get("/")).expect(200);
    }
    assert_eq!(tidings.try_recv(), Ok(Tiding::Answered(3)));
    assert!(tidings.try_recv().is_err());
}

#[test]
fn a_member_is_let_go_when_its_last_request_is_answered() {
    let ((old, go), (new, _)) = (waiting(OK), waiting(OK));
    let (member, mut tidings) = watched(0, &old);
    let gateway = Gateway::with(|_| {}).before(&[Arc::clone(&member)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the request", || old.requests().pop());
    gateway.set_members(&[endpoint(1, new.address)]);
    member.leave();
    assert!(tidings.try_recv().is_err(), "it still works");
    go.send(()).expect("the origin waits");
    client.response().expect(200);
    assert_eq!(tidings.blocking_recv(), Some(Tiding::Answered(0)));
    assert_eq!(tidings.blocking_recv(), Some(Tiding::Left(0)));
}

#[test]
fn a_connection_that_comes_free_on_a_member_that_left_is_closed() {
    let (told, ended) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        let head = visit.request().expect("a request");
        if head.start.contains("/stream") {
            visit.send(EVENTS).read_to_end();
            return;
        }
        let _ = gone.lock().expect("one at a time").recv();
        visit.send(OK);
        let _ = told.send(visit.read_to_end().1);
    });
    let (member, _tidings) = watched(0, &origin);
    let gateway = Gateway::with(|_| {}).before(&[member]);
    let (mut stream, mut client) = (gateway.connect(), gateway.connect());
    stream.send(get("/stream"));
    client.send(get("/"));
    eventually("both requests", || {
        (origin.requests().len() == 2).then_some(())
    });
    gateway.set_members(&[]);
    go.send(()).expect("the origin waits");
    client.response().expect(200);
    assert_eq!(ended.recv(), Ok(End::Closed), "though a stream still runs");
}

#[test]
fn tunnels_on_a_member_that_leaves_are_closed_in_time() {
    let origin = staying([SWITCH.as_bytes(), FRAME].concat());
    let (member, mut tidings) = watched(0, &origin);
    let gateway = Gateway::with(|_| {}).before(&[Arc::clone(&member)]);
    let mut clients: Vec<_> = (0..10).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    }
    gateway.set_members_within(&[], SOON);
    member.leave();
    for client in &mut clients {
        assert_eq!(
            client.bytes_to_end(),
            ([FRAME, RESTART].concat(), End::Closed)
        );
    }
    expect_left(&mut tidings, 0);
}

#[test]
fn a_member_may_be_given_its_end_later() {
    let origin = staying(EVENTS);
    let (member, mut tidings) = watched(0, &origin);
    let gateway = Gateway::with(|_| {}).before(&[Arc::clone(&member)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    assert_eq!(client.response_head().status(), 200);
    gateway.set_members(&[]);
    member.leave();
    assert_eq!(client.bytes(3), "9\r\n");
    client.skip(11);
    assert_eq!(client.end_within(2 * SOON), End::Open);
    gateway.set_members_within(&[], SOON);
    client.expect_end();
    expect_left(&mut tidings, 0);
}

#[test]
fn what_may_be_repeated_is_asked_of_another_when_time_is_over() {
    let ((old, _go), new) = (waiting(OK), Origin::answering(OK));
    let (member, mut tidings) = watched(0, &old);
    let gateway = Gateway::with(|_| {}).before(&[Arc::clone(&member)]);
    let (mut get_client, mut post_client) = (gateway.connect(), gateway.connect());
    get_client.send(get("/poll"));
    post_client.send(with_body("POST", "once"));
    eventually("both requests", || {
        (old.requests().len() == 2).then_some(())
    });
    gateway.set_members_within(&[endpoint(1, new.address)], SOON);
    member.leave();
    get_client.response().expect(200);
    post_client.response().expect(504);
    expect_left(&mut tidings, 0);
    let repeated: Vec<String> = new
        .requests()
        .into_iter()
        .map(|request| request.start)
        .collect();
    assert_eq!(repeated, ["GET /poll HTTP/1.1"]);
}

#[test]
fn a_client_that_reads_nothing_holds_no_member() {
    let much = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {0}\r\n\r\n{1}",
        64 << 20,
        "x".repeat(64 << 20)
    );
    let origin = staying(much);
    let (member, mut tidings) = watched(0, &origin);
    let gateway = Gateway::with(|_| {}).before(&[Arc::clone(&member)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the request", || (member.in_flight() == 1).then_some(()));
    gateway.set_members_within(&[], SOON);
    member.leave();
    expect_left(&mut tidings, 0);
}
