//! Bounds on sizes, to the byte: heads by the codec, bodies by the pipeline, both on the wire.

use std::fmt::Write as _;
use std::sync::mpsc;

use mainstay_pipeline::Enforcement;
use mainstay_values::Size;

use crate::harness::{
    End, Gateway, OK, Origin, Wire, answer, endpoint, get, head_for, head_for_chunks,
};

const LIMIT: usize = 1_000;

/// A gateway in front of `origin` that lets bodies of [`LIMIT`] bytes pass.
fn bounded(origin: &Origin, enforcement: Enforcement) -> Gateway {
    let mut gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, origin.address)]);
    gateway.serve_with(&["api"], move |stages| {
        stages.layers.body.limit = Some(Size::bytes(LIMIT as u64));
        stages.layers.body.enforcement = enforcement;
    });
    gateway
}

fn chunk(length: usize) -> String {
    format!("{length:x}\r\n{}\r\n", "x".repeat(length))
}

/// A head of exactly this many bytes, in fields that are short enough.
fn head_of(length: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nHost: a\r\n", "\r\n");
    let mut fields = String::new();
    let mut left = length - start.len() - end.len();
    while left > 0 {
        let line = if left > 8_000 { 4_000 } else { left };
        let _ = write!(fields, "X: {}\r\n", "x".repeat(line - 5));
        left -= line;
    }
    format!("{start}{fields}{end}")
}

#[test]
fn heads_are_bounded_to_the_byte() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let with_field = |length: usize| {
        // name and value together
        let value = "x".repeat(length - 1);
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")
    };
    let with_fields = |count: usize| {
        let fields = "X: y\r\n".repeat(count - 1);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    let with_target = |length: usize| get(&format!("/{}", "x".repeat(length - 1)));
    for (request, status) in [
        (head_of(32 * 1024), 200),
        (head_of(32 * 1024 + 1), 431),
        (with_field(8 * 1024), 200),
        (with_field(8 * 1024 + 1), 431),
        (with_fields(100), 200),
        (with_fields(101), 431),
        (with_target(8 * 1024), 200),
        (with_target(8 * 1024 + 1), 414),
    ] {
        let mut client = gateway.connect();
        let found = client.send(&request).response();
        let start = &request[..40];
        assert_eq!(found.status(), status, "{} bytes: {start}", request.len());
        assert_eq!(found.says_close(), status != 200);
    }
}

#[test]
fn an_announced_body_that_is_too_large_is_refused_before_it_comes() {
    let origin = Origin::answering(OK);
    let gateway = bounded(&origin, Enforcement::Enforce);
    let expecting = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        LIMIT + 1
    );
    for head in [head_for("POST", LIMIT * 1_000), expecting] {
        let mut client = gateway.connect();
        // the first answer is the last word: no 100 comes before it
        let refused = client.send(&head).response().expect(413);
        assert!(refused.says_close(), "{refused:?}");
        assert_ne!(client.expect_end(), End::Open);
    }
    assert!(gateway.logged("body_too_large").contains("\"status\":413"));
    assert_eq!(origin.connections(), 0);
}

#[test]
fn one_that_is_there_already_costs_its_connection_nothing() {
    let origin = Origin::answering(OK);
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    client
        .send(head_for("POST", LIMIT + 1))
        .send("x".repeat(LIMIT + 1));
    let refused = client.response().expect(413);
    assert!(!refused.says_close(), "{refused:?}");
    client.send(head_for("POST", LIMIT)).send("x".repeat(LIMIT));
    client.response().expect(200);
}

#[test]
fn a_body_of_unknown_length_is_refused_where_it_exceeds_the_bound() {
    let (told, seen) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        let head = visit.head().expect("a head");
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        let _ = told.send(visit.read_to_end());
    });
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    client.send(head_for_chunks("POST")).send(chunk(LIMIT));
    client.send(chunk(1));
    let refused = client.response().expect(413);
    assert!(refused.says_close());
    let (body, end) = seen.recv().expect("the origin was asked");
    assert_ne!(end, End::Open);
    assert!(
        !body.ends_with("0\r\n\r\n"),
        "the origin took it for a whole request"
    );
    assert!(body.len() < LIMIT + 20, "more than the bound reached it");
    assert!(gateway.logged("body_too_large").contains("\"status\":413"));
}

#[test]
fn exactly_the_bound_passes() {
    let origin = Origin::answering(OK);
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    client.send(head_for("POST", LIMIT)).send("x".repeat(LIMIT));
    client.response().expect(200);
    client.send(head_for_chunks("POST"));
    client
        .send(chunk(LIMIT - 1))
        .send(chunk(1))
        .send("0\r\n\r\n");
    client.response().expect(200);
    let lengths: Vec<usize> = origin
        .requests()
        .iter()
        .map(|request| request.body.len())
        .collect();
    assert_eq!(lengths, [LIMIT, LIMIT]);
}

/// A client that sends on blindly must still find the answer: a connection that is closed on unread bytes is reset,
/// and the reset may overtake it.
#[test]
fn who_sends_on_regardless_still_reads_the_refusal() {
    let origin = Origin::answering(OK);
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    let length = 4 * 1024 * 1024;
    client
        .send(head_for("POST", length))
        .send("x".repeat(length));
    client.response().expect(413);
}

#[test]
fn an_answer_that_had_begun_is_visibly_broken() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        visit.read_to_end();
    });
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    client.send(head_for_chunks("POST")).send(chunk(1));
    assert_eq!(client.response_head().status(), 200);
    client.send(chunk(LIMIT));
    let (rest, end) = client.read_to_end();
    assert_ne!(end, End::Open);
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[test]
fn a_dry_run_lets_everything_pass_and_says_what_it_would_have_done() {
    let origin = Origin::answering(OK);
    let gateway = bounded(&origin, Enforcement::DryRun);
    let announced = |client: &mut Wire| {
        client
            .send(head_for("POST", LIMIT + 1))
            .send("x".repeat(LIMIT + 1));
    };
    let chunked = |client: &mut Wire| {
        client
            .send(head_for_chunks("POST"))
            .send(chunk(LIMIT + 1))
            .send("0\r\n\r\n");
    };
    for send in [announced as fn(&mut Wire), chunked] {
        let mut client = gateway.connect();
        send(&mut client);
        client.response().expect(200);
        let line = gateway.logged("\"dry_run\":\"body_too_large\"");
        assert!(line.contains("\"status\":200"), "{line}");
    }
}

#[test]
fn a_second_attempt_is_bounded_as_the_first_was() {
    let origin = Origin::new(|mut visit| {
        // takes the first piece, and closes without a word the first time
        visit.head();
        visit.bytes(chunk(10).len());
        if visit.number > 0 {
            visit.read_to_end();
            visit.send(answer("200 OK", "late"));
        }
    });
    let gateway = bounded(&origin, Enforcement::Enforce);
    let mut client = gateway.connect();
    client.send(head_for_chunks("PUT")).send(chunk(10));
    client.send(chunk(LIMIT - 10)).send(chunk(1));
    assert_eq!(client.response().status(), 413);
}
