//! More than the workers can do: who is served, who waits, who is refused.

use std::time::Duration;

use mainstay_testkit::{Failure, Load, Mainstay, Origin, Outcome, Running, eventually};

use crate::support::{json, started};

/// Works for 4 ms at a time, on one request after the other as Node does, and remembers how many it had at once.
const APP: &str = "
let now = 0, most = 0;
require('http').createServer((request, response) => {
    if (request.url === '/most') return response.end(JSON.stringify({ most }));
    most = Math.max(most, ++now);
    setImmediate(() => {
        const end = process.hrtime.bigint() + 4000000n;
        while (process.hrtime.bigint() < end);
        now--;
        response.end('done');
    });
}).listen(3000);";

fn with(settings: &str) -> Running {
    started(
        Mainstay::run("server.js")
            .file("server.js", APP)
            .config(settings),
    )
}

fn flood(mainstay: &Running) -> Outcome {
    let load = Load::new()
        .gets(60)
        .thinking(Duration::from_millis(10))
        .on(mainstay.address());
    load.wait_for_answers(300);
    for path in ["/.mainstay/live", "/.mainstay/ready"] {
        mainstay.get(path).expect(200);
    }
    load.stop()
}

#[test]
fn under_a_flood_workers_get_what_they_can_do_and_probes_are_answered() {
    let unbounded = with("");
    let all = flood(&unbounded);
    all.expect_no_failure();

    let bounded = with("[overload]\nin_flight_per_worker = 3\nqueue = 3\nwait = \"200ms\"\n");
    bounded.output_contains_eventually("overload on");
    let some = flood(&bounded);
    let most = json(&bounded.get("/most").expect(200))["most"].clone();
    assert!(most.as_u64().is_some_and(|most| most <= 3), "{most}");
    assert!(!some.failures.is_empty(), "{some}");
    for failed in &some.failures {
        assert_eq!(failed.kind, Failure::Status(503), "{some}");
        assert!(failed.detail.to_lowercase().contains("retry-after: 1"));
    }
    assert!(
        some.slowest < all.slowest,
        "those who are served are served sooner: {some} and {all}"
    );
    bounded.output_contains_eventually("\"reason\":\"overloaded\"");
}

#[test]
fn a_bound_is_found_where_none_is_written() {
    let mainstay = with("[overload]\nadaptive = \"auto\"\nqueue = 0\n");
    let load = Load::new()
        .gets(100)
        .thinking(Duration::from_millis(1))
        .on(mainstay.address());
    eventually("refusals", || (load.failures() > 0).then_some(()));
    let outcome = load.stop();
    assert!(outcome.answers() > 0);
    let is_refused = |kind| kind == Failure::Status(503);
    assert!(
        outcome
            .failures
            .iter()
            .all(|failed| is_refused(failed.kind)),
        "{outcome}"
    );
}

#[test]
fn the_low_wait_behind_the_high_and_give_way_to_them() {
    let origin = Origin::hangs().start();
    let config = format!(
        "[overload]\nin_flight_per_worker = 1\nqueue = 1\nwait = \"1m\"\n\
         [upstream.a]\nserver = \"{}\"\n\
         [route.all]\nto = \"a\"\nresponse_timeout = \"5s\"\n\
         [route.low]\npath = \"/low\"\nto = \"a\"\npriority = \"low\"\n\
         [route.high]\npath = \"/high\"\nto = \"a\"\npriority = \"high\"\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    let asks = |path: &str| {
        let mut wire = mainstay.connect();
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        wire
    };
    let mut first = asks("/");
    let _ = origin.received_eventually(1);
    let mut low = asks("/low");
    assert!(low.is_silent_for(Duration::from_millis(50)));
    let mut high = asks("/high");
    low.response().expect(503);
    mainstay.get("/low").expect(503);
    assert!(high.is_silent_for(Duration::from_millis(50)));
    // the place is given back with the answer
    first.response().expect(504);
    let seen = origin.received_eventually(2);
    assert!(seen[1].head.starts_with("GET /high "), "{}", seen[1].head);
}

#[test]
fn a_route_is_bounded_by_itself_and_a_dry_run_only_says_so() {
    let origin = Origin::hangs().start();
    for (dry_run, status) in [
        ("false", "\"status\":503"),
        ("true", "\"dry_run\":\"overloaded\""),
    ] {
        let config = format!(
            "[overload]\nqueue = 0\ndry_run = {dry_run}\n\
             [upstream.a]\nserver = \"{}\"\n\
             [route.all]\nto = \"a\"\nresponse_timeout = \"100ms\"\n\
             [route.reports]\npath = \"/reports\"\nto = \"a\"\nin_flight = 1\nresponse_timeout = \"4s\"\n",
            origin.address()
        );
        let mainstay = Mainstay::run("").config(&config).start();
        let before = origin.received().len();
        let mut first = mainstay.connect();
        first.send("GET /reports/1 HTTP/1.1\r\nHost: a\r\n\r\n");
        let _ = origin.received_eventually(before + 1);
        let second = mainstay.get("/reports/2").status();
        assert_eq!(second, if dry_run == "true" { 504 } else { 503 });
        mainstay.output_contains_eventually(status);
        // other routes do not notice
        mainstay.get("/").expect(504);
    }
}

#[test]
fn probes_and_the_operator_are_never_shed() {
    let origin = Origin::hangs().start();
    let config = format!(
        "[overload]\nin_flight_per_worker = 1\nqueue = 0\n[upstream.a]\nserver = \"{}\"\n\
         [route.all]\nto = \"a\"\nresponse_timeout = \"1m\"\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    let mut first = mainstay.connect();
    first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = origin.received_eventually(1);
    // nobody else gets in
    mainstay.get("/2").expect(503);
    for path in [
        "/.mainstay/live",
        "/.mainstay/ready",
        "/.mainstay/startup",
        "/.mainstay/full",
    ] {
        mainstay.get(path).expect(200);
    }
    for path in ["/status", "/metrics"] {
        let answer = crate::watching::admin(&mainstay, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    Mainstay::say(["status"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    mainstay.get("/3").expect(503);
}

#[test]
fn one_connection_too_many_is_told_so_and_many_are_closed() {
    let origin = Origin::says("hello").start();
    for key in ["connections", "connections_per_client"] {
        let config = format!(
            "[listen]\nthreads = 1\n[overload]\n{key} = 3\n[upstream.a]\nserver = \"{}\"\n",
            origin.address()
        );
        let mainstay = Mainstay::run("").config(&config).start();
        let mut kept: Vec<_> = (0..3).map(|_| mainstay.connect()).collect();
        for wire in &mut kept {
            wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            wire.response().expect(200);
        }
        let (mut fourth, mut probe) = (mainstay.connect(), mainstay.connect());
        probe.send("GET /.mainstay/ready HTTP/1.1\r\nHost: a\r\n\r\n");
        probe.response().expect(200);
        let mut sixth = mainstay.connect();
        assert!(sixth.is_closed_eventually(), "{key}");
        fourth.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let refused = fourth.response().expect(503);
        assert_eq!(refused.header("connection"), Some("close"));
        mainstay.output_contains_eventually("\"reason\":\"too_many_connections\"");
        let metrics = crate::watching::admin(&mainstay, "/metrics");
        assert!(
            metrics.contains("mainstay_connections_turned_away_total 1"),
            "{metrics}"
        );
        // places are given back
        drop((kept, fourth, probe));
        eventually("a place", || {
            (mainstay.get("/").status() == 200).then_some(())
        });
    }
}
