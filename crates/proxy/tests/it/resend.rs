//! The resend rule: anything of which no byte was written; what may be repeated, once; nothing else.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use mainstay_testkit::eventually;

use crate::harness::{
    Ending, Gateway, OK, Origin, answer, endpoint, get, head_for, head_for_chunks, with_body,
};

/// Closes the first `count` connections after it read `request` on them, and answers afterwards.
fn closing(count: usize) -> Origin {
    Origin::new(move |mut visit| {
        while visit.request().is_some() {
            if visit.number < count {
                return;
            }
            visit.send(OK);
        }
    })
}

#[test]
fn what_nobody_was_asked_is_asked_of_another() {
    let origin = Origin::answering(OK);
    for request in [
        get("/"),
        with_body("POST", "ab"),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".to_owned(),
    ] {
        for _ in 0..8 {
            let members = [endpoint(0, Origin::nowhere()), endpoint(1, origin.address)];
            let gateway = Gateway::with(|_| {}).before(&members);
            let response = gateway.ask(&request);
            assert_eq!(response.status(), 200, "{request:?}: {response:?}");
        }
    }
}

#[test]
fn nobody_there_is_502() {
    let gateway = Gateway::with(|_| {}).before(&[endpoint(0, Origin::nowhere())]);
    gateway.ask(get("/")).expect(502);
}

#[test]
fn a_get_that_was_asked_and_got_nothing_is_asked_once_more() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let origin = closing(1);
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response_head().status(), 200, "{method}");
        assert_eq!(origin.requests().len(), 2, "{method}");
        assert_eq!(gateway.counters.resends.get(), 1);
    }
}

#[test]
fn a_get_is_asked_twice_at_the_most() {
    let origin = closing(usize::MAX);
    let gateway = Gateway::before(&[&origin]);
    gateway.ask(get("/")).expect(502);
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_get_that_met_a_dying_worker_twice_is_asked_of_its_successor() {
    let (dying, successor) = (closing(usize::MAX), Origin::answering(OK));
    let gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, dying.address)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("two attempts", || {
        (dying.requests().len() == 2).then_some(())
    });
    gateway.set_members(&[endpoint(1, successor.address)]);
    client.response().expect(200);
    assert_eq!((dying.requests().len(), successor.requests().len()), (2, 1));
}

#[test]
fn a_request_that_nobody_survives_is_asked_of_two_workers_at_the_most() {
    let (first, second) = (closing(usize::MAX), closing(usize::MAX));
    let gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, first.address)]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("two attempts", || {
        (first.requests().len() == 2).then_some(())
    });
    gateway.set_members(&[endpoint(1, second.address)]);
    client.response().expect(502);
    assert_eq!((first.requests().len(), second.requests().len()), (2, 1));
}

#[test]
fn a_worker_that_breaks_off_and_lives_is_asked_twice() {
    let origin = closing(usize::MAX);
    let gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, origin.address)]);
    gateway.ask(get("/")).expect(502);
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_post_that_was_asked_is_not_asked_again() {
    for method in ["POST", "PATCH", "PURGE"] {
        let origin = closing(1);
        let gateway = Gateway::before(&[&origin]);
        gateway.ask(with_body(method, "ab")).expect(502);
        assert_eq!(origin.requests().len(), 1, "{method}");
    }
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    let origin = Origin::new(|mut visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nCont");
        }
    });
    let gateway = Gateway::before(&[&origin]);
    gateway.ask(get("/")).expect(502);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_reset_counts_as_a_close() {
    let origin = Origin::new(|mut visit| {
        while visit.request().is_some() {
            if visit.number == 0 {
                return visit.reset();
            }
            visit.send(OK);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    gateway.ask(get("/")).expect(200);
}

/// Reads so much of a body and hangs up the first time; answers with the body's length afterwards.
fn hanging_up_in_the_body(after: usize) -> Origin {
    Origin::new(move |mut visit| {
        if visit.number == 0 {
            visit.head();
            visit.skip(after);
            return;
        }
        while let Some(request) = visit.request() {
            assert_eq!(request.ending, Ending::Whole);
            visit.send(answer("200 OK", &request.body.len().to_string()));
        }
    })
}

#[test]
fn a_short_streamed_body_is_replayed_whole() {
    let origin = hanging_up_in_the_body(30_000);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client
        .send(head_for("PUT", 60_000))
        .send("a".repeat(30_000));
    // the second half only once the second attempt has begun
    eventually("a second attempt", || {
        (origin.connections() == 2).then_some(())
    });
    client.send("b".repeat(30_000));
    assert_eq!(client.response().expect(200).text(), "60000");
    let body = &origin.requests()[0].body;
    assert!(body[..30_000].iter().all(|byte| *byte == b'a'));
    assert!(body[30_000..].iter().all(|byte| *byte == b'b'));
}

#[test]
fn a_short_chunked_body_is_replayed_whole() {
    let origin = hanging_up_in_the_body(5);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(head_for_chunks("PUT")).send("5\r\nhello\r\n");
    eventually("a second attempt", || {
        (origin.connections() == 2).then_some(())
    });
    client.send("6\r\n world\r\n0\r\n\r\n");
    assert_eq!(client.response().expect(200).text(), "11");
    assert_eq!(origin.requests()[0].text(), "hello world");
}

#[test]
fn a_long_body_is_not_replayed() {
    let origin = hanging_up_in_the_body(100_000);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client
        .send(head_for("PUT", 200_000))
        .send("a".repeat(100_000));
    client.response().expect(502);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_budget_bounds_a_storm() {
    const REQUESTS: usize = 400;
    let origin = closing(usize::MAX);
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    for _ in 0..REQUESTS {
        client.send(get("/")).response().expect(502);
    }
    let asked = origin.requests().len();
    let most = REQUESTS + 200 + REQUESTS / 5 + 1;
    assert!(
        asked > REQUESTS && asked <= most,
        "{REQUESTS} requests became {asked}"
    );
}

/// Fills the pool with `count` idle connections that the origin then closes.
fn gone_idle(count: usize) -> (Origin, Gateway) {
    let (together, is_first) = (Arc::new(Barrier::new(count)), Arc::new(AtomicUsize::new(0)));
    let origin = Origin::new(move |mut visit| {
        while visit.request().is_some() {
            // the first answers come only when all have asked, so that all need connections
            if is_first.fetch_add(1, SeqCst) < count {
                together.wait();
            }
            visit.send(OK);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut clients: Vec<_> = (0..count).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(get("/"));
    }
    for client in &mut clients {
        client.response().expect(200);
    }
    assert_eq!(origin.connections(), count);
    origin.close_all();
    (origin, gateway)
}

#[test]
fn connections_that_were_closed_while_idle_cost_a_get_nothing() {
    let (_origin, gateway) = gone_idle(4);
    gateway.ask(get("/")).expect(200);
}

#[test]
fn connections_that_were_closed_while_idle_cost_a_post_nothing() {
    let (_origin, gateway) = gone_idle(4);
    gateway.ask(with_body("POST", "ab")).expect(200);
}
