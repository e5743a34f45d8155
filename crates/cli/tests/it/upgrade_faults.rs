//! Upgrades that go wrong, at each point at which they can: all goes on as it was, or the end that was asked for comes.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use mainstay_testkit::{Load, Mainstay, Running, eventually};

use crate::support::{gateway, started};
use crate::upgrade::{program_of, upgrade, workers};

/// Answers at once, and writes whole lines in two pieces.
const APP: &str = "
require('http').createServer((q, r) => r.end('ok')).listen(3000);
let number = 0;
function line() {
  number += 1;
  process.stdout.write('line ' + number + ' beg');
  setTimeout(() => { process.stdout.write('ins and ends\\n'); setTimeout(line, 1); }, 1);
}
line();";

fn app() -> Mainstay {
    let settings = "[app.shop]\ncommand = \"node server.js\"\nworkers = 1\n";
    Mainstay::run("").file("server.js", APP).config(settings)
}

/// A program that does this first, with the number of its start in `$start`, and then is the one that is tested. It is started
/// to read what it would find, again when that stands still, and then to take over.
fn program(mainstay: &Running, name: &str, first: &str) -> PathBuf {
    let own = program_of(mainstay.pid()).display().to_string();
    let path = mainstay.folder().join(name);
    let starts = path.with_extension("starts");
    let starts = starts.display();
    let text = format!(
        "#!/bin/sh\necho >> '{starts}'; start=$(wc -l < '{starts}')\n{first}\nexec '{own}' \"$@\"\n"
    );
    fs::write(&path, text).expect("the folder is ours");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the folder is ours");
    path
}

/// Every line of the app so far is whole, and none is missing.
#[track_caller]
fn no_line_is_torn(mainstay: &Running) {
    let text = mainstay.output();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("line "))
        .collect();
    let (_, whole) = lines.split_last().expect("lines");
    for (index, line) in whole.iter().enumerate() {
        assert_eq!(*line, format!("line {} begins and ends", index + 1));
    }
}

#[test]
fn a_program_that_fails_at_the_last_moment_is_refused_while_all_goes_on() {
    let mainstay = started(app());
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    load.wait_for_answers(20);
    let (before, own) = (workers(&mainstay), program_of(mainstay.pid()));
    for (name, second, why) in [
        (
            "fails",
            "[ $start = 2 ] && { echo 'no room' >&2; exit 7; }",
            "no room",
        ),
        ("killed", "[ $start = 2 ] && kill -9 $$", "SIGKILL"),
        (
            "silent",
            "[ $start = 2 ] && exit 0",
            "what a Mainstay would",
        ),
        (
            "changed",
            "[ $start = 2 ] && touch \"$0\"",
            "was changed while it was tested",
        ),
        (
            "gone",
            "[ $start = 2 ] && rm \"$0\"",
            "was changed while it was tested",
        ),
    ] {
        let path = program(&mainstay, name, second);
        let ended = upgrade(&mainstay, Some(&path)).expect_failure();
        assert!(ended.output.contains(why), "{name}: {}", ended.output);
        load.wait_for_answers(20);
    }
    let foreign = mainstay.folder().join("foreign");
    let mut bytes = fs::read(&own).expect("it is there");
    // the machine that it is for
    bytes[18..20].copy_from_slice(&[0x16, 0x00]);
    fs::write(&foreign, bytes).expect("the folder is ours");
    fs::set_permissions(&foreign, Permissions::from_mode(0o755)).expect("the folder is ours");
    let _ = upgrade(&mainstay, Some(&foreign))
        .expect_failure()
        .says(["another kind of machine"]);
    load.stop().expect_no_failure();
    assert_eq!(
        (workers(&mainstay), program_of(mainstay.pid())),
        (before, own)
    );
    no_line_is_torn(&mainstay);
    // and one that is sound is taken
    let path = program(&mainstay, "sound", "");
    upgrade(&mainstay, Some(&path)).expect_code(0);
    let written = mainstay.output().lines().count();
    eventually("lines after it", || {
        (mainstay.output().lines().count() > written + 20).then_some(())
    });
    no_line_is_torn(&mainstay);
    assert!(mainstay.stop().success());
}

/// A pipe with a name, behind which stands what is written into it.
fn named_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("it is there").success());
}

#[test]
fn if_the_new_program_cannot_go_on_the_one_before_does() {
    let mainstay = started(app());
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    load.wait_for_answers(20);
    let (before, own) = (workers(&mainstay), program_of(mainstay.pid()));
    let old_gateway = gateway(&mainstay, None);
    let run = mainstay.folder().join(".run");
    let preload = run.join("preload.cjs");
    let (kept, second) = (run.join("kept"), run.join("second"));
    // the new program finds another script than its own, and cannot write its own; the one before finds its own
    fs::rename(&preload, &kept).expect("the folder is ours");
    named_pipe(&preload);
    named_pipe(&second);
    fs::create_dir(run.join(format!(".preload.{}", mainstay.pid()))).expect("ours");
    let copy = mainstay.folder().join("next");
    fs::copy(&own, &copy).expect("the folder is ours");
    let ended = std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&mainstay, Some(&copy)));
        // each is open as soon as somebody reads it
        let mut first = fs::File::create(&preload).expect("a reader");
        assert_eq!(program_of(mainstay.pid()), copy);
        fs::rename(&second, &preload).expect("ours");
        first.write_all(b"another").expect("it is read");
        drop(first);
        let mut again = fs::File::create(&preload).expect("a reader");
        assert_eq!(program_of(mainstay.pid()), own);
        let mut script = Vec::new();
        let mut file = fs::File::open(&kept).expect("it is there");
        file.read_to_end(&mut script).expect("it is there");
        fs::rename(&kept, &preload).expect("ours");
        again.write_all(&script).expect("it is read");
        drop(again);
        upgrading.join().expect("an end")
    });
    let _ = ended
        .expect_failure()
        .says(["the new program could not take over", "this one goes on"]);
    assert_eq!(program_of(mainstay.pid()), own);
    assert_eq!(workers(&mainstay), before);
    assert_eq!(gateway(&mainstay, None), old_gateway);
    load.wait_for_answers(20);
    load.stop().expect_no_failure();
    // it looks after all of it
    mainstay.kill(i32::try_from(before[0].0).expect("an id"));
    eventually("a successor", || {
        (workers(&mainstay)[0].1 == 1).then_some(())
    });
    fs::remove_dir(run.join(format!(".preload.{}", mainstay.pid()))).expect("ours");
    upgrade(&mainstay, Some(&copy)).expect_code(0);
    assert_eq!(program_of(mainstay.pid()), copy);
    mainstay.get("/").expect(200);
    assert!(mainstay.stop().success());
}

#[test]
fn a_full_disk_is_no_reason_to_end() {
    // what it writes to is a small disk of its own, which others see through `/proc`
    let script = "#!/bin/sh
        case $* in *run*) ;; *) exec \"$REAL\" \"$@\";; esac
        [ \"$(id -u)\" = 0 ] && own= || own=--map-root-user
        exec unshare $own --mount sh -ec '
          mkdir -p \"$MAINSTAY_RUNTIME_DIR\"
          mount -t tmpfs -o size=256k,mode=700 tmpfs \"$MAINSTAY_RUNTIME_DIR\"
          exec \"$REAL\" \"$@\"' sh \"$@\"\n";
    let mainstay = app();
    let real = mainstay.program().to_owned();
    let path = mainstay.folder().join("on-a-small-disk");
    fs::write(&path, script).expect("the folder is ours");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the folder is ours");
    let mainstay = mainstay.binary(path).env("REAL", &real).start();
    mainstay.get("/").expect(200);
    let inside = format!(
        "/proc/{}/root{}/.run",
        mainstay.pid(),
        mainstay.folder().display()
    );
    let mut filler = fs::File::create(format!("{inside}/filler")).expect("there is room");
    while filler.write_all(&[0; 512]).is_ok() {}
    eventually("an upgrade, once it has come up", || {
        let told = Mainstay::say(["upgrade"]).env("MAINSTAY_RUNTIME_DIR", &inside);
        let ended = told.finish();
        let is_early = ended.output.contains("has not come up yet");
        (!is_early).then(|| ended.expect_code(0))
    });
    mainstay.get("/").expect(200);
    assert!(mainstay.stop().success());
}

#[test]
fn a_stop_in_the_middle_of_an_upgrade_is_heard() {
    for start in 1..=3 {
        let mut mainstay = started(app());
        let own = program_of(mainstay.pid());
        // as somebody does who types it just then
        let stop = format!(
            "[ $start = {start} ] && {{ MAINSTAY_RUNTIME_DIR='{folder}/.run' '{}' stop > '{folder}/stopped' 2>&1 & \
             sleep 0.3; }}",
            own.display(),
            folder = mainstay.folder().display()
        );
        let path = program(&mainstay, "next", &stop);
        let ended = upgrade(&mainstay, Some(&path));
        let status = eventually("the end", || mainstay.ended());
        assert!(
            status.success(),
            "{start}: {}\n{}",
            ended.output,
            mainstay.output()
        );
        let said = || fs::read_to_string(mainstay.folder().join("stopped")).unwrap_or_default();
        eventually("the end of the command", || {
            said().contains("has stopped").then_some(())
        });
    }
}

#[test]
fn what_a_signal_asks_for_meanwhile_is_done_afterwards() {
    let mainstay = started(app().without_terminal());
    let before = workers(&mainstay);
    let hang_up = "[ $start = 1 ] && kill -HUP $PPID && sleep 0.3";
    let path = program(&mainstay, "next", hang_up);
    upgrade(&mainstay, Some(&path)).expect_code(0);
    eventually("a new release", || {
        (workers(&mainstay)[0].0 != before[0].0).then_some(())
    });
    mainstay.get("/").expect(200);
    assert!(mainstay.stop().success());
}

#[test]
fn where_too_few_files_may_be_open_it_is_said_before_anything_is_given_away() {
    let many = "[app.many]\ncommand = \"sleep 1000\"\nhttp = false\nworkers = 40\n";
    // what it has open fits; twice as much does only where the limit may be raised for that moment
    for (limit, is_enough) in [("ulimit -S -n 180", true), ("ulimit -n 180", false)] {
        let mainstay = Mainstay::run("").config(many).listens_as_configured();
        let real = mainstay.program().display().to_string();
        let path = mainstay.folder().join("limited");
        let script = format!("#!/bin/sh\n{limit}\nexec '{real}' \"$@\"\n");
        fs::write(&path, script).expect("the folder is ours");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the folder is ours");
        let mainstay = mainstay
            .binary(path)
            .start_until("40 workers in the background");
        eventually("all workers", || {
            (workers(&mainstay).len() == 40).then_some(())
        });
        let before = workers(&mainstay);
        let ended = upgrade(&mainstay, None);
        assert_eq!(
            ended.status.success(),
            is_enough,
            "{limit}: {}",
            ended.output
        );
        if !is_enough {
            let _ = ended.says(["open files for a moment, and no more than 180"]);
        }
        assert_eq!(workers(&mainstay), before);
        // and looked after
        mainstay.kill(i32::try_from(before[0].0).expect("an id"));
        eventually("a successor", || {
            let now = workers(&mainstay)[0].0;
            (now > 0 && now != before[0].0).then_some(())
        });
        assert!(mainstay.stop().success());
    }
}
