//! Interim answers: 100 and 103 where they belong, never too many, never to those who cannot read them.

use std::sync::mpsc;
use std::time::Duration;

use crate::harness::{End, Gateway, OK, Origin, Wire, answer, get};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn expecting(length: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn an_origins_100_reaches_the_client_once_and_the_body_follows() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            assert_eq!(head.field("expect"), Some("100-continue"));
            visit.send(CONTINUE);
            let body = visit.bytes(5);
            visit.send(answer("200 OK", &body));
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(expecting(5));
    assert_eq!(client.response_head().status(), 100);
    client.send("hello");
    assert_eq!(client.response().expect(200).text(), "hello");
    // the connection is in step
    client.send(expecting(5));
    assert_eq!(client.response_head().status(), 100);
    client.send("again");
    assert_eq!(client.response().expect(200).text(), "again");
}

#[test]
fn a_client_whose_origin_does_not_know_100_is_let_continue() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(expecting(5));
    assert_eq!(client.response_head().status(), 100);
    client.send("hello");
    client.response().expect(200);
    assert_eq!(origin.requests()[0].text(), "hello");
}

#[test]
fn a_100_that_comes_late_is_not_passed_on_twice() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.bytes(5);
        visit.send(CONTINUE).send(OK);
        visit.head();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(expecting(5));
    assert_eq!(client.response_head().status(), 100);
    client.send("hello");
    assert_eq!(client.response().status(), 200);
}

/// After a refusal instead of 100, a client may send the body or not, and must not be misread either way.
fn expect_no_misreading(client: &mut Wire, says_close: bool, then: &str) {
    client.send(then);
    let (text, end) = client.read_to_end();
    assert_ne!(end, End::Open, "stuck");
    assert!(
        !says_close || text.is_empty(),
        "answered behind a close: {text}"
    );
}

#[test]
fn a_refusal_instead_of_100_reaches_the_client_and_leaves_nobody_stuck() {
    for status in ["417 Expectation Failed", "401 Unauthorized"] {
        let refusal = answer(status, "no");
        let origin = Origin::new(move |mut visit| {
            visit.head();
            visit.send(&refusal);
            visit.read_to_end();
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        let response = client.send(expecting(5)).response();
        assert_eq!(Some(response.status()), status[..3].parse().ok());
        expect_no_misreading(&mut client, response.says_close(), "");
    }
}

#[test]
fn a_request_that_follows_a_refusal_instead_of_100_is_never_taken_for_the_body() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            visit.send(if head.field("expect").is_some() {
                answer("401 Unauthorized", "no")
            } else {
                OK.to_owned()
            });
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    let next = get("/next");
    let response = client.send(expecting(next.len())).response().expect(401);
    assert!(
        response.says_close(),
        "the client cannot know how its next bytes are read: {response:?}"
    );
}

#[test]
fn hints_are_passed_on_before_the_answer() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n");
        let _ = gone.lock().expect("one at a time").recv();
        visit.send(OK);
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    let hint = client.send(get("/")).response_head();
    assert_eq!((hint.status(), hint.field("link")), (103, Some("</a.css>")));
    assert_eq!((hint.field("connection"), hint.field("x")), (None, None));
    go.send(()).expect("the origin waits");
    client.response().expect(200);
}

#[test]
fn clients_of_http_1_0_get_no_interim_answers() {
    let origin = Origin::new(|mut visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
            visit.send(CONTINUE).send(OK);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = gateway.connect();
        client.send(format!(
            "POST / HTTP/1.0\r\nHost: a\r\n{expect}Content-Length: 2\r\n\r\nab"
        ));
        assert_eq!(client.response().status(), 200, "{expect:?}");
    }
}

#[test]
fn a_100_that_nobody_asked_for_is_dropped() {
    let origin = Origin::answering(format!("{CONTINUE}{OK}"));
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    for _ in 0..2 {
        assert_eq!(client.send(get("/")).response().status(), 200);
    }
}

#[test]
fn a_storm_of_interim_answers_is_502() {
    for interim in ["HTTP/1.1 102 Processing\r\n\r\n", CONTINUE] {
        let origin = Origin::new(move |mut visit| {
            visit.request();
            visit.send_until_held(
                interim.repeat(100).as_bytes(),
                10_000_000,
                Duration::from_secs(1),
            );
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(get("/"));
        let response = loop {
            let response = client.response();
            if response.status() >= 200 {
                break response;
            }
        };
        assert_eq!(response.status(), 502);
    }
}
