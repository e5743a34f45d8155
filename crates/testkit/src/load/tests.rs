//! Answers and failures are counted as what they are.

use super::*;
use std::io::Read as _;
use std::net::TcpListener;

/// Answers so many requests of each connection with these bytes, then closes.
fn server(answer: &'static str, times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut block = [0; 1024];
                for _ in 0..times {
                    if !matches!(stream.read(&mut block), Ok(1..)) {
                        return;
                    }
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    address
}

#[test]
fn answers_are_counted_on_connections_that_stay() {
    let address = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", usize::MAX);
    let load = Load::new().gets(2).posts(1).on(address);
    load.wait_for_answers(50);
    let outcome = load.stop();
    outcome.expect_no_failure();
    assert_eq!(outcome.connections, 3);
    assert!(outcome.answered["GET"] > 0 && outcome.answered["POST"] > 0);
}

#[test]
fn answers_are_remembered_with_their_statuses() {
    let address = server("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", usize::MAX);
    let load = Load::new().gets(1).remembering().on(address);
    load.wait_for_answers(20);
    let outcome = load.stop();
    outcome.expect_no_failure();
    assert_eq!(outcome.connections, 1);
    assert_eq!(outcome.remembered.len() as u64, outcome.answers());
    assert!(outcome.remembered.iter().all(|answer| answer.status == 503));
}

#[test]
fn every_kind_of_failure_is_told_from_the_others() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    for (address, kind) in [
        (nobody.unwrap(), Failure::Connect),
        (server("", 1), Failure::ClosedFresh),
        (
            server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1),
            Failure::ClosedReused,
        ),
        (
            server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 1),
            Failure::CutOff,
        ),
        (
            server("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 1),
            Failure::Status(503),
        ),
    ] {
        let load = Load::new().posts(1).on(address);
        eventually("a failure", || (load.failures() > 0).then_some(()));
        let outcome = load.stop();
        assert_eq!(outcome.failures[0].kind, kind, "{outcome}");
    }
}
