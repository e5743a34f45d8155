//! Tunnels: only after the origin agreed, both ways, each way ending by itself.

use std::sync::mpsc;
use std::time::Duration;

use crate::harness::{End, Gateway, OK, Origin, SWITCH, UPGRADE, answer, endpoints, get};

#[test]
fn bytes_pass_both_ways_after_101() {
    let origin = Origin::new(|mut visit| {
        let head = visit.head().expect("a request");
        assert_eq!(head.field("upgrade"), Some("websocket"));
        assert_eq!(head.field("sec-websocket-version"), Some("13"));
        visit.send(SWITCH).send("hello");
        let text = visit.bytes(3);
        visit.send(text.to_uppercase());
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    let head = client.send(UPGRADE).response_head();
    assert_eq!(head.status(), 101);
    assert_eq!(head.field("upgrade"), Some("websocket"));
    assert!(head.field("sec-websocket-accept").is_some());
    assert_eq!(client.bytes(5), "hello");
    assert_eq!(client.send("abc").bytes(3), "ABC");
}

#[test]
fn nothing_is_forwarded_before_101() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::new(move |mut visit| {
        visit.head();
        assert_eq!(visit.end_within(Duration::from_millis(200)), End::Open);
        let _ = gone.lock().expect("one at a time").recv();
        visit.send(SWITCH);
        let text = visit.bytes(5);
        visit.send(text);
        visit.read_to_end();
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(UPGRADE).send("early");
    go.send(()).expect("the origin waits");
    assert_eq!(client.response_head().status(), 101);
    assert_eq!(client.bytes(5), "early");
}

#[test]
fn bytes_behind_a_refused_upgrade_never_reach_the_origin_as_a_tunnel() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            assert!(!head.start.contains("smuggled"), "{head:?}");
            visit.send(answer("403 Forbidden", "no"));
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(UPGRADE).send("\0\0garbage\r\n\r\n");
    client.response().expect(403);
    client.half_close().read_to_end();
}

#[test]
fn a_request_after_a_refused_upgrade_is_answered() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            visit.send(if head.field("upgrade").is_some() {
                answer("401 Unauthorized", "no")
            } else {
                OK.to_owned()
            });
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    let response = client.send(UPGRADE).response().expect(401);
    if response.says_close() {
        client.expect_end();
    } else {
        client.send(get("/")).response().expect(200);
    }
}

#[test]
fn the_clients_end_ends_one_direction_only() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send(SWITCH);
        let (text, end) = visit.read_to_end();
        assert_eq!(end, End::Closed);
        visit.send(format!("you said {text}"));
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    client.send("bye").half_close();
    assert_eq!(
        client.read_to_end(),
        ("you said bye".to_owned(), End::Closed)
    );
}

#[test]
fn the_origins_end_ends_one_direction_only() {
    let (told, heard) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.head();
        visit.send(SWITCH).send("bye").half_close();
        let _ = told.send(visit.read_to_end());
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    assert_eq!(client.read_to_end(), ("bye".to_owned(), End::Closed));
    client.send("last words").half_close();
    let heard = heard.recv().expect("the origin listens to the end");
    assert_eq!(heard.0, "last words");
}

#[test]
fn a_tunnel_moves_much_in_both_directions_at_once() {
    const MUCH: usize = 8 * 1024 * 1024;
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send(SWITCH);
        let mut sender = visit.second_hand();
        let sent = std::thread::spawn(move || {
            sender.send(vec![b'o'; MUCH]).half_close();
        });
        assert_eq!(visit.count_to_end().0, MUCH);
        sent.join().expect("sent");
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    let mut sender = client.second_hand();
    let sent = std::thread::spawn(move || {
        sender.send(vec![b'c'; MUCH]);
    });
    client.skip(MUCH);
    sent.join().expect("sent");
    client.half_close();
    assert_eq!(client.count_to_end(), (0, End::Closed));
}

#[test]
fn a_client_that_vanishes_ends_the_tunnel_at_the_origin() {
    let (told, ended) = mpsc::channel();
    let origin = Origin::new(move |mut visit| {
        visit.head();
        visit.send(SWITCH);
        let _ = told.send(visit.read_to_end().1);
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    client.reset();
    assert_ne!(ended.recv().expect("the origin listens"), End::Open);
}

#[test]
fn a_switch_to_something_else_is_502() {
    let origin = Origin::saying(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    );
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(UPGRADE).response().expect(502);
}

#[test]
fn an_upgrade_on_a_connection_that_was_closed_while_idle_is_sent_again() {
    let origin = Origin::new(|mut visit| {
        while let Some(head) = visit.head() {
            visit.send(if head.field("upgrade").is_some() {
                SWITCH
            } else {
                OK
            });
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    client.send(get("/")).response().expect(200);
    origin.close_all();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
}

#[test]
fn an_origin_that_never_agrees_is_504() {
    let origin = Origin::new(|mut visit| {
        visit.read_to_end();
    });
    let gateway =
        Gateway::with(|options| options.upstream.head_timeout = Duration::from_millis(300))
            .before(&endpoints(&[&origin]));
    gateway.ask(UPGRADE).expect(504);
}

/// Most origins do not end one direction, they close; and not every client closes in return.
#[test]
fn a_tunnel_whose_origin_closed_does_not_wait_for_its_client_for_ever() {
    let origin = Origin::new(|mut visit| {
        visit.head();
        visit.send(SWITCH);
    });
    let members = endpoints(&[&origin]);
    let gateway = Gateway::with(|options| options.client.linger = Duration::from_millis(300))
        .before(&members);
    let mut client = gateway.connect();
    assert_eq!(client.send(UPGRADE).response_head().status(), 101);
    assert_eq!(client.read_to_end(), (String::new(), End::Closed));
    let begun = std::time::Instant::now();
    let is_over = mainstay_testkit::eventually("the tunnel's end", || {
        if gateway.open_connections() == 0 && members[0].in_flight() == 0 {
            Some(true)
        } else {
            (begun.elapsed() > Duration::from_secs(5)).then_some(false)
        }
    });
    assert!(is_over, "the client holds a tunnel to nobody");
}
