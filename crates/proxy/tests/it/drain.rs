//! A thread on its way out: what is running is finished, what was on its way is answered, nothing is cut.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use mainstay_testkit::{eventually, patience};

use crate::harness::{End, Gateway, OK, Origin, get};

fn waiting() -> (Origin, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        while visit.request().is_some() {
            let _ = gone.lock().expect("one at a time").recv();
            visit.send(OK);
        }
    });
    (origin, go)
}

#[test]
fn a_request_in_flight_is_answered_and_its_connection_closed() {
    let (origin, go) = waiting();
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the request", || origin.requests().pop());
    let drained = gateway.drain(patience());
    assert_eq!(
        drained.recv_timeout(Duration::from_millis(1_500)),
        Err(RecvTimeoutError::Timeout)
    );
    go.send(()).expect("the origin waits");
    assert!(client.response().expect(200).says_close());
    assert_eq!(client.expect_end(), End::Closed);
    drop(client);
    drained.recv().expect("the drain ends");
}

#[test]
fn an_idle_connection_is_closed_after_the_last_call() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let (mut used, mut fresh) = (gateway.connect(), gateway.connect());
    used.send(get("/")).response().expect(200);
    eventually("both", || (gateway.open_connections() == 2).then_some(()));
    let drained = gateway.drain(patience());
    assert_eq!(used.expect_end(), End::Closed);
    assert_eq!(fresh.expect_end(), End::Closed);
    drained.recv().expect("the drain ends");
}

#[test]
fn a_request_that_was_on_its_way_is_answered() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let (mut used, mut fresh) = (gateway.connect(), gateway.connect());
    used.send(get("/")).response().expect(200);
    eventually("both", || (gateway.open_connections() == 2).then_some(()));
    let _drained = gateway.drain(patience());
    for client in [&mut used, &mut fresh] {
        assert!(client.send(get("/")).response().expect(200).says_close());
        assert_eq!(client.expect_end(), End::Closed);
    }
}

#[test]
fn grace_ends() {
    let (origin, _go) = waiting();
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the request", || origin.requests().pop());
    let drained = gateway.drain(Duration::from_millis(200));
    drained.recv().expect("the drain ends");
}
