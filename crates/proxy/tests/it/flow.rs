//! Bodies of any size through little memory: whoever produces is held while nobody consumes.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use mainstay_pipeline::{Frame, hand_off};

use crate::harness::{Gateway, OK, Origin, get, head_for, head_for_chunks};

const LENGTH: usize = 64 * 1024 * 1024;
/// What the kernel may hold of a connection at both of its ends, and the gateway between two.
const HELD: usize = 40 * 1024 * 1024;
const LULL: Duration = Duration::from_millis(500);

#[test]
fn an_upload_is_held_while_the_origin_does_not_read() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.head();
        let _ = gone.lock().expect("one at a time").recv();
        visit.skip(LENGTH);
        visit.send(OK);
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for("POST", LENGTH));
    let piece = vec![b'x'; 64 * 1024];
    let taken = client.send_until_held(&piece, LENGTH, LULL);
    assert!(taken < HELD, "{taken} bytes were taken for nobody");
    go.send(()).expect("the origin waits");
    client.send(vec![b'x'; LENGTH - taken]);
    client.response().expect(200);
}

#[test]
fn a_download_is_held_while_the_client_does_not_read() {
    let (told, held) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.request();
        visit.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"
        ));
        let piece = vec![b'x'; 64 * 1024];
        let taken = visit.send_until_held(&piece, LENGTH, LULL);
        let _ = told.send(taken);
        visit.send(vec![b'x'; LENGTH - taken]);
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    client.response_head();
    let taken = held.recv().expect("the origin is held");
    assert!(taken < HELD, "{taken} bytes were taken for nobody");
    client.skip(LENGTH);
}

#[test]
fn a_chunked_upload_arrives_as_it_was() {
    const PIECES: usize = 500;
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for_chunks("POST"));
    let mut sum = String::new();
    for number in 0..PIECES {
        let piece = format!("{number}").repeat(number % 97 + 1);
        client.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        sum += &piece;
    }
    client.send("0\r\n\r\n").response().expect(200);
    assert_eq!(origin.requests()[0].text(), sum);
}

#[test]
fn pipelined_requests_are_read_ahead_only_so_far() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        while visit.request().is_some() {
            let _ = gone.lock().expect("one at a time").recv();
            visit.send(OK);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/"));
    let ahead = get("/").repeat(1_000);
    let taken = client.send_until_held(ahead.as_bytes(), LENGTH, LULL);
    assert!(taken < HELD / 2, "{taken} bytes were read ahead");
    drop(go);
}

/// What waits costs more than its bytes: a sender of single bytes must not be let in by their sum alone.
#[test]
fn the_smallest_pieces_are_counted_as_what_they_cost() {
    let (mut sender, _frames) = hand_off(None);
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let mut pieces = 0;
    while sender.poll_ready(context).is_ready() && pieces < 1_000_000 {
        sender.send(Frame::Data(Bytes::from_static(b"x")));
        pieces += 1;
    }
    let cost = pieces * size_of::<Frame>();
    assert!(
        cost < 1024 * 1024,
        "{pieces} pieces of a byte each wait in {cost} bytes of memory"
    );
}
