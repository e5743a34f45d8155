//! Apps that hold a connection open, and apps whose server is not plain HTTP/1.

use mainstay_testkit::Mainstay;

#[test]
fn a_websocket_is_tunnelled() {
    let mainstay = Mainstay::run("server.js").app("websocket").start();
    let mut wire = mainstay.connect();
    wire.send(
        "GET /echo HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let switched = wire.response().expect(101);
    // The accept value for the key of RFC 6455, section 1.3.
    let switched = switched.header_is("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(
        switched
            .header("Upgrade")
            .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    );
    // A masked text frame with the key 0, so that the payload reads as it is.
    wire.send(b"\x81\x82\0\0\0\0hi");
    assert_eq!(wire.read_exactly(9), b"\x81\x07echo hi");
    mainstay.get("/").expect(200).body_contains("websocket");
}

#[test]
fn an_upgrade_that_the_app_does_not_want_stays_a_request() {
    let mainstay = Mainstay::run("server.js").app("node-http").start();
    let answer = mainstay.get_with("/", [("Upgrade", "h2c")]).expect(200);
    answer.body_contains("node-http");
}

#[test]
fn events_pass_at_once() {
    let mainstay = Mainstay::run("server.js").app("streaming").start();
    let mut events = mainstay.connect();
    events.send("GET /events HTTP/1.1\r\nHost: a.example\r\n\r\n");
    events.read_until(": open\n\n");
    for number in 1..=3 {
        // Nothing is written until the one before has arrived: an event that were held back would wait for ever.
        mainstay.get("/next").expect(200);
        events.read_until(&format!("data: {number}\n\n"));
    }
}

#[test]
fn an_https_server_is_refused_with_a_sentence() {
    let ended = Mainstay::run("server.js")
        .app("https-server")
        .finish()
        .expect_failure();
    ended.says(["https"]);
}

#[test]
fn an_http2_server_is_refused_with_a_sentence() {
    let ended = Mainstay::run("server.js")
        .app("http2-server")
        .finish()
        .expect_failure();
    let output = ended.output.to_lowercase();
    assert!(
        output.contains("http2") || output.contains("http/2"),
        "{output}"
    );
}
