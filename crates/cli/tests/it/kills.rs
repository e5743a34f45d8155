//! Processes that are killed while others ask: what it costs, and what it leaves behind.

use std::thread;
use std::time::{Duration, Instant};

use mainstay_testkit::{Form, Load, Mainstay, Running, eventually};

use crate::support::{started, status};

const APP: &str = "
require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end('ok'));
}).listen(3000);
";

fn shop(settings: &str) -> Mainstay {
    Mainstay::run("").file("server.js", APP).config(&format!(
        "[log]\naccess = false\n[app.shop]\ncommand = \"node server.js\"\nworkers = 2\n{settings}"
    ))
}

/// The process of the worker that is number `index` in the list, once every worker is ready.
#[track_caller]
fn worker(mainstay: &Running, index: usize) -> i32 {
    eventually("every worker", || {
        let target = status(mainstay)["targets"][0].clone();
        let pid = target["workers"][index]["pid"].as_i64();
        (target["ready"] == target["wanted"]).then_some(())?;
        i32::try_from(pid?).ok()
    })
}

#[test]
fn killed_workers_cost_no_get_and_only_the_posts_they_had() {
    let mainstay = started(shop(""));
    let load = Load::new().gets(4).posts(2).on(mainstay.address());
    let mut kills = Vec::new();
    for round in 0..Form::asked().pick(6, 60) {
        load.wait_for_answers(100);
        let pid = worker(&mainstay, round % 2);
        let begun = Instant::now();
        mainstay.kill(pid);
        kills.push(begun);
        // the one a second of the long form is the subject itself
        if Form::asked() == Form::Long {
            thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        }
    }
    load.wait_for_answers(100);
    let outcome = load.stop();
    assert_eq!(outcome.failures_of("GET").count(), 0, "{outcome}");
    for failed in outcome.failures_of("POST") {
        let near = kills
            .iter()
            .any(|kill| *kill <= failed.failed && failed.sent <= *kill + MATCH);
        assert!(near, "a POST failed without a kill: {failed:?}\n{outcome}");
    }
    let posts = outcome.failures_of("POST").count();
    assert!(
        posts <= kills.len() * 2,
        "each client can lose one for each kill: {outcome}"
    );
}

/// How long after a kill a request may still meet the dead worker.
const MATCH: Duration = Duration::from_millis(500);

#[test]
fn a_killed_control_plane_in_the_middle_of_a_reload_leaves_nobody() {
    let settings = "release_command = \"sleep 600\"\n";
    let mut mainstay = started(shop(settings));
    let address = mainstay.address().to_string();
    let reload = Mainstay::say(["reload"]).beside(&mainstay);
    let reloading = thread::spawn(move || reload.finish());
    eventually("the release command", || {
        (mainstay.descendants().len() >= 5).then_some(())
    });
    mainstay.kill_and_expect_nobody_left();
    reloading.join().expect("no panic").expect_code(4);
    let next = Mainstay::run_testapp([])
        .listens_as_configured()
        .flags(["--listen", &address])
        .beside(&mainstay)
        .start();
    next.get("/").expect(200);
    assert!(next.stop().success());
}
