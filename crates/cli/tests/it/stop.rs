//! The end of an instance: asked for by signal or command, under load, twice, in the middle of something else.

use std::os::unix::fs::PermissionsExt as _;
use std::{fs, thread};

use mainstay_testkit::{Failure, Load, Mainstay, Running, eventually};

use crate::support::{started, status};

fn stop(mainstay: &Running) -> mainstay_testkit::Ended {
    Mainstay::say(["stop"]).beside(mainstay).finish()
}

/// Its exit code, once it has ended.
#[track_caller]
fn code(mainstay: &mut Running) -> Option<i32> {
    eventually("the end", || mainstay.ended()).code()
}

#[test]
fn every_accepted_request_is_answered_when_it_stops_under_load() {
    let mut mainstay = started(Mainstay::run_testapp([]).flags(["-n", "2"]));
    let load = Load::new().gets(4).on(mainstay.address());
    load.wait_for_answers(200);
    stop(&mainstay).expect_code(0);
    assert_eq!(code(&mut mainstay), Some(0));
    let outcome = load.stop();
    assert!(outcome.answers() > 200);
    // whoever comes too late is not let in; nobody who was is left without an answer
    let others: Vec<_> = outcome
        .failures
        .iter()
        .filter(|failed| failed.kind != Failure::Connect)
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn what_has_begun_is_finished_first() {
    let mut mainstay = started(Mainstay::run_testapp([]));
    let mut wire = mainstay.connect();
    wire.send("GET /slow?ms=700 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let mut idle = mainstay.connect();
    idle.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .response()
        .expect(200);
    thread::scope(|scope| {
        let stopping = scope.spawn(|| stop(&mainstay));
        wire.response().expect(200);
        assert!(idle.is_closed_eventually());
        drop((wire, idle));
        stopping.join().expect("no panic").expect_code(0);
    });
    assert_eq!(code(&mut mainstay), Some(0));
}

#[test]
fn a_second_wish_to_stop_hurries() {
    let patient =
        "[shutdown]\ngrace = \"1h\"\nstreams = \"1h\"\n[app.shop]\ncommand = \"node server.js\"\n";
    let app = "require('http').createServer(() => {}).listen(3000);";
    let mut mainstay = started(Mainstay::run("").file("server.js", app).config(patient));
    let mut wire = mainstay.connect();
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    thread::scope(|scope| {
        let first = scope.spawn(|| stop(&mainstay));
        eventually("the drain", || {
            (status(&mainstay)["gateway"]["phase"] == "draining").then_some(())
        });
        stop(&mainstay).expect_code(0);
        first.join().expect("no panic").expect_code(0);
    });
    assert_eq!(code(&mut mainstay), Some(0));
}

#[test]
fn a_stop_wins_over_a_reload() {
    let settings = "[app.shop]\ncommand = \"node server.js\"\nrelease_command = \"sleep 600\"\n";
    let app =
        "require('http').createServer((request, response) => response.end('ok')).listen(3000);";
    let mut mainstay = started(Mainstay::run("").file("server.js", app).config(settings));
    thread::scope(|scope| {
        let reloading = scope.spawn(|| Mainstay::say(["reload"]).beside(&mainstay).finish());
        eventually("the release command", || {
            (mainstay.descendants().len() >= 4).then_some(())
        });
        let waiting = scope.spawn(|| {
            Mainstay::say(["reload", "--settings"])
                .beside(&mainstay)
                .finish()
        });
        mainstay.output_contains_eventually("the release command runs");
        stop(&mainstay).expect_code(0);
        reloading.join().expect("no panic").expect_code(4);
        // it was told so, or came too late
        waiting.join().expect("no panic").expect_failure();
    });
    assert_eq!(code(&mut mainstay), Some(0));
    assert!(mainstay.descendants().is_empty());
}

#[test]
fn readiness_goes_first_and_work_is_still_taken() {
    let settings = "[shutdown]\ndelay = \"1h\"\n[app.shop]\ncommand = \"node server.js\"\n";
    let app =
        "require('http').createServer((request, response) => response.end('ok')).listen(3000);";
    let mut mainstay = started(Mainstay::run("").file("server.js", app).config(settings));
    mainstay.get("/.mainstay/ready").expect(200);
    mainstay.terminate();
    eventually("readiness to say no", || {
        (mainstay.get("/.mainstay/ready").status() == 503).then_some(())
    });
    mainstay.get("/").expect(200).body_is("ok");
    mainstay.terminate();
    assert_eq!(code(&mut mainstay), Some(0));
}

#[test]
fn a_terminal_that_is_closed_takes_it_along() {
    let start = Mainstay::run_testapp([]);
    let script = start.folder().join("terminal");
    // `script` holds the terminal; the shell in it becomes the program
    let words = format!(
        "#!/bin/sh\nexec script -qfec \"exec {} $*\" /dev/null\n",
        start.program().display()
    );
    fs::write(&script, words).expect("the folder is ours");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("ours");
    let mut mainstay = started(start.binary(script));
    let below = mainstay.descendants();
    assert!(
        below.len() >= 4,
        "control plane, gateway, guard, worker: {below:?}"
    );
    mainstay.kill_and_expect_nobody_left();
    let folder = fs::read_dir(mainstay.folder().join(".run"));
    assert!(
        folder.is_err(),
        "it ended in order and took its folder along"
    );
}

#[test]
fn of_several_instances_one_must_be_named() {
    // where instances find each other: the folder of folders that this user's instances share
    let folder = mainstay_testkit::Folder::new();
    let name = |number: u32| format!("several-{}-{number}", std::process::id());
    let named = |number| {
        Mainstay::run_testapp([])
            .env("MAINSTAY_RUNTIME_DIR", "")
            .env("MAINSTAY_HOME", folder.path())
            .flags(["--name", &name(number)])
    };
    let instances = [named(1).start(), named(2).start()];
    let ask = |words: &[&str]| {
        let start = Mainstay::say([])
            .env("MAINSTAY_RUNTIME_DIR", "")
            .env("MAINSTAY_HOME", folder.path());
        words
            .iter()
            .fold(start, |start, word| start.flags([word]))
            .finish()
    };
    let ended = ask(&["stop"]).expect_code(2);
    for number in [1, 2] {
        let quoted = format!("`{}`", name(number));
        assert!(ended.output.contains(&quoted), "{}", ended.output);
        let status = ask(&["status", "--name", &name(number)]).expect_code(0);
        assert!(
            status.output.starts_with(&name(number)),
            "{}",
            status.output
        );
    }
    ask(&["stop", "--name", &name(1)]).expect_code(0);
    let [first, second] = instances;
    let mut first = first;
    assert_eq!(code(&mut first), Some(0));
    second.get("/").expect(200);
    assert!(second.stop().success());
}

#[test]
fn nobody_to_stop_is_said() {
    let mainstay = Mainstay::run_testapp([]).start();
    let ended = Mainstay::say(["stop", "--name", "other"])
        .beside(&mainstay)
        .finish();
    let ended = ended.expect_code(2);
    assert!(
        ended.output.contains("no instance `other`"),
        "{}",
        ended.output
    );
    mainstay.get("/").expect(200);
}
