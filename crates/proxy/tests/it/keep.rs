//! Connections that carry one message after another, each in step with the last.

use std::sync::mpsc;
use std::time::Duration;

use mainstay_testkit::eventually;

use crate::harness::{End, Ending, Gateway, OK, Origin, answer, get, head_for_chunks, with_body};

/// Answers with the request's line and body.
fn echo() -> Origin {
    Origin::new(|mut visit| {
        while let Some(request) = visit.request() {
            visit.send(answer(
                "200 OK",
                &format!("{} {}", request.start, request.text()),
            ));
        }
    })
}

#[test]
fn a_hundred_requests_in_one_write_are_answered_in_order() {
    let origin = echo();
    let gateway = Gateway::before(&[&origin]);
    let all: String = (0..100)
        .map(|number| {
            if number % 3 == 0 {
                with_body("POST", &format!("body {number}"))
            } else {
                get(&format!("/{number}"))
            }
        })
        .collect();
    let mut client = gateway.connect();
    client.send(all);
    for number in 0..100 {
        let text = client.response().expect(200).text();
        let wanted = if number % 3 == 0 {
            format!("POST / HTTP/1.1 body {number}")
        } else {
            format!("GET /{number} HTTP/1.1 ")
        };
        assert_eq!(text, wanted);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn messages_without_a_body_leave_the_connection_in_step() {
    for (request, head) in [
        ("HEAD", "200 OK\r\nContent-Length: 1234"),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked"),
        ("GET", "204 No Content"),
        (
            "GET",
            "304 Not Modified\r\nContent-Length: 1234\r\nETag: \"a\"",
        ),
        ("GET", "200 OK\r\nContent-Length: 0"),
    ] {
        let bytes = format!("HTTP/1.1 {head}\r\n\r\n");
        let origin = Origin::new(move |mut visit| {
            while let Some(request) = visit.request() {
                visit.send(if request.start.contains("/next") {
                    OK.as_bytes()
                } else {
                    bytes.as_bytes()
                });
            }
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(format!("{request} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response_head();
        assert!(
            head.starts_with(&response.status().to_string()),
            "{response:?}"
        );
        if head.contains("1234") {
            assert_eq!(response.field("content-length"), Some("1234"), "{head}");
        }
        assert_eq!(
            client.send(get("/next")).response().expect(200).text(),
            "ok"
        );
        assert_eq!(origin.connections(), 1, "{request} {head}");
    }
}

#[test]
fn our_own_answer_to_head_has_a_length_and_no_body() {
    let gateway = Gateway::with(|_| {}).before(&[]);
    let mut client = gateway.connect();
    client.send("HEAD /.mainstay/live HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_head();
    assert!(
        head.field("content-length")
            .is_some_and(|length| length != "0")
    );
    client.send(get("/.mainstay/live")).response().expect(200);
}

#[test]
fn trailers_pass_both_ways() {
    let origin = Origin::new(|mut visit| {
        while visit.request().is_some() {
            visit.send(
                "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nok\r\n0\r\nx-sum: 2\r\n\r\n",
            );
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client
        .send(head_for_chunks("POST"))
        .send("5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n");
    let response = client.response().expect(200);
    assert_eq!(response.trailers, [("x-sum".to_owned(), "2".to_owned())]);
    let request = &origin.requests()[0];
    assert_eq!(request.trailers, [("x-sum".to_owned(), "5".to_owned())]);
    // in step
    client.send(get("/")).response().expect(200);
}

#[test]
fn trailers_speak_of_no_client() {
    let origin = echo();
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    for (trailers, passed) in [
        (
            "x-sum: 5\r\nX-Forwarded-For: 203.0.113.9\r\nX-Request-Id: mine\r\n",
            Some("5"),
        ),
        (
            "True-Client-IP: 203.0.113.9\r\nX-Original-Host: b\r\n",
            None,
        ),
    ] {
        client
            .send(head_for_chunks("POST"))
            .send(format!("5\r\nhello\r\n0\r\n{trailers}\r\n"))
            .response()
            .expect(200);
        let requests = origin.requests();
        let request = requests.last().expect("a request");
        let trailers: Vec<_> = request
            .trailers
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(trailers, passed.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn old_clients_and_closing_ones_are_told_what_becomes_of_the_connection() {
    let origin = echo();
    let gateway = Gateway::before(&[&origin]);
    for (head, keeps) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            false,
        ),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", false),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
            true,
        ),
    ] {
        let mut client = gateway.connect();
        let response = client.send(head).response().expect(200);
        assert_eq!(response.says_close(), !keeps, "{head:?}");
        if keeps {
            client.send(head).response().expect(200);
        } else {
            assert_eq!(client.expect_end(), End::Closed);
        }
    }
}

#[test]
fn an_origins_connection_is_used_again_only_if_it_stays_good() {
    for (head, connections) in [
        ("HTTP/1.1 200 OK\r\n", 1),
        ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n", 1),
        ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\n", 2),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n", 2),
        ("HTTP/1.0 200 OK\r\n", 2),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", 2),
    ] {
        let origin = Origin::answering(format!("{head}Content-Length: 2\r\n\r\nok"));
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        for _ in 0..2 {
            let response = client.send(get("/")).response().expect(200);
            assert_eq!(response.field("keep-alive"), None);
        }
        assert_eq!(origin.connections(), connections, "{head:?}");
    }
}

#[test]
fn idle_connections_are_closed_before_the_origin_would() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send(OK);
        let _ = told.send(visit.read_to_end().1);
    });
    let gateway = Gateway::with(|options| {
        options.upstream.idle = Duration::from_millis(300);
    })
    .before(&crate::harness::endpoints(&[&origin]));
    gateway.ask(get("/")).expect(200);
    assert_eq!(ended.recv().expect("the origin waits"), End::Closed);
}

#[test]
fn events_are_passed_on_at_once() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for _ in 0..3 {
            visit.send("data: 1\n\n");
            let _ = gone.lock().expect("one at a time").recv();
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    client.response_head();
    for _ in 0..3 {
        assert_eq!(client.bytes(14), "9\r\ndata: 1\n\n\r\n");
        go.send(()).expect("the origin waits");
    }
    assert_eq!(client.bytes(5), "0\r\n\r\n");
}

#[test]
fn a_body_is_framed_anew_for_the_origin() {
    let origin = echo();
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client
        .send(head_for_chunks("POST"))
        .send("5;ext=1\r\nhello\r\n006\r\n world\r\n0\r\n\r\n");
    client.response().expect(200);
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        .response()
        .expect(200);
    let requests = origin.requests();
    assert_eq!(requests[0].text(), "hello world");
    assert_eq!(requests[0].ending, Ending::Whole);
    assert_eq!(requests[1].field("content-length"), Some("0"));
}

#[test]
fn fields_of_one_connection_stay_on_it() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
    );
    let gateway = Gateway::before(&[&origin]);
    let response = gateway
        .ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-yours, x-forwarded-for\r\nX-Yours: 1\r\nTE: trailers, gzip\r\nX-Forwarded-For: 1.2.3.4\r\nX_Forwarded_For: 1.2.3.4\r\n\r\n")
        .expect(200);
    assert_eq!(
        (response.field("x-mine"), response.field("keep-alive")),
        (None, None)
    );
    let request = &origin.requests()[0];
    assert_eq!(request.field("x-yours"), None);
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x_forwarded_for"), None);
    assert_eq!(request.field("te"), Some("trailers"));
    // RFC 9110, 10.1.4: whoever sends TE names it in Connection
    assert!(
        request
            .field("connection")
            .is_some_and(|options| options.to_ascii_lowercase().contains("te")),
        "{request:?}"
    );
}

/// Proxies overwrite the usual spelling; what came through them in another one is the client's own word, and
/// some servers read both as one variable.
#[test]
fn another_spelling_is_not_believed_of_a_trusted_proxy_either() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::with(|_| {})
        .trusting("loopback")
        .before(&crate::harness::endpoints(&[&origin]));
    gateway
        .ask("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX_Forwarded_For: 192.0.2.66\r\nX_Real_IP: 192.0.2.66\r\n\r\n")
        .expect(200);
    let request = &origin.requests()[0];
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.1"));
    let values: Vec<_> = request.fields.iter().map(|(_, value)| value).collect();
    assert!(
        !values.iter().any(|value| value.contains("192.0.2.66")),
        "{request:?}"
    );
}

#[test]
fn a_connection_that_stays_silent_is_closed_without_a_word() {
    let gateway = Gateway::with(|options| {
        options.client.keep_alive = Duration::from_millis(300);
    })
    .before(&[]);
    assert_eq!(gateway.connect().expect_end(), End::Closed);
    eventually("the connection's end", || {
        (gateway.open_connections() == 0).then_some(())
    });
}
