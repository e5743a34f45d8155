//! What an upstream is told, and what of it a client may not decide.

use mainstay_testkit::{Mainstay, Origin, Received, Running};

fn behind(origin: &Origin) -> Running {
    Mainstay::in_front_of(&origin.address()).start()
}

fn values<'a>(request: &'a Received, name: &str) -> Vec<&'a str> {
    let fields = request
        .head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'));
    fields
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

#[test]
fn the_client_is_named_and_the_hop_is_counted() {
    let origin = Origin::says("hello").start();
    let mainstay = behind(&origin);
    mainstay
        .get_with("/x?y=1", [("Host", "shop.example")])
        .expect(200)
        .body_is("hello");
    let request = &origin.received()[0];
    assert!(
        request.head.starts_with("GET /x?y=1 HTTP/1.1\r\n"),
        "{}",
        request.head
    );
    assert_eq!(values(request, "Host"), ["shop.example"]);
    assert_eq!(values(request, "X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(values(request, "X-Forwarded-Proto"), ["http"]);
    assert_eq!(values(request, "X-Forwarded-Host"), ["shop.example"]);
    for name in ["X-Request-Id", "X-Request-Start", "X-Forwarded-Port", "Via"] {
        assert_eq!(
            values(request, name).len(),
            1,
            "{name} in\n{}",
            request.head
        );
    }
}

#[test]
fn what_an_untrusted_peer_claims_is_dropped_in_every_spelling() {
    let origin = Origin::says("hello").start();
    let mainstay = behind(&origin);
    let forged = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("x_forwarded_for", "203.0.113.9"),
        ("X-FORWARDED-PROTO", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("X-Request-Id", "chosen-by-the-client"),
    ];
    mainstay.get_with("/", forged).expect(200);
    let head = origin.received()[0].head.clone();
    for word in ["203.0.113.9", "evil.example", "chosen-by-the-client"] {
        assert!(!head.contains(word), "`{word}` came through:\n{head}");
    }
}

#[test]
fn connection_headers_end_here() {
    let origin = Origin::says("hello").start();
    let mainstay = behind(&origin);
    mainstay.request(
        "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close, X-Secret-Hop\r\nX-Secret-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nX-Stays: yes\r\n\r\n",
    )
    .expect(200);
    let request = &origin.received()[0];
    for name in ["X-Secret-Hop", "Keep-Alive", "Proxy-Connection"] {
        assert_eq!(values(request, name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(values(request, "X-Stays"), ["yes"]);
}

#[test]
fn a_loop_is_refused_and_two_in_a_row_are_fine() {
    let origin = Origin::says("hello").start();
    let inner = behind(&origin);
    let outer = Mainstay::in_front_of(&inner.address().to_string()).start();
    outer.get("/").expect(200).body_is("hello");
    let request = &origin.received()[0];
    let via = values(request, "Via").join(", ");
    assert_eq!(via.split(',').count(), 2, "{via}");
    // Whoever sends back what came out of it, with its name in it, has built a loop.
    inner.get_with("/", [("Via", via.as_str())]).expect(508);
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n3\r\nabc\r\n0\r\nSum: 7\r\n\r\n";
    let origin = Origin::answers(answer).start();
    let mainstay = behind(&origin);
    let response = mainstay
        .request("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        .expect(200)
        .body_is("abc");
    assert_eq!(response.trailers, [("sum".to_owned(), "7".to_owned())]);
    assert!(String::from_utf8_lossy(&origin.received()[0].body).contains("hello"));
}

#[test]
fn a_head_request_has_no_body_to_read() {
    let origin = Origin::answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").start();
    let mainstay = behind(&origin);
    let mut wire = mainstay.connect();
    for _ in 0..2 {
        wire.send("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .response_to_head()
            .expect(200)
            .header_is("Content-Length", "5");
    }
}

#[test]
fn early_hints_are_passed_on() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    let origin = Origin::answers(format!(
        "{hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ))
    .start();
    let mainstay = behind(&origin);
    let mut wire = mainstay.connect();
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    wire.response()
        .expect(103)
        .header_is("Link", "</a.css>; rel=preload");
    wire.response().expect(200).body_is("ok");
}
