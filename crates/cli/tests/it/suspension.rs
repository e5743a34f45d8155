//! A pause and maintenance while the program runs: who waits, who is refused, and that nobody is lost.

use std::time::{Duration, Instant};

use mainstay_testkit::{Ended, Failure, Load, Mainstay, Origin, Running, eventually};
use serde_json::Value;

use crate::support::{gateway, started, status};

const APP: &str = "require('http').createServer((q, r) => { q.resume(); q.on('end', () => r.end('hello')); }).listen(3000);";

fn say<const N: usize>(mainstay: &Running, words: [&str; N]) -> Ended {
    Mainstay::say(words).beside(mainstay).finish()
}

fn with(settings: &str) -> Running {
    started(
        Mainstay::run("server.js")
            .file("server.js", APP)
            .config(settings),
    )
}

#[test]
fn a_pause_under_load_lets_nothing_through_and_loses_nothing() {
    let mainstay = with("");
    let load = Load::new().gets(4).posts(4).on(mainstay.address());
    for _ in 0..3 {
        load.wait_for_answers(200);
        say(&mainstay, ["pause", "--for", "1h", "--deadline", "5m"])
            .expect_code(0)
            .says(["paused for 1h: new requests wait, each for at most 5m\n"]);
        // what had begun has been answered by the gateway; its last bytes may be on their way to a client
        let waiting = || mainstay.get("/.mainstay/ready").expect(200);
        waiting();
        let answered = eventually("quiet", || {
            let before = load.answers();
            waiting();
            (before == load.answers()).then_some(before)
        });
        say(&mainstay, ["status"]).says(["PAUSED · 59m"]);
        assert_eq!(load.answers(), answered, "somebody was let in");
        say(&mainstay, ["resume"]).expect_code(0);
    }
    load.wait_for_answers(200);
    load.stop().expect_no_failure();
    assert_eq!(status(&mainstay)["paused"], Value::Null);
}

#[test]
fn a_pause_outlasts_reloads_and_gateways_and_holds_even_those_that_finish() {
    let mainstay = with("");
    say(&mainstay, ["pause", "--for", "1h", "--deadline", "5m"]).expect_code(0);
    let mut held = mainstay.connect();
    held.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    say(&mainstay, ["reload", "--settings"]).expect_code(0);
    say(&mainstay, ["reload", "--gateway"]).expect_code(0);
    let second = gateway(&mainstay, None);
    let mut held_by_the_next = mainstay.connect();
    held_by_the_next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    mainstay.get("/.mainstay/ready").expect(200);
    assert!(held.is_silent_for(Duration::from_millis(50)));
    assert!(held_by_the_next.is_silent_for(Duration::from_millis(50)));
    say(&mainstay, ["resume"]).expect_code(0);
    held.response().expect(200);
    held_by_the_next.response().expect(200);

    say(&mainstay, ["maintenance", "on"]).expect_code(0);
    mainstay.kill(second);
    gateway(&mainstay, Some(second));
    mainstay.get("/").expect(503);
}

#[test]
fn whoever_waits_too_long_is_told_to_come_again() {
    let mainstay = with("");
    say(&mainstay, ["pause", "--deadline", "100ms"]).expect_code(0);
    let refused = mainstay.get("/").expect(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    mainstay.output_contains_eventually("\"reason\":\"paused\"");
    say(&mainstay, ["pause", "--for", "1s"]).expect_code(0);
    // held for a second, and answered
    mainstay.get("/").expect(200);
    mainstay.output_contains_eventually("resumed: requests pass again: its time is over");
}

#[test]
fn a_pause_waits_for_what_has_begun_and_says_what_did_not_end() {
    let origin = Origin::hangs().start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    let mut hanging = mainstay.connect();
    hanging.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = origin.received_eventually(1);
    say(&mainstay, ["pause", "--deadline", "200ms"])
        .expect_code(0)
        .says(["1 request or stream that had begun before still run"]);
}

#[test]
fn maintenance_under_load_refuses_with_503_while_it_is_on_and_only_then() {
    let mainstay = with("");
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(200);
    let begun = Instant::now();
    say(&mainstay, ["maintenance", "on", "--for", "1h"])
        .expect_code(0)
        .says(["maintenance for 1h"]);
    let failures = load.failures();
    eventually("refusals", || {
        (load.failures() > failures + 50).then_some(())
    });
    say(&mainstay, ["status"]).says(["MAINTENANCE · 59m"]);
    for path in ["/.mainstay/live", "/.mainstay/ready", "/health", "/ready"] {
        mainstay.get(path).expect(200);
    }
    let refused = mainstay.get("/").expect(503);
    let seconds: u32 = refused
        .header("retry-after")
        .unwrap_or("")
        .parse()
        .expect("seconds");
    assert!((3_000..=3_600).contains(&seconds), "{seconds}");
    say(&mainstay, ["maintenance", "off"]).expect_code(0);
    let over = Instant::now();
    load.wait_for_answers(200);
    let outcome = load.stop();
    for failed in &outcome.failures {
        assert_eq!(failed.kind, Failure::Status(503), "{outcome}");
        assert!(failed.failed >= begun && failed.sent <= over, "{outcome}");
    }
    mainstay.output_contains_eventually("\"reason\":\"maintenance\"");
    mainstay.output_contains_eventually("maintenance is over");
}

#[test]
fn some_networks_are_let_through_and_others_are_told_when_to_come() {
    let mainstay = with(
        "trusted_proxies = [\"loopback\"]\n[maintenance]\nallow = [\"192.0.2.0/24\"]\nretry_after = \"5m\"\n",
    );
    say(&mainstay, ["maintenance", "on"])
        .expect_code(0)
        .says(["maintenance until `mainstay maintenance off`"]);
    mainstay
        .get_with("/", [("X-Forwarded-For", "192.0.2.7")])
        .expect(200);
    let refused = mainstay
        .get_with("/", [("X-Forwarded-For", "198.51.100.7")])
        .expect(503);
    assert_eq!(refused.header("retry-after"), Some("300"));
    say(&mainstay, ["status"]).says(["MAINTENANCE · until `mainstay maintenance off`"]);
    assert!(status(&mainstay)["maintenance"]["since_ms"].is_u64());
}

#[test]
fn maintenance_has_the_page_that_the_settings_name() {
    let mainstay = started(
        Mainstay::run("server.js")
            .file("server.js", APP)
            .file("soon.html", "<p>back at nine, {request_id}</p>")
            .config("[errors.pages]\n503 = \"soon.html\"\n"),
    );
    say(&mainstay, ["maintenance", "on"]).expect_code(0);
    mainstay
        .get_with("/", [("Accept", "text/html")])
        .expect(503)
        .body_contains("back at nine");
}

#[test]
fn what_cannot_be_meant_is_told() {
    let mainstay = with("");
    for (words, told) in [
        (&["resume"][..], "the instance is not paused"),
        (
            &["maintenance", "off"],
            "the instance is not in maintenance",
        ),
        (&["maintenance", "off", "--for", "1h"], "`--for` goes with"),
        (&["maintenance"], "on|off"),
        (&["pause", "--for", "soon"], "`--for` is not a duration"),
        (
            &["pause", "--for", "2h"],
            "`--for 2h` is out of range: expected `1s` to `1h`",
        ),
        (
            &["pause", "--deadline", "1h"],
            "`--deadline 1h` is out of range: expected `100ms` to `5m`",
        ),
    ] {
        let command = Mainstay::say([]).beside(&mainstay);
        let command = words
            .iter()
            .fold(command, |command, word| command.flags([word]));
        command.finish().expect_code(2).says([told]);
    }
}
