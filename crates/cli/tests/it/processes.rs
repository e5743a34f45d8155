//! The program among processes: as process 1, with workers that do not react, with trees that scatter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mainstay_testkit::{Mainstay, Running, eventually};
use rustix::process::{Pid, Signal, kill_process};

use crate::measure::role;
use crate::support::{gateway, json, started, status};

fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process has a number");
    kill_process(pid, signal).expect("it runs, and is ours");
}

/// State and parent of every process.
fn processes() -> Vec<(i32, String, i32)> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        Some((pid, fields.next()?.to_owned(), fields.next()?.parse().ok()?))
    })
    .collect()
}

#[test]
fn as_process_1_it_reaps_everybody_and_ends_when_asked() {
    let mut mainstay = Mainstay::run_testapp(["--leak-children", "3"])
        .as_first_process()
        .start();
    mainstay.get("/").expect(200);
    let first = mainstay.descendants()[0];
    assert!(mainstay.words_of(first).join(" ").contains("mainstay"));
    for _ in 0..3 {
        mainstay.post("/crash", [], "").expect(502);
        mainstay.get("/").expect(200);
    }
    eventually("no zombie that was left to it", || {
        let zombie = |(_, state, parent): &(i32, String, i32)| *parent == first && state == "Z";
        (!processes().iter().any(zombie)).then_some(())
    });
    let below = mainstay.descendants();
    signal(first, Signal::TERM);
    let status = eventually("the end of process 1", || mainstay.ended());
    assert!(status.success(), "{status}\n{}", mainstay.output());
    eventually("the end of all", || {
        let lives = |(pid, state, _): &(i32, String, i32)| below.contains(pid) && state != "Z";
        (!processes().iter().any(lives)).then_some(())
    });
}

#[test]
fn a_worker_that_stands_still_is_replaced_and_said() {
    let text = "require('http').createServer((q, r) => r.end(JSON.stringify({ pid: process.pid }))).listen(3000)";
    let mainstay = started(Mainstay::run("").file("server.js", text).config(
        "[app.web]\ncommand = \"node server.js\"\nhang_timeout = \"1s\"\nkill_timeout = \"200ms\"\n\
         [timeouts]\nqueue = \"1m\"\n",
    ));
    let pid = json(&mainstay.get("/").expect(200))["pid"]
        .as_i64()
        .unwrap();
    signal(i32::try_from(pid).unwrap(), Signal::STOP);
    mainstay.output_contains_eventually("does not react");
    eventually("another worker's answer", || {
        let answer = json(&mainstay.get("/").expect(200));
        (answer["pid"] != pid).then_some(())
    });
    assert!(mainstay.stop().success());
}

/// The path that says when a worker is ready is asked on.
const ASKED: &str = "[app.web]\nready = \"http:/\"\nliveness = true\nworkers = 2\nhang_timeout = \"2s\"\nkill_timeout = \"200ms\"\n";

/// Answers with its process id; reports nothing by itself.
const PYTHON: &str = "
import http.server, json, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'pid': os.getpid()}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Answer).serve_forever()
";

/// One of two workers stands still: it alone is replaced.
#[track_caller]
fn one_that_stands_still_is_replaced(mainstay: Mainstay) {
    let mainstay = started(mainstay.config(ASKED));
    let workers = || -> Vec<i64> {
        let status = status(&mainstay);
        let workers = status["targets"][0]["workers"].as_array().expect("a list");
        workers
            .iter()
            .filter_map(|worker| worker["pid"].as_i64())
            .collect()
    };
    let before = workers();
    signal(
        i32::try_from(before[0]).expect("a process id"),
        Signal::STOP,
    );
    mainstay.output_contains_eventually("web:0 does not react");
    eventually("another worker", || {
        let after = workers();
        (after.len() == 2 && !after.contains(&before[0])).then_some(())
    });
    assert!(
        workers().contains(&before[1]),
        "the other one is left alone"
    );
    mainstay.output_lacks("web:1 does not react");
    assert!(mainstay.stop().success());
}

#[test]
fn a_python_worker_that_answers_nothing_is_replaced_where_that_is_asked() {
    let python = Mainstay::run_command(["python3", "app.py"]).file("app.py", PYTHON);
    one_that_stands_still_is_replaced(python);
}

#[test]
fn any_worker_that_answers_nothing_is_replaced_where_that_is_asked() {
    one_that_stands_still_is_replaced(Mainstay::run_testapp([]));
}

#[test]
fn what_scattered_goes_with_a_killed_control_plane() {
    // In sessions of their own, where no signal to a group reaches them.
    let mut mainstay = Mainstay::run_testapp(["--leak-children", "2"]).start();
    mainstay.get("/").expect(200);
    let leaked: Vec<i32> = mainstay
        .output()
        .lines()
        .filter_map(|line| line.strip_prefix("testapp: leaked ")?.parse().ok())
        .collect();
    assert_eq!(leaked.len(), 2, "{}", mainstay.output());
    mainstay.kill_and_expect_nobody_left();
    let left = processes();
    assert!(
        !left
            .iter()
            .any(|(pid, state, _)| leaked.contains(pid) && state != "Z")
    );
}

/// The processes of an instance that are none of the app's.
fn ours(mainstay: &Running) -> Vec<i32> {
    let mut ours = mainstay.descendants();
    ours.retain(|pid| role(*pid).is_some_and(|role| role != "sample"));
    ours
}

/// As `systemctl stop` does where nobody says otherwise, and log rotators that know a name only.
#[test]
fn a_signal_to_every_process_of_ours_is_heard_by_one() {
    let mut mainstay = started(Mainstay::run_testapp([]));
    let before = ours(&mainstay);
    assert_eq!(before.len(), 2, "a gateway and a guard");
    let mut wire = mainstay.connect();
    wire.send("GET /slow?ms=1000 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let own = i32::try_from(mainstay.pid()).unwrap();
    for meaningless in [Signal::USR1, Signal::USR2] {
        for pid in before.iter().chain([&own]) {
            signal(*pid, meaningless);
        }
    }
    for pid in &before {
        signal(*pid, Signal::HUP);
    }
    mainstay.get("/").expect(200);
    assert_eq!(ours(&mainstay), before);
    for ending in [Signal::INT, Signal::TERM] {
        for pid in &before {
            signal(*pid, ending);
        }
    }
    mainstay.terminate();
    wire.response().expect(200);
    let status = eventually("the end", || mainstay.ended());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn gateways_that_stand_still_are_replaced_by_command_and_do_not_pile_up() {
    // the number that may finish at once, and one more
    const MANY: usize = 9;
    let quick = "[shutdown]\ngrace = \"500ms\"\n";
    let mainstay = started(Mainstay::run_testapp([]).config(quick));
    let mut still = Vec::new();
    for _ in 0..MANY {
        let pid = gateway(&mainstay, None);
        signal(pid, Signal::STOP);
        still.push(pid);
        let words = ["reload", "--gateway"];
        let ended = Mainstay::say(words).beside(&mainstay).finish();
        drop(ended.expect_code(0));
        // on the same sockets: whoever waited there is served too
        mainstay.get("/").expect(200);
    }
    eventually("the end of the first", || {
        (!mainstay.descendants().contains(&still[0])).then_some(())
    });
    assert!(mainstay.stop().success());
}

#[test]
fn a_guard_that_is_killed_has_a_successor_that_knows_whom_to_end() {
    let mut mainstay = started(Mainstay::run_testapp(["--leak-children", "2"]));
    let find = |mainstay: &Running| {
        let guards = ours(mainstay);
        guards
            .into_iter()
            .find(|pid| role(*pid).as_deref() == Some("guard"))
    };
    let first = find(&mainstay).expect("a guard");
    mainstay.kill(first);
    mainstay.output_contains_eventually("the guard ended (killed by SIGKILL)");
    eventually("another guard", || {
        find(&mainstay).filter(|pid| *pid != first)
    });
    mainstay.get("/").expect(200);
    // control plane, gateway, guard, worker, and its two
    assert_eq!(mainstay.descendants().len(), 5);
    mainstay.kill_and_expect_nobody_left();
}

#[test]
fn a_log_writer_that_hangs_holds_up_neither_requests_nor_restarts() {
    let text = "require('child_process').spawn('sh', ['-c', 'while :; do echo flood; done >&2'], { stdio: 'inherit' });
        require('http').createServer((q, r) => {
            if (q.url === '/crash') process.exit(3);
            r.end(JSON.stringify({ pid: process.pid }));
        }).listen(3000)";
    let mainstay = Mainstay::run("server.js").file("server.js", text).start();
    let log = mainstay.follow();
    mainstay.output_contains_eventually("flood");
    log.hold();
    let mut before = json(&mainstay.get("/").expect(200))["pid"].clone();
    // Every crash is worth a line in a log that nobody reads.
    for _ in 0..5 {
        mainstay.post("/crash", [], "").expect(502);
        before = eventually("an answer of the next worker", || {
            let answer = mainstay.get("/");
            let after = (answer.status() == 200).then(|| json(&answer)["pid"].clone());
            after.filter(|after| *after != before)
        });
    }
    log.release();
    assert!(mainstay.stop().success());
}

/// As in `mainstay run … | head`.
#[test]
fn a_reader_that_hangs_up_ends_nothing() {
    let start = Mainstay::run_testapp(["--flood"]);
    let script = start.folder().join("piped");
    // the reader of its standard output takes a line and goes; the program takes the place of the shell
    let words = format!(
        "#!/bin/sh\nmkfifo out\nhead -n 1 out >/dev/null &\nexec {} \"$@\" >out\n",
        start.program().display()
    );
    fs::write(&script, words).expect("the folder is ours");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("ours");
    let mainstay = started(start.binary(script));
    let before = json(&mainstay.get("/").expect(200))["pid"].clone();
    for _ in 0..20 {
        mainstay.get("/").expect(200);
    }
    // neither we nor the app, whose output is ours to read
    assert_eq!(json(&mainstay.get("/").expect(200))["pid"], before);
    assert!(mainstay.stop().success());
}
