//! Workers that start late, crash, flood, leak or will not go.

use mainstay_testkit::{Mainstay, eventually};

use crate::support::{gateway, json};

#[test]
fn requests_wait_for_a_slow_start() {
    let mainstay = Mainstay::run_testapp(["--slow-start", "700"]).start();
    mainstay.get("/").expect(200);
}

#[test]
fn a_crashed_worker_comes_back() {
    let mainstay = Mainstay::run_testapp([]).start();
    let before = json(&mainstay.get("/").expect(200))["pid"].clone();
    mainstay.post("/crash", [], "").expect(502);
    let after = json(&mainstay.get("/").expect(200))["pid"].clone();
    assert_ne!(before, after);
}

#[test]
fn a_crash_of_one_worker_is_no_ones_loss() {
    let mainstay = Mainstay::run_testapp([]).flags(["-n", "2"]).start();
    mainstay.post("/crash", [], "").expect(502);
    for _ in 0..50 {
        mainstay.get("/").expect(200);
    }
}

#[test]
fn an_app_that_cannot_start_says_so() {
    let ended = Mainstay::run_testapp(["--fail-start"]).finish();
    ended.expect_code(1);
}

#[test]
fn a_worker_that_ignores_the_signal_is_ended_in_time() {
    let mainstay = Mainstay::run_testapp(["--ignore-sigterm"]).start();
    mainstay.get("/").expect(200);
    assert!(
        mainstay.stop().success(),
        "a stubborn worker is no failure of ours"
    );
}

#[test]
fn a_flood_of_output_holds_nobody_up() {
    let mainstay = Mainstay::run_testapp(["--flood"]).start();
    for _ in 0..20 {
        mainstay.get("/").expect(200);
    }
    assert!(mainstay.stop().success());
}

#[test]
fn children_that_a_worker_left_behind_go_with_it() {
    let mainstay = Mainstay::run_testapp(["--leak-children", "2"]).start();
    mainstay.get("/").expect(200);
    eventually("the leaked children", || {
        (mainstay.descendants().len() >= 4).then_some(())
    });
    // `stop` waits for the end of every process that was below the program.
    assert!(mainstay.stop().success());
}

#[test]
fn a_killed_control_plane_leaves_nobody_and_the_next_starts_at_once() {
    let mut mainstay = Mainstay::run_testapp([]).flags(["-n", "2"]).start();
    mainstay.get("/").expect(200);
    let address = mainstay.address().to_string();
    mainstay.kill_and_expect_nobody_left();
    let next = Mainstay::run_testapp([])
        .listens_as_configured()
        .flags(["--listen", &address])
        .beside(&mainstay)
        .start();
    next.get("/").expect(200);
    assert!(next.stop().success());
}

#[test]
fn a_killed_gateway_is_replaced_and_the_workers_stay() {
    let mainstay = Mainstay::run_testapp([]).start();
    let before = json(&mainstay.get("/").expect(200))["pid"].clone();
    let first = gateway(&mainstay, None);
    mainstay.kill(first);
    // The listening sockets are the control plane's: whoever connects meanwhile waits for the next gateway.
    let second = gateway(&mainstay, Some(first));
    assert_ne!(first, second);
    let after = json(&mainstay.get("/").expect(200))["pid"].clone();
    assert_eq!(before, after, "the worker lives through it");
    assert!(mainstay.stop().success());
}
