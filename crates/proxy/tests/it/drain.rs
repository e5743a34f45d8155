//! A thread on its way out: what is running is finished, what was on its way is answered, nothing is cut.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use mainstay_proxy::DrainOptions;
use mainstay_testkit::{eventually, patience};

use crate::harness::{
    EVENTS, End, FRAME, Gateway, OK, Origin, RESTART, SWITCH, UPGRADE, Wire, get, head_for,
};

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

/// Plain exchanges may take long, streams a moment.
fn short_streams() -> DrainOptions {
    DrainOptions {
        streams: Duration::from_millis(400),
        grace: patience(),
        ..DrainOptions::default()
    }
}

/// Everything has only a moment.
fn short() -> DrainOptions {
    DrainOptions {
        grace: Duration::from_millis(400),
        ..DrainOptions::default()
    }
}

/// Opens a tunnel, or an event stream, and leaves it open.
fn streaming(first: impl AsRef<[u8]> + Send + Sync + 'static) -> Origin {
    Origin::new(move |mut visit| {
        visit.head();
        visit.send(&first);
        visit.read_to_end();
    })
}

#[test]
fn while_the_delay_lasts_everything_goes_on_as_ever() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut before = gateway.connect();
    before.send(get("/")).response().expect(200);
    let _drained = gateway.drain_with(DrainOptions {
        delay: patience(),
        ..DrainOptions::default()
    });
    for client in [&mut before, &mut gateway.connect()] {
        assert!(!client.send(get("/")).response().expect(200).says_close());
        client.send(get("/")).response().expect(200);
    }
}

#[test]
fn an_idle_connection_can_be_kept_until_its_next_request() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/")).response().expect(200);
    let drained = gateway.drain_with(DrainOptions {
        idle: patience(),
        grace: patience(),
        ..DrainOptions::default()
    });
    assert_eq!(client.end_within(Duration::from_millis(1_500)), End::Open);
    assert!(client.send(get("/")).response().expect(200).says_close());
    assert_eq!(client.expect_end(), End::Closed);
    drop(client);
    drained.recv().expect("the drain ends");
}

#[test]
fn a_second_drain_shortens_the_first() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/")).response().expect(200);
    let first = gateway.drain_with(DrainOptions {
        idle: patience(),
        grace: patience(),
        ..DrainOptions::default()
    });
    gateway.drain_with(short()).recv().expect("the drain ends");
    assert_eq!(client.expect_end(), End::Closed);
    first.recv().expect("so does the other");
}

#[test]
fn connections_that_wait_to_be_accepted_are_answered_and_later_ones_refused() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let address = gateway.address;
    // the thread is held meanwhile: the kernel alone knows of these connections
    let waiting = gateway.drain_after(short_streams(), move || {
        (0..300)
            .map(|_| {
                let mut wire = Wire::connect(address);
                wire.send(get("/"));
                wire
            })
            .collect::<Vec<_>>()
    });
    for mut client in waiting {
        assert!(client.response().expect(200).says_close());
    }
    eventually("a refusal", || {
        let refused = std::net::TcpStream::connect(address).err()?.kind();
        (refused == std::io::ErrorKind::ConnectionRefused).then_some(())
    });
}

#[test]
fn the_client_of_a_tunnel_is_told_that_the_service_restarts() {
    let origin = streaming([SWITCH.as_bytes(), FRAME].concat());
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    let drained = gateway.drain_with(short_streams());
    assert_eq!(
        client.bytes_to_end(),
        ([FRAME, RESTART].concat(), End::Closed)
    );
    drop(client);
    drained.recv().expect("the drain ends");
}

#[test]
fn a_frame_that_has_begun_is_finished_first() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.head();
        visit.send(SWITCH).send(b"\x82\x05abc");
        let _ = gone.lock().expect("one at a time").recv();
        visit.send(b"de").send(FRAME);
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    client.skip(5);
    let options = DrainOptions {
        // over before the rest comes, which then has the last moment
        streams: Duration::ZERO,
        ..short_streams()
    };
    let _drained = gateway.drain_with(options);
    assert_eq!(client.end_within(Duration::from_millis(200)), End::Open);
    go.send(()).expect("the origin waits");
    assert_eq!(
        client.bytes_to_end(),
        ([b"de", RESTART].concat(), End::Closed)
    );
}

#[test]
fn a_frame_that_never_ends_holds_nothing_up() {
    let origin = streaming([SWITCH.as_bytes(), b"\x82\x05abc"].concat());
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    let drained = gateway.drain_with(short_streams());
    assert_eq!(client.bytes_to_end().0, b"\x82\x05abc");
    drained.recv().expect("the drain ends");
}

#[test]
fn nothing_follows_the_origins_own_close_frame() {
    let bye = b"\x88\x02\x03\xE8";
    let origin = streaming([SWITCH.as_bytes(), bye].concat());
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    let _drained = gateway.drain_with(short_streams());
    assert_eq!(client.bytes_to_end().0, bye);
}

#[test]
fn an_event_stream_is_ended_visibly() {
    let origin = streaming(EVENTS);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    let drained = gateway.drain_with(short_streams());
    let response = client.response().expect_broken();
    assert_eq!(response.text(), "data: a\n\n");
    drop(client);
    drained.recv().expect("the drain ends");
}

#[test]
fn long_uploads_downloads_and_polls_are_finished() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        let head = visit.head().expect("a request");
        match head.start.split(' ').next() {
            Some("PUT") => assert_eq!(visit.bytes(6), "upload"),
            Some("GET") if head.start.contains("/poll") => {}
            _ => drop(visit.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nda")),
        }
        let _ = gone.lock().expect("one after the other").recv();
        let is_download = head.start.contains("/download");
        visit.send(if is_download { "ta" } else { OK });
    });
    let gateway = Gateway::before(&[&origin]);
    let (mut upload, mut download, mut poll) =
        (gateway.connect(), gateway.connect(), gateway.connect());
    upload.send(head_for("PUT", 6)).send("upl");
    download.send(get("/download"));
    poll.send(get("/poll"));
    eventually("three connections to the origin", || {
        (origin.connections() == 3).then_some(())
    });
    assert!(download.response_head().says_close() || download.bytes(2) == "da");
    let drained = gateway.drain_with(short_streams());
    upload.send("oad");
    for _ in 0..3 {
        go.send(()).expect("the origin waits");
    }
    upload.response().expect(200);
    poll.response().expect(200);
    let (rest, _) = download.read_to_end();
    assert!(rest.ends_with("ta"), "{rest}");
    drop((upload, download, poll));
    drained.recv().expect("the drain ends");
}

#[test]
fn at_the_end_of_the_grace_what_still_runs_is_ended_visibly() {
    let download = streaming("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nda");
    let gateway = Gateway::before(&[&download]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the download", || {
        (download.connections() == 1).then_some(())
    });
    let drained = gateway.drain_with(short());
    client.response().expect_broken();
    drop(client);
    drained.recv().expect("the drain ends");
}

#[test]
fn at_the_end_of_the_grace_who_still_waits_is_told_to_come_again() {
    let (origin, _go) = waiting();
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the request", || origin.requests().pop());
    let drained = gateway.drain_with(short());
    let response = client.response().expect(503);
    assert!(response.says_close() && response.field("retry-after").is_some());
    drop(client);
    drained.recv().expect("the drain ends");
    assert_eq!(origin.requests().len(), 1, "nobody else is asked any more");
}
