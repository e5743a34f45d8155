//! Upgrades of the program in every life it may lead: in the background, under systemd, as the first process of a container,
//! beside a store, and with everything that may be under way or was ordered by hand.

use std::fs;
use std::os::unix::net::UnixDatagram;

use mainstay_testkit::{Home, Load, Mainstay, Redis, Running, eventually, patience};
use serde_json::Value;

use crate::startup::heard_until;
use crate::support::{started, status};
use crate::upgrade::{program_of, upgrade, workers};

/// Answers at once, with its process id.
const APP: &str =
    "require('http').createServer((q, r) => r.end(String(process.pid))).listen(3000);";

/// Writes numbered lines for ever, each in two pieces with a moment between.
const WRITER: &str = "let number = 0;
function line() {
  number += 1;
  process.stdout.write('line ' + number + ' beg');
  setTimeout(() => { process.stdout.write('ins and ends\\n'); setImmediate(line); }, 1);
}
line();";

#[track_caller]
fn say<const N: usize>(mainstay: &Running, words: [&str; N]) -> String {
    let ended = Mainstay::say(words).beside(mainstay).finish();
    ended.expect_code(0).output
}

/// What a listing says of an app.
fn target(mainstay: &Running, name: &str) -> Value {
    let status = status(mainstay);
    let targets = status["targets"].as_array().expect("a list");
    let mut found = targets.iter().filter(|target| target["name"] == name);
    found.next().cloned().unwrap_or(Value::Null)
}

/// How many lines were written, all of them whole and in order.
#[track_caller]
fn whole_lines(text: &str) -> usize {
    let mut lines: Vec<&str> = text.lines().collect();
    // the last may have been cut short by the end
    lines.pop();
    for (index, line) in lines.iter().enumerate() {
        let expected = format!("line {} begins and ends", index + 1);
        let before = index.checked_sub(1).map(|before| lines[before]);
        assert_eq!(*line, expected, "behind {before:?}");
    }
    lines.len()
}

#[test]
fn in_the_background_nothing_is_lost_of_what_is_written_into_files() {
    let home = Home::new();
    home.file("server.js", APP).file("writer.js", WRITER).file(
        "mainstay.toml",
        "name = \"shop\"\n[app.api]\ncommand = \"node server.js\"\nlisten = \"127.0.0.1:0\"\n\
         [app.writer]\ncommand = \"node writer.js\"\nhttp = false\n",
    );
    let _ = home.say("start").finish().expect_code(0);
    let pids = || {
        let text = home.say("jlist").finish().expect_code(0).output;
        let listed: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let pids = listed.iter().map(|entry| entry["pid"].as_i64());
        pids.collect::<Vec<_>>()
    };
    let before = pids();
    assert_eq!(before.len(), 2);
    let log = || home.log("shop", "writer-out.log");
    for _ in 0..3 {
        let written = log().lines().count();
        eventually("more lines", || {
            (log().lines().count() > written + 100).then_some(())
        });
        let told = home.say("upgrade").finish().expect_code(0);
        let _ = told.says(["no worker was touched"]);
    }
    assert_eq!(pids(), before);
    let written = log().lines().count();
    eventually("lines after the last", || {
        (log().lines().count() > written + 100).then_some(())
    });
    let _ = home.say("stop").finish().expect_code(0);
    assert!(whole_lines(&log()) > written + 100);
    assert!(home.log("shop", "mainstay.log").contains("stopped"));
    // its record is as good as before
    let _ = home.say("start shop").finish().expect_code(0);
    assert_eq!(pids().len(), 2);
}

#[test]
fn systemd_finds_the_same_process_alive_and_ready() {
    let folder = mainstay_testkit::Folder::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a free path");
    socket.set_read_timeout(Some(patience())).expect("a time");
    let mainstay = Mainstay::run("server.js")
        .file("server.js", APP)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .start();
    let _ = heard_until(&socket, "READY=1");
    let pid = mainstay.pid();
    upgrade(&mainstay, None).expect_code(0);
    assert_eq!(mainstay.pid(), pid);
    // what the program before has said, to its last word
    socket.set_nonblocking(true).expect("a mode");
    let mut buffer = [0; 512];
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!(text, "WATCHDOG=1", "nothing has ended for systemd");
    }
    socket.set_nonblocking(false).expect("a mode");
    for _ in 0..3 {
        let heard = heard_until(&socket, "WATCHDOG=1");
        assert_eq!(heard.len(), 1, "{heard:?}");
    }
    mainstay.terminate();
    let _ = heard_until(&socket, "STOPPING=1");
    assert!(mainstay.stop().success());
}

#[test]
fn the_first_process_of_a_container_stays_it() {
    let orphan = "process.on('SIGUSR2', () => require('child_process')\
        .spawn('sh', ['-c', '(sleep 0.2 &) ; exit'], { detached: true }));";
    let mainstay = Mainstay::run("server.js")
        .file("server.js", &format!("{orphan}\n{APP}"))
        .as_first_process();
    let mut mainstay = started(mainstay);
    let first = mainstay.descendants()[0];
    let before = workers(&mainstay);
    let own = mainstay.folder().join("next");
    let first_pid = u32::try_from(first).expect("an id");
    fs::copy(program_of(first_pid), &own).expect("the folder is ours");
    upgrade(&mainstay, Some(&own)).expect_code(0);
    assert_eq!(program_of(first_pid), own);
    assert_eq!(workers(&mainstay), before);
    mainstay.get("/").expect(200);
    // it still reaps whom nobody else waits for
    say(&mainstay, ["signal", "all", "SIGUSR2"]);
    eventually("no zombie below the first process", || {
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).ok()?;
        let is_zombie = |child: &str| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.contains(") Z ")
        };
        (!children.split_whitespace().any(is_zombie)).then_some(())
    });
    mainstay.terminate_process(first);
    let status = eventually("the end", || mainstay.ended());
    assert_eq!(status.code(), Some(0), "{}", mainstay.output());
}

/// Fails for as long as there is a file `broken`.
const FRAGILE: &str = "if (require('fs').existsSync('broken')) process.exit(3);
console.log('fragile runs'); setInterval(() => {}, 1000);";

#[test]
fn what_is_under_way_goes_on_and_what_was_ordered_by_hand_holds() {
    let settings = "
        [app.shop]\ncommand = \"node server.js\"\n
        [app.idle]\ncommand = \"node server.js\"\nlisten = \"unix:idle.sock\"\n
        [app.fragile]\ncommand = \"node fragile.js\"\nhttp = false\nrestart_delay = \"3s\"\n
        [app.writer]\ncommand = \"node writer.js\"\nhttp = false\n
        [app.watched]\ncommand = \"node server.js\"\nlisten = \"127.0.0.1:0\"\nwatch = \"src\"\nwatch_delay = \"2s\"\n
        [app.clocked]\ncommand = \"node server.js\"\nlisten = \"127.0.0.1:0\"\ncron_restart = \"*/3 * * * * *\"\n";
    let mainstay = Mainstay::run("")
        .file("server.js", APP)
        .file("fragile.js", FRAGILE)
        .file("writer.js", WRITER)
        .file("src/file", "1")
        .config(settings);
    let mainstay = started(mainstay);
    say(&mainstay, ["scale", "shop", "3"]);
    say(&mainstay, ["stop", "idle"]);
    fs::write(mainstay.folder().join("broken"), "").expect("the folder is ours");
    let fragile = |key: &str| target(&mainstay, "fragile")["workers"][0][key].clone();
    let pid = fragile("pid").as_i64().expect("it runs");
    mainstay.kill(i32::try_from(pid).expect("an id"));
    eventually("several failed starts", || {
        (fragile("restarts").as_i64() >= Some(1)).then_some(())
    });
    let shop = target(&mainstay, "shop")["workers"].clone();
    let pids = |workers: &Value| {
        let workers = workers.as_array().expect("a list").iter();
        workers.map(|one| one["pid"].as_i64()).collect::<Vec<_>>()
    };
    let watched = target(&mainstay, "watched")["workers"].clone();
    let clocked = target(&mainstay, "clocked")["workers"].clone();
    // a change that is not yet told, since more may follow
    fs::write(mainstay.folder().join("src/file"), "2").expect("the folder is ours");
    let restarts = fragile("restarts").as_i64();
    upgrade(&mainstay, None).expect_code(0);
    upgrade(&mainstay, None).expect_code(0);

    assert_eq!(pids(&target(&mainstay, "shop")["workers"]), pids(&shop));
    assert_eq!(target(&mainstay, "idle")["wanted"], 0);
    assert!(
        fragile("restarts").as_i64() >= restarts,
        "they are counted on"
    );
    eventually("fresh workers, since a file has changed", || {
        let now = target(&mainstay, "watched")["workers"].clone();
        (pids(&now) != pids(&watched)).then_some(())
    });
    mainstay.output_contains_eventually("src/file");
    eventually("fresh workers by the clock", || {
        let now = target(&mainstay, "clocked")["workers"].clone();
        (pids(&now) != pids(&clocked)).then_some(())
    });
    fs::remove_file(mainstay.folder().join("broken")).expect("it is there");
    eventually("it comes back", || {
        (fragile("state") == "ready").then_some(())
    });
    say(&mainstay, ["start", "idle"]);
    eventually("it serves again", || {
        (target(&mainstay, "idle")["ready"] == 1).then_some(())
    });
    let output = mainstay.follow();
    assert!(mainstay.stop().success());
    let text = output.text();
    let written = text.lines().filter(|line| line.starts_with("line "));
    let written: Vec<&str> = written.collect();
    assert!(whole_lines(&written.join("\n")) > 100);
}

#[test]
fn rates_and_answers_that_machines_share_are_those_from_before() {
    let redis = Redis::start();
    let settings = format!(
        "store = \"{}\"\n[rate_limit.few]\nmatch = \"/few\"\nrate = \"5/20d\"\nshare = \"exact\"\n\
         [cache]\n[app.shop]\ncommand = \"node server.js\"\n",
        redis.address()
    );
    let app = "let n = 0; require('http').createServer((q, r) => {
        r.setHeader('Cache-Control', 'public, max-age=600'); r.end(String(++n)); }).listen(3000);";
    let mainstay = started(Mainstay::run("").file("server.js", app).config(&settings));
    // before the store is reached, each machine counts and keeps by itself
    let is_there = || {
        let found = redis.tell(&["DBSIZE"]).unwrap_or_default();
        (found.trim() != ":0").then_some(())
    };
    let mut number = 0;
    eventually("the store is used", || {
        number += 1;
        mainstay.get(&format!("/found/{number}")).expect(200);
        is_there()
    });
    let kept = mainstay.get("/kept").expect(200).text();
    for _ in 0..3 {
        mainstay.get("/few").expect(200);
    }
    upgrade(&mainstay, None).expect_code(0);
    let passed = (0..8).filter(|_| mainstay.get("/few").status() == 200);
    let passed = passed.count();
    assert!(
        (2..=3).contains(&passed),
        "{passed} more than three of five"
    );
    assert_eq!(mainstay.get("/kept").expect(200).text(), kept);
    assert!(mainstay.stop().success());
}

#[test]
fn reloads_and_upgrades_at_once_are_done_one_after_the_other() {
    let slow = format!("setTimeout(() => {{ {APP} }}, 500);");
    let mainstay = Mainstay::run("").file("server.js", &slow);
    let mainstay =
        started(mainstay.config("[app.shop]\ncommand = \"node server.js\"\nworkers = 2\n"));
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    load.wait_for_answers(20);
    let before = workers(&mainstay);
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| say(&mainstay, ["reload"]));
        let two = [(); 2].map(|()| scope.spawn(|| upgrade(&mainstay, None)));
        let [one, other] = two.map(|upgrade| upgrade.join().expect("an end"));
        for ended in [one, other] {
            let _ = ended.expect_code(0).says(["no worker was touched"]);
        }
        reload.join().expect("an end");
    });
    load.wait_for_answers(50);
    load.stop().expect_no_failure();
    assert!(
        before
            .iter()
            .all(|worker| !workers(&mainstay).contains(worker))
    );
    assert!(mainstay.stop().success());
}
