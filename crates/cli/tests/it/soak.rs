//! What only shows after long: brief here, long under `cargo xtask soak`.

use std::time::{Duration, Instant};
use std::{iter, thread};

use mainstay_testkit::{Form, Mainstay, Origin, Wire};

use crate::measure::{held, memory_of_all};
use crate::support::gateway;

mod idle;
mod lives;
mod reloads;

const ECHO: &str =
    "require('http').createServer((request, response) => request.pipe(response)).listen(3000);";

/// Node closes idle connections after five seconds: a request sent just then must not meet a closing door.
#[test]
fn posts_after_five_idle_seconds_never_fail() {
    let mainstay = Mainstay::run("server.js").file("server.js", ECHO).start();
    let rounds = Form::asked().pick(2, 10);
    let mut wires: Vec<_> = iter::repeat_with(|| mainstay.connect()).take(20).collect();
    for round in 0..rounds {
        if round > 0 {
            // The one wait that is the subject itself: the worker's keep-alive timeout.
            thread::sleep(Duration::from_secs(5));
        }
        for (number, wire) in wires.iter_mut().enumerate() {
            let request = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nok";
            let response = wire.send(request).response();
            assert_eq!(
                response.status(),
                200,
                "round {round}, connection {number}\n{}",
                response.head
            );
        }
    }
}

#[test]
fn a_long_upload_and_download_pass_in_constant_memory() {
    let mainstay = Mainstay::run("server.js").file("server.js", ECHO).start();
    let (total, block) = (
        Form::asked().pick(64_u64, 10_240) * 1024 * 1024,
        vec![b'x'; 256 * 1024],
    );
    let before = memory_of_all(&mainstay.descendants());
    let mut wire = mainstay.connect();
    wire.send(format!(
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {total}\r\nConnection: close\r\n\r\n"
    ));
    let mut sender = wire.second_hand();
    let sending = thread::spawn(move || {
        for _ in 0..total / block.len() as u64 {
            sender.send(&block);
        }
    });
    assert!(wire.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
    let received = wire.count_to_end();
    sending.join().unwrap();
    assert!(received >= total, "{received} of {total} bytes came back");
    let grown = memory_of_all(&mainstay.descendants()).saturating_sub(before);
    assert!(
        grown < 200 * 1024,
        "memory of the whole tree grew by {grown} KiB"
    );
}

#[test]
fn load_is_answered_without_a_failure() {
    let app =
        "require('http').createServer((request, response) => response.end('ok')).listen(3000);";
    let mainstay = Mainstay::run("server.js")
        .file("server.js", app)
        .flags(["-n", "2"])
        .start();
    let end = Instant::now() + Duration::from_secs(Form::asked().pick(3, 60));
    thread::scope(|scope| {
        for _ in 0..8 {
            let mut wire = mainstay.connect();
            scope.spawn(move || {
                while Instant::now() < end {
                    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                        .response()
                        .expect(200)
                        .body_is("ok");
                }
            });
        }
    });
}

/// A client that costs a server a connection, and as much else as it can.
type Slow = fn(&mut Wire);

/// Heads that never end, bodies that never end, answers that nobody reads, and silence.
const SLOW: [Slow; 4] = [
    |wire| {
        let field = "x".repeat(7_000);
        wire.send(format!(
            "GET / HTTP/1.1\r\nX-A: {field}\r\nX-B: {field}\r\nX-C: "
        ));
    },
    |wire| {
        let some = "x".repeat(10_000);
        wire.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{some}"
        ));
    },
    |wire| {
        wire.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    },
    |_| {},
];

#[test]
fn slow_clients_of_every_kind_hold_nobody_up_and_cost_little() {
    const LONG: usize = 256 * 1024;
    let answer = |length: usize| {
        let body = "x".repeat(length);
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let origin = Origin::answers(answer(LONG)).start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    let serves = gateway(&mainstay, None);
    mainstay.get("/").expect(200);
    let before = held(serves).expect("it serves").kilobytes;
    let count = Form::asked().pick(400, 4_000);
    let mut slow: Vec<_> = iter::repeat_with(|| mainstay.connect())
        .take(count)
        .collect();
    for (wire, act) in slow.iter_mut().zip(SLOW.iter().cycle()) {
        act(wire);
    }
    for _ in 0..50 {
        mainstay.get("/").expect(200);
    }
    let grown = held(serves).expect("it serves").kilobytes - before;
    // a head of 32 KiB, a body or an answer of 64 KiB under way on both sides, and what holds them
    let bound = count as u64 * 128;
    assert!(grown < bound, "{grown} KiB for {count} slow clients");
    drop(slow);
}
