//! The scripted server keeps to its script.

use crate::{Output, Wire};

use super::*;

fn wire(origin: &Origin) -> Wire {
    Wire::connect(origin.address().parse().unwrap(), Output::default())
}

#[test]
fn answers_in_order_and_repeats_the_last() {
    let origin = Origin::says("one")
        .then_answers("HTTP/1.1 204 No Content\r\n\r\n")
        .start();
    let mut wire = wire(&origin);
    wire.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab")
        .response()
        .expect(200)
        .body_is("one");
    wire.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        .response()
        .expect(204);
    wire.response().expect(204);
    assert_eq!(origin.connections(), 1);
    assert_eq!(origin.received()[0].body, b"ab");
}

#[test]
fn a_cut_answer_is_seen_as_broken() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let origin = Origin::answers(cut).then_closes().start();
        wire(&origin)
            .send("GET / HTTP/1.1\r\n\r\n")
            .response()
            .expect_broken()
            .body_is("half");
    }
}

#[test]
fn chunks_and_trailers_are_read() {
    let origin = Origin::answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nSum: 7\r\n\r\n").start();
    let response = wire(&origin)
        .send("GET / HTTP/1.1\r\n\r\n")
        .response()
        .expect(200)
        .body_is("abc");
    assert_eq!(response.trailers, [("Sum".to_owned(), "7".to_owned())]);
}

#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    let origin = Origin::answers("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        .then_closes()
        .early()
        .start();
    wire(&origin)
        .send("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        .response()
        .expect(413);
}

#[test]
fn a_closed_connection_is_noticed() {
    let origin = Origin::closes().start();
    assert!(
        wire(&origin)
            .send("GET / HTTP/1.1\r\n\r\n")
            .is_closed_eventually()
    );
}
