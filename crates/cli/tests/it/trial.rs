//! Releases that are tried out with real requests: how many they get, and what their answers decide.

use std::{fs, thread};

use mainstay_testkit::{Ended, Failure, Load, Mainstay, Running, eventually};

use crate::support::{json, started};

/// Its version decides how it answers, and so does a database that all versions need.
const APP: &str = "
const fs = require('fs');
const read = (name) => fs.readFileSync(__dirname + '/' + name, 'utf8').trim();
const version = read('version');
require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    if (version === 'slow' || read('database') === 'slow') return setTimeout(() => response.end(JSON.stringify({ version })), 150);
    if (version === 'rude') return request.socket.destroy();
    if (version === 'sick' || read('database') === 'away') response.statusCode = 500;
    response.end(JSON.stringify({ version }));
  });
}).listen(3000);
";

fn app(reload: &str) -> Mainstay {
    Mainstay::run("")
        .file("server.js", APP)
        .file("version", "one")
        .file("database", "there")
        .config(&format!(
            "[reload]\n{reload}\n[app.shop]\ncommand = \"node server.js\"\n"
        ))
}

#[track_caller]
fn write(mainstay: &Running, name: &str, text: &str) {
    fs::write(mainstay.folder().join(name), text).expect("the folder is ours");
}

#[track_caller]
fn version(mainstay: &Running) -> String {
    let answer = json(&mainstay.get("/"));
    answer["version"].as_str().expect("a version").to_owned()
}

fn reload(mainstay: &Running) -> Ended {
    Mainstay::say(["reload"]).beside(mainstay).finish()
}

#[test]
fn a_release_that_starts_well_and_answers_500_is_rolled_back() {
    // far longer than the test: it ends by the verdict
    let mainstay = started(app("settle = \"10m\""));
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(50);
    write(&mainstay, "version", "sick");
    let ended = reload(&mainstay).expect_code(1);
    for part in [
        "release 2 did not hold",
        "of its",
        "answers were errors",
        "`max_errors` of `[reload]` is 20%",
        "the last with status 500",
    ] {
        assert!(ended.output.contains(part), "{part} in\n{}", ended.output);
    }
    for _ in 0..10 {
        assert_eq!(version(&mainstay), "one");
    }
    load.wait_for_answers(50);
    let outcome = load.stop();
    // nothing failed but what the new release answered
    let kinds = outcome.failures_by_kind();
    assert!(!kinds.is_empty(), "it was tried with real requests");
    let only_its_own = |(_, kind): &(&str, Failure)| *kind == Failure::Status(500);
    assert!(kinds.keys().all(only_its_own), "{kinds:?}");
}

#[test]
fn a_release_that_hangs_up_on_its_clients_is_rolled_back() {
    let mainstay = started(app("settle = \"10m\""));
    let load = Load::new().posts(3).on(mainstay.address());
    load.wait_for_answers(20);
    write(&mainstay, "version", "rude");
    let ended = reload(&mainstay).expect_code(1);
    assert!(
        ended.output.contains("the last broken off"),
        "{}",
        ended.output
    );
    assert_eq!(version(&mainstay), "one");
    let kinds = load.stop().failures_by_kind();
    let only_its_own = |(_, kind): &(&str, Failure)| *kind == Failure::Status(502);
    assert!(kinds.keys().all(only_its_own), "{kinds:?}");
}

#[test]
fn a_release_that_is_slow_is_rolled_back_and_no_request_fails() {
    let mainstay = started(app(
        "settle = \"10m\"\nmax_latency = \"100ms\"\nshare = \"20%\"",
    ));
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(200);
    write(&mainstay, "version", "slow");
    let ended = reload(&mainstay).expect_code(1);
    for part in [
        "release 2 did not hold",
        "answers took longer than 100ms",
        "`max_latency` of `[reload]` lets 5% do so",
        "of the old workers' answers meanwhile",
    ] {
        assert!(ended.output.contains(part), "{part} in\n{}", ended.output);
    }
    assert_eq!(version(&mainstay), "one");
    load.stop().expect_no_failure();
}

#[test]
fn a_database_that_is_slow_is_no_reason_to_keep_the_old_release() {
    let mainstay = started(app("settle = \"2s\"\nmax_latency = \"100ms\""));
    write(&mainstay, "database", "slow");
    let load = Load::new().gets(8).on(mainstay.address());
    load.wait_for_answers(50);
    write(&mainstay, "version", "two");
    reload(&mainstay).expect_code(0);
    assert_eq!(version(&mainstay), "two");
    load.stop().expect_no_failure();
}

#[test]
fn a_database_that_is_away_is_no_reason_to_keep_the_old_release() {
    let mainstay = started(app("settle = \"1s\""));
    write(&mainstay, "database", "away");
    let load = Load::new().gets(3).on(mainstay.address());
    write(&mainstay, "version", "two");
    reload(&mainstay).expect_code(0);
    assert_eq!(version(&mainstay), "two");
    assert!(load.failures() > 50, "both releases were asked");
    let kinds = load.stop().failures_by_kind();
    let database = |(_, kind): &(&str, Failure)| *kind == Failure::Status(500);
    assert!(kinds.keys().all(database), "{kinds:?}");
}

#[test]
fn a_new_release_gets_its_share_of_the_requests_while_it_settles() {
    let mainstay = started(app("settle = \"10m\"\nshare = \"10%\""));
    write(&mainstay, "version", "two");
    let command = Mainstay::say(["reload"]).beside(&mainstay);
    let reloading = thread::spawn(move || command.finish());
    eventually("an answer of the new release", || {
        (version(&mainstay) == "two").then_some(())
    });
    let answers = (0..300).map(|_| version(&mainstay));
    let of_new = answers.filter(|version| version == "two").count();
    // half of them would fall to it by itself; 30, give or take 5, are its share
    assert!((5..80).contains(&of_new), "{of_new} of 300");
    assert!(mainstay.stop().success());
    reloading.join().expect("no panic").expect_code(4);
}
