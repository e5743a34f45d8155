//! Requests that two readers could read in two ways: refused, closed, and never seen by an origin.

use std::sync::{Mutex, mpsc};

use crate::harness::{End, Gateway, OK, Origin, answer, get};

/// Refused with this status, closed, and nothing of it reached the origin.
#[track_caller]
fn expect_refused(request: &str, statuses: &[u16]) {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(request).send(get("/smuggled"));
    let response = client.response();
    assert!(
        statuses.contains(&response.status()) && response.says_close(),
        "{request:?}: {response:?}"
    );
    assert_ne!(client.expect_end(), End::Open, "{request:?}");
    let seen = origin.requests();
    assert!(seen.is_empty(), "{request:?} reached the origin: {seen:?}");
}

#[test]
fn ambiguous_heads_are_refused_and_the_connection_is_closed() {
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 2\r\n\r\nab",
            400,
        ),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ] {
        expect_refused(head, &[status, 501]);
    }
}

#[test]
fn what_is_too_long_is_refused_by_its_name() {
    let long = "a".repeat(40_000);
    expect_refused(
        &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        &[414, 431],
    );
    expect_refused(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
        &[431],
    );
    let many = "X: 1\r\n".repeat(200);
    expect_refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), &[431]);
}

#[test]
fn connect_is_not_forwarded_and_h2c_is_not_agreed_to() {
    expect_refused(
        "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n",
        &[405],
    );
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let refused = gateway
        .ask("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n")
        .expect(405);
    let allowed = refused.field("allow").expect("what is allowed instead");
    assert!(
        allowed.contains("GET") && !allowed.contains("CONNECT"),
        "{allowed}"
    );
    gateway
        .ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
        .expect(200);
    let request = &origin.requests()[0];
    for name in ["upgrade", "http2-settings"] {
        assert_eq!(request.field(name), None, "{request:?}");
    }
}

#[test]
fn bad_chunking_is_refused_and_the_origin_never_sees_a_whole_request() {
    for body in [
        "0x2\r\nab\r\n0\r\n\r\n",
        "+2\r\nab\r\n0\r\n\r\n",
        "2_0\r\nab\r\n0\r\n\r\n",
        " 2\r\nab\r\n0\r\n\r\n",
        "2 \r\nab\r\n0\r\n\r\n",
        "2\nab\r\n0\r\n\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "2\r\nab0\r\n\r\n",
        "10000000000000000\r\nab\r\n0\r\n\r\n",
        "-1\r\nab\r\n0\r\n\r\n",
        "2;a\nb\r\nab\r\n0\r\n\r\n",
        "2\r\nab\r\n0\r\nX: 1\n\r\n",
        "\r\n",
        "2\r\nabGET /smuggled HTTP/1.1\r\n\r\n",
        &format!("2;{}\r\nab\r\n0\r\n\r\n", "a".repeat(20_000)),
        &"1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(2_000),
        &format!("2\r\nab\r\n0\r\nX: {}\r\n\r\n", "a".repeat(20_000)),
    ] {
        let origin = Origin::answering(OK);
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client
            .send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n")
            .send(body)
            .send(get("/smuggled"));
        let response = client.response().expect(400);
        assert!(response.says_close(), "{body:?}: {response:?}");
        client.expect_end();
        let whole: Vec<_> = origin
            .requests()
            .into_iter()
            .filter(|request| request.ending == crate::harness::Ending::Whole)
            .collect();
        assert!(whole.is_empty(), "{body:?}: {whole:?}");
    }
}

#[test]
fn an_upgrade_that_is_not_quite_one_hides_no_request_in_its_body() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
    for head in [
        format!(
            "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {}\r\n\r\n",
            smuggled.len()
        ),
        format!(
            "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nContent-Length: {}\r\n\r\n",
            smuggled.len()
        ),
    ] {
        let origin = Origin::answering(OK);
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(&head).send(smuggled);
        let _ = client.response();
        client.half_close().read_to_end();
        let lines: Vec<_> = origin
            .requests()
            .into_iter()
            .map(|request| request.start)
            .collect();
        assert!(
            !lines.iter().any(|line| line.contains("smuggled")),
            "{head:?}: {lines:?}"
        );
    }
}

#[test]
fn a_body_with_a_real_upgrade_is_refused() {
    expect_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 2\r\n\r\nab",
        &[400],
    );
}

#[test]
fn an_unknown_expectation_is_417() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\n");
    assert!(client.response().expect(417).says_close());
    assert!(origin.requests().is_empty());
}

#[test]
fn an_expectation_in_disguise_is_refused_and_its_body_is_no_request() {
    for (field, statuses) in [
        ("Expect: 100-continue, x", &[417]),
        ("Expect: x, 100-continue", &[417]),
        ("Expect: \"100-continue\"", &[417]),
        ("Expect:", &[417]),
        ("Expect: 100-continue\r\nExpect: x", &[417]),
        ("Expect : 100-continue", &[400]),
        ("Expect: 100-continue\x0b", &[400]),
        ("Expect:\r\n 100-continue", &[400]),
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\nContent-Length: 2\r\n\r\n");
        expect_refused(&request, statuses);
    }
}

#[test]
fn what_an_origin_garbles_is_502_and_its_connection_is_not_used_again() {
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    for garbage in [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        &huge,
    ] {
        let bytes = garbage.to_owned();
        let origin = Origin::new(move |mut visit| {
            while visit.request().is_some() {
                if visit.number == 0 {
                    visit.send(&bytes);
                } else {
                    visit.send(answer("200 OK", "good"));
                }
            }
        });
        let gateway = Gateway::before(&[&origin]);
        let shown = &garbage[..garbage.len().min(80)];
        let response = gateway.ask(get("/"));
        assert_eq!(response.status(), 502, "{shown:?}: {response:?}");
        assert!(!response.text().contains("garbage"));
        gateway.ask(get("/")).expect(200);
        assert_eq!(origin.connections(), 2, "{shown:?}");
    }
}

#[test]
fn bytes_behind_an_answer_reach_nobody() {
    let evil = answer("200 OK", "evil");
    for together in [true, false] {
        let (evil, (told, was_sent)) = (evil.clone(), mpsc::channel());
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let origin = Origin::new(move |mut visit| {
            while visit.request().is_some() {
                if visit.number > 0 {
                    visit.send(answer("200 OK", "good"));
                } else if together {
                    visit.send(format!("{OK}{evil}"));
                    let _ = told.send(());
                } else {
                    visit.send(OK);
                    let _ = gone.lock().expect("one at a time").recv();
                    visit.send(&evil);
                    let _ = told.send(());
                }
            }
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        assert_eq!(client.send(get("/")).response().expect(200).text(), "ok");
        let _ = go.send(());
        was_sent.recv().expect("the origin answered");
        for _ in 0..3 {
            let response = client.send(get("/")).response();
            assert_ne!(response.text(), "evil", "together: {together}");
        }
    }
}
