//! Clocks on either side. Whoever is waited for is measured, and nobody else.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::harness::{End, Gateway, OK, Origin, Wire, endpoints, get, head_for};

const SHORT: Duration = Duration::from_millis(300);
const DRIP: Duration = Duration::from_millis(20);

/// Sends a byte again and again until told to stop.
fn drip(mut wire: Wire) -> (Arc<AtomicBool>, thread::JoinHandle<()>) {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let dripping = thread::spawn(move || {
        while !is_over.load(SeqCst) {
            wire.send("x");
            thread::sleep(DRIP);
        }
    });
    (over, dripping)
}

#[test]
fn a_head_that_does_not_end_in_time_is_408() {
    for drips in [false, true] {
        let origin = Origin::answering(OK);
        let gateway = Gateway::with(|options| options.client.head_timeout = SHORT)
            .before(&endpoints(&[&origin]));
        let mut client = gateway.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
        let dripping = drips.then(|| drip(client.second_hand()));
        assert!(client.response().expect(408).says_close());
        if let Some((over, dripping)) = dripping {
            over.store(true, SeqCst);
            dripping.join().expect("it stops");
        }
        assert_eq!(origin.connections(), 0);
        assert!(gateway.logged("head_timeout").contains("\"status\":408"));
    }
}

#[test]
fn a_body_that_comes_too_slowly_is_408_and_never_whole() {
    for drips in [false, true] {
        let origin = Origin::answering(OK);
        let gateway = Gateway::with(|options| {
            options.client.body_minimum = 1_000;
            options.client.body_period = SHORT;
        })
        .before(&endpoints(&[&origin]));
        let mut client = gateway.connect();
        client.send(head_for("POST", 10_000)).send("ab");
        let dripping = drips.then(|| drip(client.second_hand()));
        assert!(client.response().expect(408).says_close());
        if let Some((over, dripping)) = dripping {
            over.store(true, SeqCst);
            dripping.join().expect("it stops");
        }
        assert!(gateway.logged("body_timeout").contains("\"status\":408"));
    }
}

#[test]
fn a_slow_origin_does_not_count_against_its_client() {
    const LENGTH: usize = 48 * 1024 * 1024;
    let origin = Origin::new(|mut visit| {
        visit.head();
        thread::sleep(4 * SHORT);
        visit.skip(LENGTH);
        visit.send(OK);
    });
    let gateway = Gateway::with(|options| {
        options.client.body_minimum = 1_000;
        options.client.body_period = SHORT;
    })
    .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    client
        .send(head_for("POST", LENGTH))
        .send(vec![b'x'; LENGTH]);
    client.response().expect(200);
}

#[test]
fn a_long_upload_is_no_slow_origin() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::with(|options| options.upstream.head_timeout = SHORT)
        .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    client.send(head_for("POST", 100));
    for _ in 0..10 {
        client.send("0123456789");
        thread::sleep(SHORT / 4);
    }
    client.response().expect(200);
}

#[test]
fn an_origin_that_does_not_answer_is_504_and_let_go() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.request();
        let _ = told.send(visit.read_to_end().1);
    });
    let gateway = Gateway::with(|options| options.upstream.head_timeout = SHORT)
        .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    let response = client.send(get("/")).response().expect(504);
    assert!(!response.says_close());
    assert_ne!(ended.recv().expect("the origin waits"), End::Open);
    assert_eq!(
        origin.connections(),
        1,
        "asked once: it may still be at work"
    );
}

#[test]
fn an_answer_that_stalls_is_broken_off() {
    let origin = Origin::new(|mut visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        visit.read_to_end();
    });
    let gateway = Gateway::with(|options| options.upstream.body_timeout = SHORT)
        .before(&endpoints(&[&origin]));
    assert_eq!(gateway.ask(get("/")).expect_broken().text(), "hello");
}

/// The clock stands still while the answer's reader is behind, and must run again afterwards.
#[test]
fn an_answer_that_stalls_after_it_was_held_is_broken_off_too() {
    let origin = Origin::new(|mut visit| {
        visit.request();
        let pieces = "1\r\nx\r\n".repeat(8_000);
        visit.send(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{pieces}"
        ));
        visit.read_to_end();
    });
    let gateway = Gateway::with(|options| options.upstream.body_timeout = SHORT)
        .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    let reader = client.send(get("/")).second_hand();
    let (told, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = reader;
        let _ = told.send(reader.response());
    });
    let response = ended
        .recv_timeout(Duration::from_secs(5))
        .expect("nobody waits without a clock");
    assert_eq!(response.expect_broken().body.len(), 8_000);
}

#[test]
fn slow_clients_keep_nobody_else_waiting() {
    const SLOW: usize = 300;
    let origin = Origin::answering(OK);
    let gateway = Gateway::with(|options| options.client.head_timeout = 10 * SHORT)
        .before(&endpoints(&[&origin]));
    let mut slow: Vec<Wire> = (0..SLOW).map(|_| gateway.connect()).collect();
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\nHost:");
    }
    let mut client = gateway.connect();
    for _ in 0..100 {
        client.send(get("/")).response().expect(200);
    }
    for client in &mut slow {
        client.response().expect(408);
    }
    assert_eq!(origin.requests().len(), 100);
}

#[test]
fn an_event_stream_may_be_silent() {
    for kind in ["text/event-stream; charset=utf-8", "Text/Event-Stream"] {
        let origin = Origin::new(move |mut visit| {
            visit.request();
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\na"));
            thread::sleep(4 * SHORT);
            visit.send("b");
        });
        let gateway = Gateway::with(|options| options.upstream.body_timeout = SHORT)
            .before(&endpoints(&[&origin]));
        assert_eq!(gateway.ask(get("/")).expect(200).text(), "ab");
    }
}

#[test]
fn a_slow_client_does_not_count_against_its_origin() {
    const LENGTH: usize = 48 * 1024 * 1024;
    let origin = Origin::new(|mut visit| {
        visit.request();
        visit
            .send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"
            ))
            .send(vec![b'x'; LENGTH]);
        visit.read_to_end();
    });
    let gateway = Gateway::with(|options| options.upstream.body_timeout = SHORT)
        .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    client.send(get("/"));
    client.response_head();
    thread::sleep(4 * SHORT);
    client.skip(LENGTH);
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        let taken = visit.send_until_held(&piece, 1 << 30, Duration::from_secs(20));
        let _ = told.send(taken);
    });
    let gateway =
        Gateway::with(|options| options.client.send_timeout = SHORT).before(&endpoints(&[&origin]));
    let mut client = Wire::connect_narrow(gateway.address);
    client.send(get("/"));
    let taken = ended
        .recv_timeout(Duration::from_secs(10))
        .expect("the origin is let go too");
    assert!(taken < 1 << 30);
    assert!(gateway.logged("send_timeout").contains("\"status\":200"));
    assert_ne!(client.count_to_end().1, End::Open);
}

#[test]
fn a_client_that_reads_slowly_but_steadily_is_served() {
    const LENGTH: usize = 12 * 1024 * 1024;
    let origin = Origin::new(|mut visit| {
        visit.request();
        visit
            .send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"
            ))
            .send(vec![b'x'; LENGTH]);
        visit.read_to_end();
    });
    let gateway = Gateway::with(|options| options.client.send_timeout = 2 * SHORT)
        .before(&endpoints(&[&origin]));
    let mut client = gateway.connect();
    client.send(get("/"));
    client.response_head();
    for _ in 0..24 {
        client.skip(LENGTH / 24);
        thread::sleep(SHORT / 4);
    }
}
