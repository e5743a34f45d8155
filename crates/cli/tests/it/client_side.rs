//! HTTP/1.1 as clients speak it, well and badly.

use std::time::Duration;

use mainstay_testkit::{Mainstay, Origin, Running, patience};

struct House {
    mainstay: Running,
    origin: Origin,
}

fn house() -> House {
    let origin = Origin::says("hello").start();
    House {
        mainstay: Mainstay::in_front_of(&origin.address()).start(),
        origin,
    }
}

#[test]
fn keep_alive_and_pipelining_keep_the_order() {
    let house = house();
    let mut wire = house.mainstay.connect();
    for number in 0..5 {
        wire.send(format!("GET /{number} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    }
    for _ in 0..5 {
        wire.response().expect(200).body_is("hello");
    }
    let paths: Vec<_> = house
        .origin
        .received()
        .iter()
        .map(|request| request.head[..6].to_owned())
        .collect();
    assert_eq!(paths, ["GET /0", "GET /1", "GET /2", "GET /3", "GET /4"]);
}

#[test]
fn http_1_0_clients_get_what_they_understand() {
    let house = house();
    let mut wire = house.mainstay.connect();
    wire.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
    wire.response()
        .expect(200)
        .body_is("hello")
        .header_absent("Transfer-Encoding");
    assert!(wire.is_closed_eventually());
}

#[test]
fn a_half_closed_client_is_answered() {
    let house = house();
    let mut wire = house.mainstay.connect();
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .half_close();
    wire.response().expect(200).body_is("hello");
}

#[test]
fn whoever_expects_100_continue_gets_it() {
    let house = house();
    let mut wire = house.mainstay.connect();
    wire.send(
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    wire.response().expect(100);
    wire.send("ok").response().expect(200);
    assert_eq!(house.origin.received()[0].body, b"ok");
}

#[test]
fn framing_that_two_parties_could_read_differently_is_refused_and_closed() {
    let house = house();
    for (status, request) in [
        (
            400,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        ),
        (400, "GET / HTTP/1.1\nHost: a\n\n"),
        (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ] {
        let mut wire = house.mainstay.connect();
        let response = wire.send(request).response();
        assert_eq!(
            response.status(),
            status,
            "{request:?} got\n{}",
            response.head
        );
        assert!(wire.is_closed_eventually(), "{request:?}");
    }
    assert_eq!(
        house.origin.received().len(),
        0,
        "none of it may reach an app"
    );
}

#[test]
fn a_coding_that_nobody_speaks_is_refused_and_closed() {
    let house = house();
    let mut wire = house.mainstay.connect();
    let response = wire
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")
        .response();
    assert!(matches!(response.status(), 400 | 501), "{}", response.head);
    assert!(wire.is_closed_eventually());
}

#[test]
fn heads_have_a_bound() {
    let house = house();
    let target = "x".repeat(100_000);
    house
        .mainstay
        .request(format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .expect(414);
    house
        .mainstay
        .request(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {target}\r\n\r\n"))
        .expect(431);
    let many = "X: y\r\n".repeat(5_000);
    house
        .mainstay
        .request(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"))
        .expect(431);
}

#[test]
fn a_slow_head_holds_nobody_else_up() {
    let house = house();
    let mut slow = house.mainstay.connect();
    slow.send("GET / HTTP/1.1\r\nHo");
    for _ in 0..20 {
        house.mainstay.get("/").expect(200);
    }
    assert!(slow.is_silent_for(Duration::from_millis(50).min(patience())));
    slow.send("st: a.example\r\n\r\n").response().expect(200);
}

#[test]
fn large_bodies_pass_both_ways() {
    let mainstay = Mainstay::run("server.js").app("node-http").start();
    let body: Vec<u8> = (0..20_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    mainstay
        .post("/", [], &body[..3_000_000])
        .expect(200)
        .body_is(&body[..3_000_000]);
}
