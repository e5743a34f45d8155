//! Releases that take the place of others: under load, in folders, one after the other, and those that are no good.

use std::path::Path;
use std::{fs, thread};

use mainstay_testkit::{Ended, Form, Load, Mainstay, Running, eventually};

use crate::support::{gateway, json, started, status};

/// An app whose behaviour stands in a file beside it.
const APP: &str = "
const version = require('fs').readFileSync(__dirname + '/version', 'utf8').trim();
if (version === 'broken') throw new Error('no such table: users');
const server = require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end(JSON.stringify({ version, pid: process.pid })));
});
if (version === 'silent') setInterval(() => {}, 1000);
else server.listen(3000);
if (version === 'fragile') setTimeout(() => process.exit(3), 100);
if (version === 'half' && process.env.NODE_APP_INSTANCE === '1') process.exit(4);
";

/// Short enough for a test, long enough for an app that dies at once to be caught.
const SETTLE: &str = "[reload]\nsettle = \"400ms\"\n";

/// The app, version `one`, with these settings of its section and of others.
fn app(of_app: &str, others: &str) -> Mainstay {
    Mainstay::run("")
        .file("server.js", APP)
        .file("version", "one")
        .config(&format!(
            "{others}\n[app.shop]\ncommand = \"node server.js\"\n{of_app}\n"
        ))
}

#[track_caller]
fn set_version(mainstay: &Running, version: &str) {
    fs::write(mainstay.folder().join("version"), version).expect("the folder is ours");
}

#[track_caller]
fn version(mainstay: &Running) -> String {
    let answer = json(&mainstay.get("/").expect(200));
    answer["version"].as_str().expect("a version").to_owned()
}

fn reload(mainstay: &Running) -> Ended {
    Mainstay::say(["reload"]).beside(mainstay).finish()
}

/// Ids of the workers' processes, and the releases they are of.
fn workers(mainstay: &Running) -> Vec<(i64, i64)> {
    let status = status(mainstay);
    let workers = status["targets"][0]["workers"].as_array().expect("a list");
    let number = |worker: &serde_json::Value, key: &str| worker[key].as_i64().unwrap_or_default();
    workers
        .iter()
        .map(|worker| (number(worker, "pid"), number(worker, "release")))
        .collect()
}

#[test]
fn releases_replace_each_other_under_load_and_broken_ones_do_not() {
    let mainstay = started(app("workers = 2", SETTLE));
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(50);
    let rounds = Form::asked().pick(5, 20);
    for round in 0..rounds {
        if round % 4 == 2 {
            let before = version(&mainstay);
            set_version(&mainstay, "broken");
            reload(&mainstay).expect_code(1);
            assert_eq!(version(&mainstay), before, "the old release stays");
        } else {
            let next = format!("v{round}");
            set_version(&mainstay, &next);
            reload(&mainstay).expect_code(0);
            assert_eq!(version(&mainstay), next);
        }
        load.wait_for_answers(50);
    }
    load.stop().expect_no_failure();
}

#[test]
fn a_release_that_does_not_come_up_changes_nothing_and_says_why() {
    let mainstay = started(app("workers = 2", SETTLE));
    let before = workers(&mainstay);
    set_version(&mainstay, "broken");
    let ended = reload(&mainstay).expect_code(1);
    for part in ["release 2 did not hold", "no such table: users"] {
        assert!(ended.output.contains(part), "{part} in\n{}", ended.output);
    }
    assert_eq!(workers(&mainstay), before);
    assert_eq!(version(&mainstay), "one");
    let last = &status(&mainstay)["reload"]["last"];
    assert_eq!(last["code"], 1, "{last}");
    mainstay.output_contains_eventually("the reload failed");
}

#[test]
fn a_release_that_is_never_ready_is_given_up_in_time() {
    // a sound release gets the time that it needs on a busy machine
    let mainstay = started(app("start_timeout = \"5m\"", SETTLE));
    let file = mainstay.folder().join("mainstay.toml");
    let settings = fs::read_to_string(&file).expect("the folder is ours");
    fs::write(&file, settings.replace("\"5m\"", "\"500ms\"")).expect("the folder is ours");
    set_version(&mainstay, "silent");
    let ended = reload(&mainstay).expect_code(1);
    assert!(
        ended.output.contains("did not listen within"),
        "{}",
        ended.output
    );
    assert_eq!(version(&mainstay), "one");
    eventually("the end of the silent worker", || {
        (workers(&mainstay).len() == 1).then_some(())
    });
}

#[test]
fn a_release_that_dies_soon_after_it_was_ready_does_not_hold() {
    let mainstay = started(app("", "[reload]\nsettle = \"10s\"\n"));
    let before = workers(&mainstay);
    set_version(&mainstay, "fragile");
    let ended = reload(&mainstay).expect_code(1);
    assert!(ended.output.contains("exit status 3"), "{}", ended.output);
    assert_eq!(workers(&mainstay), before);
    assert_eq!(version(&mainstay), "one");
}

/// Releases of an app in folders, `current` leading to the first.
fn in_folders(source: &str, of_app: &str, second: &str) -> Mainstay {
    let mainstay = Mainstay::run("")
        .file("releases/1/server.js", source)
        .file("releases/1/version", "one")
        .file("releases/2/server.js", source)
        .file("releases/2/version", second)
        .config(&format!(
            "{SETTLE}\n[app.shop]\ncwd = \"current\"\ncommand = \"node server.js\"\n{of_app}\n"
        ));
    point(mainstay.folder(), "releases/1");
    mainstay
}

fn point(folder: &Path, to: &str) {
    let (next, current) = (folder.join("next"), folder.join("current"));
    std::os::unix::fs::symlink(to, &next).expect("the folder is ours");
    fs::rename(next, current).expect("the folder is ours");
}

#[test]
fn current_is_followed_again_at_a_reload_and_not_before() {
    let mainstay = started(in_folders(APP, "", "two"));
    point(mainstay.folder(), "releases/2");
    let (pid, _) = workers(&mainstay)[0];
    mainstay.kill(i32::try_from(pid).expect("a process id"));
    eventually("another worker", || {
        (workers(&mainstay)[0].0 != pid).then_some(())
    });
    assert_eq!(version(&mainstay), "one", "it is still of the old release");
    reload(&mainstay).expect_code(0);
    assert_eq!(version(&mainstay), "two");
}

#[test]
fn the_way_back_starts_the_old_release_from_its_own_folder() {
    let mainstay = started(in_folders(APP, "workers = 2", "half"));
    point(mainstay.folder(), "releases/2");
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    // the first batch holds, and an old worker leaves; the second does not
    let ended = reload(&mainstay).expect_code(1);
    assert!(
        ended.output.contains("1 of 2 new workers serve"),
        "{}",
        ended.output
    );
    assert!(ended.output.contains("exit status 4"), "{}", ended.output);
    let releases: Vec<i64> = workers(&mainstay)
        .iter()
        .map(|(_, release)| *release)
        .collect();
    assert_eq!(releases, [1, 1]);
    load.wait_for_answers(50);
    load.stop().expect_no_failure();
    for _ in 0..10 {
        assert_eq!(version(&mainstay), "one");
    }
}

/// An app that ends if another of its kind runs.
const ALONE: &str = "
const fs = require('fs');
const version = fs.readFileSync('version', 'utf8').trim();
try { fs.mkdirSync('../../alone'); } catch { console.error('I am not alone'); process.exit(5); }
const leave = (code) => { fs.rmdirSync('../../alone'); process.exit(code); };
process.on('SIGTERM', () => leave(0));
if (version === 'broken') leave(6);
require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end(JSON.stringify({ version })));
}).listen(3000);
";

#[test]
fn an_app_that_may_not_run_twice_never_does_and_requests_wait() {
    let mainstay = started(in_folders(ALONE, "reload = \"hold\"", "broken"));
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(50);
    reload(&mainstay).expect_code(0);
    load.wait_for_answers(50);
    point(mainstay.folder(), "releases/2");
    let ended = reload(&mainstay).expect_code(1);
    assert!(ended.output.contains("exit status 6"), "{}", ended.output);
    load.wait_for_answers(50);
    assert_eq!(version(&mainstay), "one", "the old release serves again");
    load.stop().expect_no_failure();
    mainstay.output_lacks("I am not alone");
}

#[test]
fn the_release_command_runs_once_as_the_app_would() {
    let command = "release_command = \"echo migrated $SHOP in ${PWD##*/}; echo x >> ran\"\nenv = { SHOP = \"north\" }";
    let mainstay = started(
        app(&format!("cwd = \"site\"\nworkers = 2\n{command}"), SETTLE)
            .file("site/server.js", APP)
            .file("site/version", "one"),
    );
    assert!(!mainstay.folder().join("site/ran").exists(), "not at start");
    reload(&mainstay).expect_code(0);
    mainstay.output_contains_eventually("migrated north in site");
    let ran = fs::read_to_string(mainstay.folder().join("site/ran")).expect("it ran");
    assert_eq!(ran, "x\n", "once for both workers");
}

#[test]
fn a_release_command_that_fails_or_takes_too_long_leaves_everything_as_it_is() {
    for (command, timeout, said) in [
        ("echo no such column; exit 3", "5m", "no such column"),
        ("echo waiting; sleep 600", "500ms", "did not end within"),
    ] {
        let of_app = format!("release_command = \"{command}\"\nrelease_timeout = \"{timeout}\"");
        let mainstay = started(app(&of_app, SETTLE));
        let before = workers(&mainstay);
        let ended = reload(&mainstay).expect_code(1);
        assert!(ended.output.contains(said), "{}", ended.output);
        assert_eq!(workers(&mainstay), before);
        // nothing of the command stays: control, gateway, guard, worker
        eventually("the end of the release command", || {
            (mainstay.descendants().len() == 3).then_some(())
        });
    }
}

#[test]
fn no_more_workers_run_at_once_than_max_surge_allows() {
    let mainstay = started(app(
        "workers = 4",
        "[reload]\nsettle = \"100ms\"\nmax_surge = 2\n",
    ));
    let reload = Mainstay::say(["reload"]).beside(&mainstay);
    let reloading = thread::spawn(move || reload.finish());
    let mut most = 0;
    while !reloading.is_finished() {
        most = workers(&mainstay).len().max(most);
    }
    reloading.join().expect("no panic").expect_code(0);
    assert_eq!(most, 6, "four, and two beside them");
    assert_eq!(workers(&mainstay).len(), 4);
}

#[test]
fn reloads_at_once_run_one_after_the_other() {
    let mainstay = started(app("", SETTLE));
    thread::scope(|scope| {
        let reloads: Vec<_> = (0..3).map(|_| scope.spawn(|| reload(&mainstay))).collect();
        for ended in reloads {
            ended.join().expect("no panic").expect_code(0);
        }
    });
    let found = workers(&mainstay);
    assert_eq!(found.len(), 1, "{found:?}");
    // the second and third may have waited together
    assert!((3..=4).contains(&found[0].1), "{found:?}");
}

#[test]
fn only_the_named_app_gets_a_new_release() {
    let two = "[route.other]\npath = \"/other\"\nto = \"other\"\n[route.shop]\nto = \"shop\"\n\
               [app.other]\ncommand = \"node server.js\"\n";
    let mainstay = started(app("", &format!("{SETTLE}{two}")));
    let releases = || -> Vec<i64> {
        let status = status(&mainstay);
        let targets = status["targets"].as_array().expect("a list");
        let release = |target: &serde_json::Value| target["workers"][0]["release"].as_i64();
        targets.iter().filter_map(release).collect()
    };
    eventually("both apps", || (releases() == [1, 1]).then_some(()));
    let named = |app| Mainstay::say(["reload", app]).beside(&mainstay).finish();
    named("shop").expect_code(0);
    assert_eq!(releases(), [1, 2]);
    let ended = named("shob").expect_code(2);
    assert!(
        ended.output.contains("did you mean `shop`?"),
        "{}",
        ended.output
    );
    assert_eq!(releases(), [1, 2]);
}

/// Lets the only worker be started again as a version that does not come up, until that is called a crash loop.
#[track_caller]
fn into_a_crash_loop(mainstay: &Running) {
    set_version(mainstay, "broken");
    let (pid, _) = workers(mainstay)[0];
    mainstay.kill(i32::try_from(pid).expect("a process id"));
    eventually("the crash loop", || {
        let looping = status(mainstay)["targets"][0]["crash_loop"] == true;
        looping.then_some(())
    });
}

#[test]
fn a_crash_loop_is_loud_and_a_sound_release_ends_it() {
    let mainstay = started(app("", SETTLE));
    into_a_crash_loop(&mainstay);
    let said = Mainstay::say(["status"]).beside(&mainstay).finish().output;
    for part in ["0 of 1 ready · CRASH LOOP", "last exit status 1"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    mainstay.output_contains_eventually("is in a crash loop");
    mainstay.get("/.mainstay/ready").expect(503);
    set_version(&mainstay, "two");
    reload(&mainstay).expect_code(0);
    assert_eq!(version(&mainstay), "two");
    assert_eq!(status(&mainstay)["targets"][0]["crash_loop"], false);
}

#[test]
fn a_worker_that_was_given_up_comes_back_with_a_sound_release() {
    let mainstay = started(app("give_up = true", SETTLE));
    into_a_crash_loop(&mainstay);
    let state = status(&mainstay)["targets"][0]["workers"][0]["state"].clone();
    assert_eq!(state, "given_up");
    set_version(&mainstay, "two");
    reload(&mainstay).expect_code(0);
    assert_eq!(version(&mainstay), "two");
}

#[test]
fn another_gateway_takes_over_by_command() {
    let mainstay = started(app("workers = 2", SETTLE));
    let (before, releases) = (gateway(&mainstay, None), workers(&mainstay));
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    load.wait_for_answers(50);
    Mainstay::say(["reload", "--gateway"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    assert_ne!(gateway(&mainstay, None), before);
    load.wait_for_answers(50);
    load.stop().expect_no_failure();
    assert_eq!(workers(&mainstay), releases);
}

#[test]
fn a_hang_up_reloads_where_there_is_no_terminal() {
    let mainstay = started(app("", SETTLE).without_terminal());
    assert_eq!(version(&mainstay), "one");
    set_version(&mainstay, "two");
    mainstay.hang_up();
    eventually("the new release", || {
        (version(&mainstay) == "two").then_some(())
    });
    mainstay.output_contains_eventually("reloaded");
}
