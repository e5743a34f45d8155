//! Processes that are killed while others ask: what it costs, and what it leaves behind.

use std::time::{Duration, Instant};
use std::{fs, thread};

use mainstay_testkit::{Form, Load, Mainstay, Running, eventually};

use crate::support::{gateway, started, status};

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

/// What a process holds.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    kilobytes: u64,
}

fn held(pid: i32) -> Held {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = resident.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Held {
        descriptors,
        kilobytes: kilobytes.unwrap_or_default(),
    }
}

/// Children of `pid` that have ended and were not reaped.
fn zombies(pid: i32) -> usize {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let is_zombie = |child: &&str| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    };
    children
        .unwrap_or_default()
        .split_whitespace()
        .filter(is_zombie)
        .count()
}

/// One of everything that happens to an instance.
fn turn(mainstay: &Running, number: u32) {
    match number % 4 {
        0 | 2 => mainstay.kill(worker(mainstay, (number / 2 % 2) as usize)),
        1 => {
            let reload = Mainstay::say(["reload"]).beside(mainstay).finish();
            drop(reload.expect_code(0));
        }
        _ => {
            let before = gateway(mainstay, None);
            let words = if number % 8 == 3 { "kill" } else { "replace" };
            if words == "kill" {
                mainstay.kill(before);
            } else {
                let reload = Mainstay::say(["reload", "--gateway"])
                    .beside(mainstay)
                    .finish();
                drop(reload.expect_code(0));
            }
            gateway(mainstay, Some(before));
        }
    }
    worker(mainstay, 0);
}

#[test]
fn kills_and_reloads_without_end_leave_nothing_behind() {
    let mainstay = started(shop("[reload]\nsettle = \"50ms\"\n"));
    let load = Load::new().gets(2).on(mainstay.address());
    let control = i32::try_from(mainstay.pid()).expect("a process id");
    // caches and pools are filled by then
    (0..8).for_each(|number| turn(&mainstay, number));
    let before = held(control);
    let end = Instant::now() + Form::asked().pick(Duration::from_secs(5), Duration::from_mins(30));
    let mut number = 8;
    while Instant::now() < end {
        turn(&mainstay, number);
        number += 1;
    }
    drop(load);
    eventually("as few descriptors as before, and no zombie", || {
        let few = held(control).descriptors <= before.descriptors + 4;
        (few && zombies(control) == 0).then_some(())
    });
    let after = held(control);
    let grown = after.kilobytes.saturating_sub(before.kilobytes);
    assert!(
        grown < 8 * 1024,
        "after {number} turns: {before:?}, then {after:?}"
    );
}

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
