//! Other settings while requests run: what has begun goes on as it began, connections on both sides stay.

use std::time::Duration;

use mainstay_pipeline::HeaderSetting;
use mainstay_testkit::eventually;

use crate::harness::{EVENTS, End, Gateway, OK, Origin, SWITCH, UPGRADE, endpoint, get};

#[test]
fn an_event_stream_and_a_tunnel_live_through_it() {
    let origin = Origin::new(|mut visit| {
        let head = visit.head().expect("a request");
        if head.field("upgrade").is_some() {
            visit.send(SWITCH);
            while visit.bytes(1) == "?" {
                visit.send("pong");
            }
        } else {
            visit.send(EVENTS);
            visit.read_to_end();
        }
    });
    let mut gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, origin.address)]);
    let (mut tunnel, mut events) = (gateway.connect(), gateway.connect());
    assert_eq!(tunnel.send(UPGRADE).response_head().status(), 101);
    assert_eq!(events.send(get("/")).response_head().status(), 200);
    events.skip(14);
    gateway.serve_with(&["other", "api"], |_| {});
    // another target of the same gateway, and then this one is gone from the settings
    gateway.serve_with(&["other"], |_| {});
    for _ in 0..3 {
        assert_eq!(tunnel.send("?").bytes(4), "pong");
    }
    assert_eq!(events.end_within(Duration::from_millis(200)), End::Open);
}

#[test]
fn connections_are_kept_on_both_sides_and_the_next_request_sees_the_new_settings() {
    let origin = Origin::answering(OK);
    let mut gateway = Gateway::with(|_| {})
        .app()
        .before(&[endpoint(0, origin.address)]);
    let mut client = gateway.connect();
    let before = client.send(get("/")).response().expect(200);
    assert_eq!(before.field("x-new"), None);
    gateway.serve_with(&["first", "api"], |stages| {
        let setting = HeaderSetting::Value("yes".to_owned());
        stages
            .layers
            .headers
            .set
            .insert("x-new".to_owned(), setting);
    });
    let after = client.send(get("/")).response().expect(200);
    assert_eq!(after.field("x-new"), Some("yes"));
    assert_eq!(origin.connections(), 1);
    assert_eq!(gateway.open_connections(), 1);
}

#[test]
fn a_request_that_waits_for_a_worker_waits_on() {
    let origin = Origin::answering(OK);
    let mut gateway = Gateway::with(|_| {}).app().before(&[]);
    let mut client = gateway.connect();
    client.send(get("/"));
    eventually("the connection", || {
        (gateway.open_connections() == 1).then_some(())
    });
    gateway.serve_with(&["first", "api"], |_| {});
    gateway.set_members(&[endpoint(0, origin.address)]);
    gateway.standing.set_ready(1, 1);
    client.response().expect(200);
}

#[test]
fn members_of_a_target_that_comes_later_are_known_by_then() {
    let origin = Origin::answering(OK);
    let mut gateway = Gateway::with(|_| {}).app().before(&[]);
    gateway.set_members_of("later", &[endpoint(0, origin.address)]);
    gateway.serve_with(&["api", "later"], |_| {});
    gateway.standing.set_ready(1, 1);
    gateway.ask(get("/")).expect(200);
}
