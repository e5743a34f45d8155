//! Numbers of workers that follow the work: up with it, down after it, and not when a number was given by hand.

use std::time::Duration;

use mainstay_testkit::{Load, Mainstay, Running, eventually};
use serde_json::Value;

use crate::support::status;

/// Answers at once, or after its event loop was busy for a moment.
const APP: &str = "
require('http').createServer((request, response) => {
  if (request.url === '/work') {
    const end = performance.now() + 20;
    while (performance.now() < end);
  }
  response.end('done');
}).listen(3000);
";

fn app(of_app: &str) -> Running {
    Mainstay::run("")
        .file("server.js", APP)
        .config(&format!(
            "[app.shop]\ncommand = \"node server.js\"\n{of_app}\n"
        ))
        .start()
}

fn target(mainstay: &Running) -> Value {
    status(mainstay)["targets"][0].clone()
}

#[track_caller]
fn has_workers(mainstay: &Running, count: u32) {
    eventually(&format!("{count} workers"), || {
        let target = target(mainstay);
        let workers = target["workers"].as_array().map(Vec::len);
        (target["ready"] == count && workers == Some(count as usize)).then_some(())
    });
}

#[test]
fn a_worker_comes_with_the_work_and_goes_after_it_and_no_request_is_lost() {
    let mainstay = app("workers = { min = 1, max = 2, calm = \"3s\" }");
    let expected = serde_json::json!({ "min": 1, "max": 2 });
    assert_eq!(target(&mainstay)["scaled"], expected);
    // somebody is there all the time, whose requests must not notice anything
    let visitors = Load::new()
        .gets(2)
        .thinking(Duration::from_millis(50))
        .on(mainstay.address());
    let work = Load::new().gets(3).path("/work").on(mainstay.address());
    has_workers(&mainstay, 2);
    mainstay.output_contains_eventually("`shop` has 2 workers now: its workers were ");
    let in_flight = eventually("requests that workers work on", || {
        let workers = target(&mainstay)["workers"].clone();
        let busy = workers.as_array()?.iter().any(|worker| {
            worker["in_flight"].as_u64() > Some(0) && worker["busy"].as_f64() > Some(0.3)
        });
        busy.then_some(workers)
    });
    assert!(in_flight[0]["lag_ms"].is_number(), "{in_flight}");
    work.stop().expect_no_failure();
    has_workers(&mainstay, 1);
    mainstay
        .output_contains_eventually("`shop` has 1 worker now: one fewer has been enough for 3s");
    visitors.stop().expect_no_failure();
    let metrics = crate::watching::admin(&mainstay, "/metrics");
    for direction in ["up", "down"] {
        let line =
            format!("mainstay_autoscale_steps_total{{app=\"shop\",direction=\"{direction}\"}} 1");
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}

#[test]
fn requests_that_wait_for_a_worker_bring_another_one() {
    let mainstay = Mainstay::run_testapp([])
        .config("[overload]\nin_flight_per_worker = 1\nqueue = 100\nwait = \"30s\"\n")
        .flags(["-n", "1..2"])
        .start();
    let work = Load::new()
        .gets(4)
        .path("/slow?ms=200")
        .on(mainstay.address());
    mainstay.output_contains_eventually(" has 2 workers now: requests waited ");
    has_workers(&mainstay, 2);
    work.stop().expect_no_failure();
}

#[test]
fn a_number_by_hand_holds_until_it_is_handed_back() {
    let mainstay = app("workers = { min = 1, max = 3, calm = \"1s\" }");
    let scale = |count| {
        Mainstay::say(["scale", "shop", count])
            .beside(&mainstay)
            .finish()
            .expect_code(0)
    };
    let _ = scale("2").says(["whatever its work; `mainstay scale shop auto`"]);
    assert_eq!(target(&mainstay)["scaled"], Value::Null);
    let reload = Mainstay::say(["reload"]).beside(&mainstay).finish();
    let _ = reload.expect_code(0);
    has_workers(&mainstay, 2);
    assert_eq!(target(&mainstay)["scaled"], Value::Null);
    let _ = scale("auto").says(["as the settings say"]);
    // nobody asks for anything
    has_workers(&mainstay, 1);
    mainstay.output_contains_eventually("`shop` has 1 worker now: one fewer has been enough");
}

#[test]
fn a_reload_keeps_the_number_that_the_work_asked_for() {
    let mainstay = app("workers = { min = 1, max = 2, calm = \"1h\" }");
    let work = Load::new().gets(3).path("/work").on(mainstay.address());
    has_workers(&mainstay, 2);
    let reload = Mainstay::say(["reload"]).beside(&mainstay).finish();
    let _ = reload.expect_code(0).says(["(2 workers"]);
    has_workers(&mainstay, 2);
    work.stop().expect_no_failure();
}
