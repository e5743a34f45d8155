//! Upgrades of the program itself: under load, again and again, with what goes on afterwards; and programs that are refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mainstay_testkit::{Ended, Form, Load, Mainstay, Running, eventually};
use serde_json::Value;

use crate::support::{gateway, started, status};

/// Keeps nothing, answers at once, and says what it does.
const APP: &str = "
let answers = 0;
require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => { response.end('ok'); if (request.url === '/say') console.log('said ' + ++answers); });
}).listen(3000);";

fn app(of_app: &str, others: &str) -> Mainstay {
    Mainstay::run("").file("server.js", APP).config(&format!(
        "{others}\n[app.shop]\ncommand = \"node server.js\"\n{of_app}\n"
    ))
}

/// `mainstay upgrade` to this program; without one, to what is in its file.
pub(crate) fn upgrade(mainstay: &Running, binary: Option<&Path>) -> Ended {
    let command = match binary.and_then(Path::to_str) {
        Some(binary) => Mainstay::say(["upgrade", binary]),
        None => Mainstay::say(["upgrade"]),
    };
    command.beside(mainstay).finish()
}

/// The program that is tested, once more.
pub(crate) fn copy(mainstay: &Running, name: &str) -> PathBuf {
    let copy = mainstay.folder().join(name);
    fs::copy(program_of(mainstay.pid()), &copy).expect("the folder is ours");
    copy
}

/// What a listing says of each worker of the first app: its process, and how often it was started again.
pub(crate) fn workers(mainstay: &Running) -> Vec<(i64, i64)> {
    let status = status(mainstay);
    let workers = status["targets"][0]["workers"].as_array().expect("a list");
    let number = |worker: &Value, key: &str| worker[key].as_i64().unwrap_or(-1);
    workers
        .iter()
        .map(|worker| (number(worker, "pid"), number(worker, "restarts")))
        .collect()
}

/// The program that a process runs.
pub(crate) fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).expect("it runs")
}

fn id(pid: i64) -> i32 {
    i32::try_from(pid).expect("a process id")
}

#[test]
fn upgrades_under_load_lose_no_request_and_touch_no_worker() {
    let mainstay = started(app("workers = 2", ""));
    let before = workers(&mainstay);
    let pid = mainstay.pid();
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    load.wait_for_answers(50);
    for round in 0..Form::asked().pick(3, 10) {
        let old = gateway(&mainstay, None);
        let next = copy(&mainstay, &format!("mainstay-{round}"));
        let ended = upgrade(&mainstay, Some(&next)).expect_code(0);
        ended.says(["can carry on", "no worker was touched"]);
        assert_eq!(program_of(pid), next);
        let gateway = gateway(&mainstay, Some(old));
        assert_eq!(program_of(u32::try_from(gateway).expect("an id")), next);
        load.wait_for_answers(100);
    }
    load.stop().expect_no_failure();
    assert_eq!(workers(&mainstay), before);
    assert_eq!(mainstay.pid(), pid);
    // the guard is one of the new program, too
    let guards = || {
        let of = |pid: &i32| mainstay.words_of(*pid).get(1).map(String::as_str) == Some("guard");
        mainstay
            .descendants()
            .into_iter()
            .filter(of)
            .collect::<Vec<_>>()
    };
    let guard = eventually("one guard", || match guards()[..] {
        [only] => Some(only),
        _ => None,
    });
    let guard = u32::try_from(guard).expect("an id");
    eventually("the guard of the last program", || {
        (program_of(guard) == program_of(pid)).then_some(())
    });
    assert!(mainstay.stop().success());
}

#[test]
fn afterwards_all_goes_on() {
    let mainstay = started(app("workers = 2", ""));
    mainstay.get("/say").expect(200);
    mainstay.output_contains_eventually("said 1");
    let [(first, _), (second, _)] = workers(&mainstay)[..] else {
        panic!("two workers");
    };
    mainstay.kill(id(first));
    eventually("a restart", || (workers(&mainstay)[0].1 == 1).then_some(()));
    upgrade(&mainstay, None).expect_code(0);
    assert_eq!(workers(&mainstay)[0].1, 1, "restarts are remembered");

    // one that dies is noticed and started again
    mainstay.kill(id(second));
    eventually("another worker", || {
        let (pid, restarts) = workers(&mainstay)[1];
        (pid != second && restarts == 1).then_some(())
    });
    // output, orders, and the admin socket
    mainstay.get("/say").expect(200);
    let told = Mainstay::say(["scale", "shop", "3"])
        .beside(&mainstay)
        .finish();
    told.expect_code(0);
    eventually("three workers", || {
        (workers(&mainstay).len() == 3).then_some(())
    });
    Mainstay::say(["reload"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    eventually("the new release", || {
        let pids: Vec<i64> = workers(&mainstay).iter().map(|worker| worker.0).collect();
        (pids.len() == 3 && !pids.contains(&second)).then_some(())
    });
    upgrade(&mainstay, None).expect_code(0);
    mainstay.get("/say").expect(200);
    assert!(mainstay.stop().success());
}

#[test]
fn what_was_ordered_at_run_time_still_holds() {
    let mainstay = started(app("", ""));
    let tell = |words: [&str; 2]| {
        Mainstay::say(words)
            .beside(&mainstay)
            .finish()
            .expect_code(0)
    };
    tell(["disable", "headers"]);
    tell(["maintenance", "on"]);
    mainstay.get("/").expect(503);
    let before = status(&mainstay);
    upgrade(&mainstay, None).expect_code(0);
    mainstay.get("/").expect(503);
    let after = status(&mainstay);
    for key in ["disabled", "instance", "started_at_ms"] {
        let names = |status: &Value| status[key].as_array().map_or(0, Vec::len);
        assert_eq!(names(&before), names(&after), "{key} in {after}");
    }
    tell(["maintenance", "off"]);
    mainstay.get("/").expect(200);
}

#[test]
fn a_file_that_was_replaced_in_its_place_is_what_is_taken() {
    let mainstay = app("", "");
    let own = mainstay.folder().join("own");
    fs::copy(mainstay.program(), &own).expect("the folder is ours");
    let mainstay = started(mainstay.binary(&own));
    let next = copy(&mainstay, "next");
    fs::rename(next, &own).expect("the folder is ours");
    assert!(
        program_of(mainstay.pid())
            .to_string_lossy()
            .ends_with("(deleted)")
    );
    upgrade(&mainstay, None).expect_code(0);
    assert_eq!(program_of(mainstay.pid()), own);
    mainstay.get("/").expect(200);
}

#[test]
fn a_program_that_cannot_carry_on_is_refused_and_nothing_is_touched() {
    let mainstay = started(app("", ""));
    let (before, gateway_before) = (workers(&mainstay), gateway(&mainstay, None));
    let own = program_of(mainstay.pid());
    let another_form = "#!/bin/sh\necho 'error: it reads form 7' >&2\nexit 2\n";
    for (name, text, mode, why) in [
        ("plain", "no program", 0o644, "is not a program"),
        ("garbage", "\u{7f}garbage", 0o755, "is not a program"),
        (
            "true",
            "#!/bin/sh\nexit 0\n",
            0o755,
            "does not say what a Mainstay would",
        ),
        ("chatty", "#!/bin/sh\nyes\n", 0o755, "cannot carry on"),
        ("other", another_form, 0o755, "it reads form 7"),
        (
            "hangs",
            "#!/bin/sh\nsleep 1000\n",
            0o755,
            "did not say so within",
        ),
    ] {
        let path = mainstay.folder().join(name);
        fs::write(&path, text).expect("the folder is ours");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the folder is ours");
        let ended = upgrade(&mainstay, Some(&path)).expect_failure();
        assert!(ended.output.contains(why), "{name}: {}", ended.output);
    }
    let absent = mainstay.folder().join("absent");
    upgrade(&mainstay, Some(&absent))
        .expect_failure()
        .says(["absent"]);
    assert_eq!(program_of(mainstay.pid()), own);
    assert_eq!(workers(&mainstay), before);
    assert_eq!(gateway(&mainstay, None), gateway_before);
    mainstay.get("/").expect(200);
    assert!(mainstay.stop().success());
}

#[test]
fn if_the_control_plane_dies_after_an_upgrade_nobody_is_left() {
    let mut mainstay = started(app("workers = 2", ""));
    upgrade(&mainstay, None).expect_code(0);
    mainstay.kill_and_expect_nobody_left();
}
