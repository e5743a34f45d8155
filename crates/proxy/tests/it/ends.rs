//! How messages and connections end: broken ones visibly, whole ones with the connection in a known state.

use std::sync::mpsc;
use std::time::Duration;

use mainstay_testkit::eventually;

use crate::harness::{
    End, Ending, Gateway, OK, Origin, answer, endpoints, get, head_for, head_for_chunks, with_body,
};

/// Upstream answers that end before they are whole.
const BROKEN: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
];

#[test]
fn a_broken_answer_is_visibly_broken_to_every_client() {
    for bytes in BROKEN {
        let origin = Origin::saying(bytes);
        let gateway = Gateway::before(&[&origin]);
        let broken = gateway.ask(get("/")).expect_broken();
        assert_eq!(broken.text(), "hello", "{bytes:?}");
        let mut old = gateway.connect();
        let broken = old
            .send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            .response()
            .expect_broken();
        assert_ne!(broken.ending, Ending::Closed, "{bytes:?}");
        assert!(
            gateway
                .logged("origin_broke_off")
                .contains("\"status\":200")
        );
    }
}

#[test]
fn an_answer_that_ends_by_a_reset_is_visibly_broken() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
    ] {
        let (told, arrived) = mpsc::channel();
        let arrived = std::sync::Mutex::new(arrived);
        let origin = Origin::new(move |mut visit| {
            if visit.request().is_some() {
                visit.send(head);
                // the reset must not overtake the bytes
                let _ = arrived.lock().expect("one at a time").recv();
                visit.reset();
            }
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(get("/"));
        client.response_head();
        assert_eq!(client.bytes(10), "5\r\nhello\r\n");
        told.send(()).expect("the origin waits");
        let (text, end) = client.read_to_end();
        assert!(!text.contains("0\r\n\r\n") && end != End::Open, "{text:?}");
    }
}

#[test]
fn an_answer_with_a_length_that_ends_by_a_reset_is_visibly_broken() {
    for bytes in [BROKEN[0], BROKEN[1]] {
        let (told, arrived) = mpsc::channel();
        let arrived = std::sync::Mutex::new(arrived);
        let origin = Origin::new(move |mut visit| {
            if visit.request().is_some() {
                visit.send(bytes);
                // the reset must not overtake the bytes
                let _ = arrived.lock().expect("one at a time").recv();
                visit.reset();
            }
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(get("/"));
        let framing = client.response_head();
        let begun = if framing.field("content-length").is_some() {
            "hello"
        } else {
            "5\r\nhello\r\n"
        };
        assert_eq!(client.bytes(begun.len()), begun);
        told.send(()).expect("the origin waits");
        let (text, end) = client.read_to_end();
        assert!(text.is_empty() && end != End::Open, "{bytes:?}: {text:?}");
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole_for_everybody() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\n\r\nhello");
    let gateway = Gateway::before(&[&origin]);
    let response = gateway.ask(get("/")).expect(200);
    assert_eq!(
        (response.text(), response.ending),
        ("hello".to_owned(), Ending::Whole)
    );
    let mut old = gateway.connect();
    let response = old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert_eq!(
        (response.text(), response.ending),
        ("hello".to_owned(), Ending::Closed)
    );
}

#[test]
fn a_broken_answer_leaves_the_origins_connection_unused() {
    let origin = Origin::new(|mut visit| {
        while visit.request().is_some() {
            if visit.number == 0 {
                visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
            } else {
                visit.send(OK);
            }
        }
    });
    let gateway = Gateway::before(&[&origin]);
    gateway.ask(get("/")).expect_broken();
    gateway.ask(get("/")).expect(200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_truncated_body_is_never_a_whole_request_and_is_400() {
    for head in [head_for("POST", 10), head_for_chunks("POST")] {
        let origin = Origin::answering(OK);
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(&head).send("2\r\nab").half_close();
        client.response().expect(400);
        client.expect_end();
        eventually("the request to be let go", || {
            let seen = origin.requests();
            let is_broken = |end: &Ending| matches!(end, Ending::Broken(_));
            seen.first()
                .map(|seen| assert!(is_broken(&seen.ending), "{seen:?}"))
        });
    }
}

#[test]
fn a_body_that_breaks_after_the_answer_began_ends_the_request_at_the_origin() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.head();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        let (_, end) = visit.read_to_end();
        let _ = told.send(end);
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for_chunks("POST")).send("2\r\nab\r\n");
    client.response_head();
    client.bytes(10);
    client.send("zz\r\n");
    let end = ended.recv_timeout(Duration::from_secs(5));
    assert!(
        end.is_ok_and(|end| end != End::Open),
        "the origin still waits for the rest"
    );
}

#[test]
fn a_client_that_resets_has_its_request_cancelled_and_logged_as_499() {
    for request in [get("/"), with_body("POST", "ab"), head_for("POST", 100)] {
        let (told, ended) = mpsc::channel();
        let origin = Origin::new(move |mut visit| {
            visit.head();
            let _ = told.send(End::Open);
            let _ = told.send(visit.read_to_end().1);
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(&request);
        ended.recv().expect("the origin was asked");
        client.reset();
        assert_ne!(ended.recv().expect("it ends"), End::Open, "{request:?}");
        assert!(
            gateway.logged("\"status\"").contains("\"status\":499"),
            "{request:?}"
        );
        assert_eq!(gateway.counters.resends.get(), 0, "it is no origin's fault");
        eventually("the connection's end", || {
            (gateway.open_connections() == 0).then_some(())
        });
    }
}

#[test]
fn a_client_that_resets_while_an_answer_is_silent_has_it_cancelled() {
    // a body that came later than its head leaves something to feed, which must not hide the client's end
    for late_body in ["", "ab"] {
        let (told, ended) = mpsc::channel();
        let origin = Origin::new(move |mut visit| {
            visit.head();
            let _ = told.send(End::Open);
            visit.bytes(late_body.len());
            visit.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
            let _ = told.send(visit.read_to_end().1);
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(head_for("POST", late_body.len()));
        ended.recv().expect("the origin was asked");
        client.send(late_body);
        client.response_head();
        client.bytes(14);
        client.reset();
        let end = ended.recv_timeout(Duration::from_secs(5));
        assert!(
            end.is_ok_and(|end| end != End::Open),
            "{late_body:?}: the origin still streams to nobody"
        );
    }
}

#[test]
fn a_client_that_resets_while_its_upload_is_held_has_it_cancelled() {
    let (told, heard) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.head();
        // reads nothing as long as the test wants it so
        let _ = gone.lock().expect("one at a time").recv();
        let _ = told.send(visit.count_to_end().1);
    });
    let members = endpoints(&[&origin]);
    let gateway = Gateway::with(|_| {}).before(&members);
    let mut client = gateway.connect();
    client.send(head_for("POST", 1 << 30));
    let piece = vec![b'x'; 64 * 1024];
    client.send_until_held(&piece, 1 << 30, Duration::from_millis(500));
    client.reset();
    eventually_within(Duration::from_secs(5), "the worker's place", || {
        members[0].in_flight() == 0
    });
    go.send(()).expect("the origin waits");
    assert_ne!(heard.recv().expect("the origin listens"), End::Open);
}

/// For what would come true after a long clock anyway.
#[track_caller]
fn eventually_within(time: Duration, what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    let came = eventually(what, || {
        is_true()
            .then_some(true)
            .or_else(|| (begun.elapsed() > time).then_some(false))
    });
    assert!(came, "waited in vain for {what}");
}

#[test]
fn an_answer_may_run_beside_its_request() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let chunk = visit.bytes(8);
            visit.send(chunk);
        }
        visit.bytes(5);
        visit.send("0\r\n\r\n");
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for_chunks("POST"));
    client.response_head();
    for chunk in ["3\r\none\r\n", "3\r\ntwo\r\n", "3\r\n333\r\n"] {
        assert_eq!(client.send(chunk).bytes(8), chunk);
    }
    assert_eq!(client.send("0\r\n\r\n").bytes(5), "0\r\n\r\n");
    // both ended cleanly
    client.send(get("/"));
}

#[test]
fn a_half_closed_client_gets_its_answer_and_costs_nothing_meanwhile() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.request();
        let _ = gone.lock().expect("one at a time").recv();
        visit.send(OK);
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/")).half_close();
    eventually("the request", || origin.requests().pop());
    let before = gateway.cpu_time();
    assert_eq!(client.end_within(Duration::from_millis(500)), End::Open);
    let spent = gateway.cpu_time().saturating_sub(before);
    assert!(spent < Duration::from_millis(200), "a busy loop: {spent:?}");
    go.send(()).expect("the origin waits");
    client.response().expect(200);
    assert_eq!(client.expect_end(), End::Closed);
}

#[test]
fn all_requests_of_a_half_closed_client_are_answered() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client
        .send(format!("{}{}{}", get("/1"), get("/2"), get("/3")))
        .half_close();
    let (text, _) = client.read_to_end();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 3, "{text}");
}

#[test]
fn an_early_answer_to_a_long_body_closes_and_poisons_nothing() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send(answer("401 Unauthorized", "no"));
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for("POST", 10_000_000));
    client.response().expect(401);
    let mut sender = client.second_hand();
    let sent = std::thread::spawn(move || {
        let body = get("/smuggled").repeat(1_000);
        sender.send_until_held(body.as_bytes(), 10_000_000, Duration::from_secs(10))
    });
    let (text, end) = client.read_to_end();
    assert!(text.is_empty() && end != End::Open, "{end:?} {text:?}");
    sent.join().expect("the sender ends");
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn an_early_answer_to_a_short_body_keeps_the_connection_in_step() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            let is_early = head.start.starts_with("POST");
            visit.send(if is_early {
                answer("401 Unauthorized", "no")
            } else {
                OK.to_owned()
            });
        }
    });
    let gateway = Gateway::before(&[&origin]);
    for (head, body) in [
        (head_for("POST", 1_000), "x".repeat(1_000)),
        (
            head_for_chunks("POST"),
            format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1_000)),
        ),
    ] {
        let mut client = gateway.connect();
        let response = client.send(head).response().expect(401);
        client.send(body).send(get("/next"));
        if response.says_close() {
            client.expect_end();
        } else {
            client.response().expect(200);
        }
    }
}
