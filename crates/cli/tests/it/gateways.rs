//! Gateways that die, are replaced, and end: with load on them, and what nobody may lose.

use std::time::{Duration, Instant};

use mainstay_testkit::{Failure, Form, Load, Mainstay, Running, eventually};

use crate::support::{gateway, status};

/// Keeps nothing and answers at once.
const APP: &str = "require('http').createServer((request, response) => { request.resume(); request.on('end', () => response.end('ok')) }).listen(3000);";

fn start(flags: &[&str]) -> Running {
    let mut mainstay = Mainstay::run("server.js").file("server.js", APP);
    for flag in flags {
        mainstay = mainstay.flags([*flag]);
    }
    mainstay.start()
}

/// Another gateway in the place of the one that serves.
#[track_caller]
fn replace(mainstay: &Running) {
    let words = ["reload", "--gateway"];
    Mainstay::say(words)
        .beside(mainstay)
        .finish()
        .expect_code(0);
}

/// Requests counted so far, of all routes and methods.
#[track_caller]
fn counted(mainstay: &Running) -> u64 {
    let metrics = crate::watching::admin(mainstay, "/metrics");
    metrics
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[test]
fn planned_replacements_lose_no_request_of_any_method() {
    let mainstay = start(&["-n", "2"]);
    let times = Form::asked().pick(5, 20);
    let busy = Load::new().gets(3).posts(3).on(mainstay.address());
    // their connections are idle most of the time: a close would cross a request sooner or later
    let idle = Load::new()
        .gets(4)
        .posts(12)
        .thinking(Duration::from_millis(40))
        .on(mainstay.address());
    for _ in 0..times {
        let before = gateway(&mainstay, None);
        replace(&mainstay);
        assert_ne!(gateway(&mainstay, None), before);
        busy.wait_for_answers(100);
        idle.wait_for_answers(100);
    }
    busy.stop().expect_no_failure();
    idle.stop().expect_no_failure();
    eventually("the end of those that were replaced", || {
        let draining = status(&mainstay)["gateway"]["draining"].clone();
        (draining.as_array()?.is_empty()).then_some(())
    });
    assert_eq!(status(&mainstay)["gateway"]["restarts"], 0);
    assert!(mainstay.stop().success());
}

#[test]
fn an_idle_connection_outlives_the_replacement_and_its_next_request_is_answered() {
    let mainstay = start(&[]);
    let mut wire = mainstay.connect();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
    wire.send(post).response().expect(200).body_is("ok");
    replace(&mainstay);
    assert!(wire.is_silent_for(Duration::from_millis(1_500)));
    let last = wire.send(post).response().expect(200);
    assert_eq!(last.header("connection"), Some("close"));
    assert!(wire.is_closed_eventually());
}

#[test]
fn readiness_does_not_go_down_with_a_gateway_that_is_replaced() {
    let mainstay = start(&[]);
    mainstay.get("/").expect(200);
    let mut balancer = mainstay.connect();
    let probe = "GET /.mainstay/ready HTTP/1.1\r\nHost: a\r\n\r\n";
    balancer.send(probe).response().expect(200);
    replace(&mainstay);
    balancer.send(probe).response().expect(200);
}

#[test]
fn a_killed_gateway_costs_what_it_was_doing_and_nothing_else() {
    let mainstay = start(&["-n", "2"]);
    let clients = 4;
    let load = Load::new().gets(clients).on(mainstay.address());
    let kills = Form::asked().pick(3, 20);
    let mut healed = Vec::new();
    for _ in 0..kills {
        // those that die young come back after a pause: the subject of another test
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(1_500) {
            load.wait_for_answers(50);
        }
        let pid = gateway(&mainstay, None);
        mainstay.kill(pid);
        let killed = Instant::now();
        // it connects at once, and waits in the kernel's queue for the next gateway
        mainstay.get("/").expect(200);
        healed.push(killed.elapsed());
        assert_ne!(gateway(&mainstay, Some(pid)), pid);
    }
    let outcome = load.stop();
    println!("from death to the first answer: {healed:?}\n{outcome}");
    let output = mainstay.output();
    let at_once = output.matches("it starts again in 0 ms").count();
    assert_eq!(at_once, kills, "{healed:?}\n{output}");
    assert!(outcome.failures.len() <= kills * clients, "{outcome}");
    for failed in &outcome.failures {
        let is_lost_connection = matches!(
            failed.kind,
            Failure::ClosedReused | Failure::ClosedFresh | Failure::CutOff
        );
        assert!(is_lost_connection, "{outcome}");
    }
    assert_eq!(status(&mainstay)["gateway"]["restarts"], kills);
}

#[test]
fn a_gateway_that_dies_again_and_again_is_said_aloud_and_comes_back() {
    let mainstay = start(&[]);
    mainstay.get("/").expect(200);
    eventually("an alarm", || {
        // each is met at its start, however busy the machine is
        mainstay.kill_every("gateway");
        let alarm = "ended 5 times within seconds of its start";
        mainstay.output().contains(alarm).then_some(())
    });
    eventually("a status that says so", || {
        (status(&mainstay)["gateway"]["phase"] == "crash_loop").then_some(())
    });
    // a client only waits longer
    mainstay.get("/").expect(200);
    mainstay.output_contains_eventually("the gateway serves again");
    assert_eq!(status(&mainstay)["gateway"]["phase"], "serving");
}

#[test]
fn counters_never_go_back_whatever_becomes_of_gateways() {
    let mainstay = start(&[]);
    let ask = |times: usize| {
        for _ in 0..times {
            mainstay.get("/").expect(200);
        }
    };
    ask(5);
    eventually("five", || (counted(&mainstay) == 5).then_some(()));
    replace(&mainstay);
    assert_eq!(counted(&mainstay), 5);
    ask(2);
    eventually("seven", || (counted(&mainstay) == 7).then_some(()));
    let pid = gateway(&mainstay, None);
    mainstay.kill(pid);
    gateway(&mainstay, Some(pid));
    assert_eq!(counted(&mainstay), 7, "what was shown once stays");
    ask(1);
    eventually("eight", || (counted(&mainstay) == 8).then_some(()));
}

#[test]
fn every_connection_that_was_accepted_is_answered_when_the_instance_stops() {
    let mainstay = start(&["-n", "2"]);
    let busy = Load::new().gets(4).posts(4).on(mainstay.address());
    busy.wait_for_answers(200);
    assert!(mainstay.stop().success());
    let outcome = busy.stop();
    assert!(outcome.answers() >= 200);
    let refused = |failed: &&mainstay_testkit::Failed| failed.kind == Failure::Connect;
    let lost = outcome.failures.iter().filter(|failed| !refused(failed));
    assert_eq!(lost.count(), 0, "{outcome}");
}

#[test]
fn streams_are_ended_and_a_stop_does_not_wait_for_them() {
    let mainstay = Mainstay::run_testapp([])
        .config("[shutdown]\nidle = \"100ms\"\nstreams = \"400ms\"\ngrace = \"1h\"\n")
        .start();
    let mut events = mainstay.connect();
    events.send("GET /sse?count=1000000&ms=20 HTTP/1.1\r\nHost: a\r\n\r\n");
    events.read_until("data:");
    let mut tunnel = mainstay.connect();
    tunnel.send(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(tunnel.read_until("\r\n\r\n").contains(" 101 "));
    let stopping = std::thread::spawn(move || mainstay.stop());
    assert_eq!(tunnel.read_to_end(), [0x88, 0x02, 0x03, 0xF4]);
    let rest = String::from_utf8(events.read_to_end()).expect("events are text");
    assert!(!rest.ends_with("\r\n0\r\n\r\n"), "it looks whole: {rest}");
    drop((tunnel, events));
    assert!(stopping.join().expect("no panic").success());
}

#[test]
fn while_the_delay_lasts_readiness_is_down_and_everything_else_goes_on() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", APP)
        .config("[shutdown]\ndelay = \"1h\"\n")
        .start();
    let mut kept = mainstay.connect();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    kept.send(get("/")).response().expect(200);
    let stopping = Mainstay::say(["stop"]).beside(&mainstay);
    let stopping = std::thread::spawn(move || stopping.finish());
    eventually("readiness to go down", || {
        (mainstay.get("/.mainstay/ready").status() == 503).then_some(())
    });
    mainstay.get("/health").expect(503);
    mainstay.get("/.mainstay/live").expect(200);
    let answer = mainstay.get("/").expect(200);
    assert_eq!(answer.body, b"ok");
    let answer = kept.send(get("/")).response().expect(200);
    assert_eq!(answer.header("connection"), None);
    // a second wish to stop hurries
    let second = Mainstay::say(["stop"]).beside(&mainstay).finish();
    second.expect_code(0);
    stopping.join().expect("it ends too").expect_code(0);
}

#[test]
fn routes_that_stay_keep_their_counts_when_settings_change() {
    let config = |header: &str| {
        format!(
            "[app.web]\ncommand = \"node server.js\"\n\n[headers]\nadd = {{ \"X-Which\" = \"{header}\" }}\n"
        )
    };
    let mainstay = Mainstay::run("")
        .file("server.js", APP)
        .config(&config("one"))
        .start();
    for _ in 0..3 {
        let answer = mainstay.get("/").expect(200);
        assert_eq!(answer.header("x-which"), Some("one"));
    }
    eventually("three", || (counted(&mainstay) == 3).then_some(()));
    let pid = gateway(&mainstay, None);
    std::fs::write(mainstay.folder().join("mainstay.toml"), config("two")).expect("written");
    let words = ["reload", "--settings"];
    Mainstay::say(words)
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let answer = mainstay.get("/").expect(200);
    assert_eq!(answer.header("x-which"), Some("two"));
    eventually("four", || (counted(&mainstay) == 4).then_some(()));
    assert_eq!(gateway(&mainstay, None), pid, "the same gateway");
}

#[test]
fn an_address_that_is_given_up_answers_who_was_let_in_and_refuses_the_rest() {
    let (old, new) = (mainstay_testkit::free_port(), mainstay_testkit::free_port());
    let config = |port: u16| {
        format!("listen = \"127.0.0.1:{port}\"\n\n[app.web]\ncommand = \"node server.js\"\n")
    };
    let mainstay = Mainstay::run("")
        .file("server.js", APP)
        .listens_as_configured()
        .config(&config(old))
        .start();
    mainstay.get("/").expect(200);
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(100);
    std::fs::write(mainstay.folder().join("mainstay.toml"), config(new)).expect("written");
    let words = ["reload", "--settings"];
    Mainstay::say(words)
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    eventually("a refusal at the old address", || {
        std::net::TcpStream::connect(mainstay.address())
            .is_err()
            .then_some(())
    });
    let outcome = load.stop();
    let refused = |failed: &&mainstay_testkit::Failed| failed.kind == Failure::Connect;
    let lost = outcome.failures.iter().filter(|failed| !refused(failed));
    assert_eq!(lost.count(), 0, "{outcome}");
    let mut wire = mainstay.connect_to(([127, 0, 0, 1], new).into());
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    wire.send(get).response().expect(200).body_is("ok");
}
