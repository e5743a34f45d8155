//! What goes wrong with processes: every way to end, what is left behind, what they take too much of.

use std::time::{Duration, Instant};

use mainstay_supervisor::events::Note;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::Limits;
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event};
use rustix::process::Signal;

use crate::scene::{Scene, app, children, is_alive, kill, signal, until};

const SERVER: &str =
    "require('http').createServer((q, r) => r.end('well')).listen(3000, () => console.log('up'));";

#[tokio::test]
async fn every_end_after_an_answer_is_told_and_followed_by_a_start_at_once() {
    let text = format!(
        "{SERVER} process.on('SIGUSR2', () => process.exit(7)); process.on('SIGHUP', () => process.abort());"
    );
    let mut play = Scene::new().file("a.js", &text).run("node a.js");
    let cases = [
        (Signal::USR2, Exit::Code(7)),
        (Signal::HUP, Exit::Signal(6)),
        (Signal::SEGV, Exit::Signal(11)),
        (Signal::KILL, Exit::Signal(9)),
        (Signal::TERM, Exit::Signal(15)),
    ];
    for (sent, expected) in cases {
        let ready = play.ready().await;
        play.supervisor.answered(&ready.worker);
        signal(ready.pid, sent);
        assert_eq!(play.exited().await, (expected, Some(Duration::ZERO)));
    }
    play.ready().await;
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn what_failed_before_it_was_ready_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let cases = [
        ("require('no-such-package')", "npm install".to_owned()),
        ("require('./no-such-file')", "does not exist".to_owned()),
        ("const = 3;", "syntax error".to_owned()),
        ("require('node:no-such-thing')", "node --version".to_owned()),
        (
            "require('http').createServer().listen({ port: TAKEN, host: '127.0.0.1', fd: undefined, path: undefined })",
            String::new(),
        ),
        (
            "const e = new Error('listen EADDRINUSE: address already in use :::3000'); throw e",
            "the port is taken".to_owned(),
        ),
        ("process.exit(0)", "without listening".to_owned()),
    ];
    for (text, expected) in cases {
        let text = text.replace("TAKEN", &port.to_string());
        let mut play = Scene::new().file("a.js", &text).run("node a.js");
        if expected.is_empty() {
            // Its port is ours to move: a taken one is no trouble.
            play.ready().await;
        } else {
            let hint = play.failed().await.hint.unwrap_or_default();
            assert!(hint.contains(&expected), "{text}: {hint}");
        }
        play.supervisor.kill_all().await;
    }
}

/// A tree of its own, in its own session, that ignores `SIGTERM` and holds the pipes.
const LEAVES_A_STUBBORN_CHILD: &str = "
    const { spawn } = require('child_process');
    const child = spawn('sh', ['-c', 'trap \"\" TERM; while :; do sleep 1000; done'], { detached: true, stdio: 'inherit' });
    child.unref();
    require('http').createServer((q, r) => r.end('well')).listen(3000, () => console.log('child', child.pid));
";

#[tokio::test]
async fn a_dead_workers_children_do_not_hold_up_the_next_start() {
    let mut play = Scene::new()
        .file("a.js", LEAVES_A_STUBBORN_CHILD)
        .run("node a.js");
    let first = play.ready().await;
    let child = child_of(&play.line("child").await);
    play.supervisor.answered(&first.worker);
    kill(first.pid);
    let second = play.ready().await;
    assert_ne!(first.pid, second.pid);
    assert!(
        is_alive(child),
        "it gets a second to end, in which the next start is already ready"
    );
    until("the child's end", || !is_alive(child)).await;
    let (_, output) = play.stop().await;
    assert!(!is_alive(child_of(output.lines().last().unwrap())));
}

fn child_of(line: &str) -> u32 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn from_death_to_the_next_start_is_less_than_the_apps_own_start() {
    let mut play = Scene::new()
        .file("a.js", LEAVES_A_STUBBORN_CHILD)
        .run("node a.js");
    let (mut gaps, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..11 {
        let ready = play.ready().await;
        starts.push(ready.took);
        play.supervisor.answered(&ready.worker);
        let killed = Instant::now();
        kill(ready.pid);
        play.expect("start", |event| {
            matches!(event, Event::Started { .. }).then_some(())
        })
        .await;
        gaps.push(killed.elapsed());
    }
    gaps.sort();
    starts.sort();
    assert!(gaps[5] < starts[5], "gaps {gaps:?}, starts {starts:?}");
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn nobody_stays_a_zombie() {
    // Each leaves a child that ends later, when its parent is gone: it is ours then.
    let text = format!(
        "{SERVER} for (let i = 0; i < 5; i++) require('child_process').spawn('sh', ['-c', 'sleep 0.2 & exit 0'], {{ detached: true }});"
    );
    let mut play = Scene::new().file("a.js", &text).run("node a.js");
    for _ in 0..3 {
        let ready = play.ready().await;
        play.supervisor.answered(&ready.worker);
        kill(ready.pid);
    }
    play.ready().await;
    play.supervisor.kill_all().await;
    until("no child at all", || children().is_empty()).await;
}

#[tokio::test]
async fn a_worker_has_the_files_it_may_have_and_leaves_no_core() {
    let command = "sh -c 'echo files $(ulimit -n); echo core $(ulimit -c); sleep 1000'";
    let options = AppOptions {
        limits: Limits {
            open_files: Some(333),
            ..Limits::default()
        },
        ..app(command)
    };
    let mut play = Scene::new().start(options);
    assert_eq!(play.line("files").await, "files 333");
    assert_eq!(play.line("core").await, "core 0");
    play.supervisor.kill_all().await;

    let mut play = Scene::new().run(command);
    let files = play.line("files").await;
    let files: u64 = files.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(files >= 1024, "{files}: as many as we may give");
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_worker_out_of_descriptors_is_its_own_trouble() {
    let text = format!(
        "{SERVER} const fs = require('fs'); const open = []; try {{ for (;;) open.push(fs.openSync('/dev/null')); }} catch (e) {{ console.log(e.code); }}"
    );
    let options = AppOptions {
        limits: Limits {
            open_files: Some(64),
            ..Limits::default()
        },
        ..app("sh -c 'ulimit -Hn 64; exec node a.js'")
    };
    let mut play = Scene::new().file("a.js", &text).start(options);
    assert_eq!(play.line("EMFILE").await, "EMFILE");
    play.supervisor.kill_all().await;
    until("no child at all", || children().is_empty()).await;
}

/// The kernel holds everybody but root to a number of processes; so as root it is run as somebody else.
#[tokio::test]
async fn a_fork_bomb_stays_within_its_limit() {
    let is_root = rustix::process::geteuid().is_root();
    let options = AppOptions {
        user: is_root.then(|| "65519".to_owned()),
        group: is_root.then(|| "65519".to_owned()),
        limits: Limits {
            // Of a user nobody else is; otherwise beside all that runs already.
            processes: Some(if is_root { 40 } else { 4_000 }),
            ..Limits::default()
        },
        ..app("sh -c 'bomb() { bomb | bomb & }; bomb; sleep 1000'")
    };
    let mut play = Scene::new().start(options);
    let refused = play.line("fork").await;
    assert!(refused.to_lowercase().contains("fork"), "{refused}");
    tokio::time::timeout(Duration::from_mins(1), play.supervisor.kill_all())
        .await
        .expect("it can be ended all the same");
    until("no child at all", || children().is_empty()).await;
}

/// Needs a memory control group of version 1 that we may write to; elsewhere a plain `SIGKILL` must stay what it is.
#[tokio::test]
async fn an_end_for_want_of_memory_is_told_apart() {
    let group = format!("/sys/fs/cgroup/memory/mainstay-test-{}", std::process::id());
    let limited = std::fs::create_dir(&group).is_ok()
        && std::fs::write(format!("{group}/memory.limit_in_bytes"), "100M").is_ok();
    let join = if limited {
        format!("echo $$ > {group}/cgroup.procs; ")
    } else {
        String::new()
    };
    let text = format!(
        "{SERVER} const hoard = []; process.on('SIGUSR2', () => {{ for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); }});"
    );
    let words = ["sh", "-c", &format!("{join}exec node a.js")].map(str::to_owned);
    let options = AppOptions {
        target: Target::Arguments(words.to_vec()),
        ..app("")
    };
    let mut play = Scene::new().file("a.js", &text).start(options);
    let ready = play.ready().await;
    kill(ready.pid);
    let (exit, _) = play.exited().await;
    assert_eq!(exit, Exit::Signal(9), "somebody killed it");
    if limited {
        let ready = play.ready().await;
        signal(ready.pid, Signal::USR2);
        let (exit, _) = play.exited().await;
        assert_eq!(exit, Exit::OutOfMemory);
    }
    play.supervisor.kill_all().await;
    let _ = std::fs::remove_dir(&group);
}

#[tokio::test]
async fn a_reader_that_is_away_holds_a_worker_for_a_while_and_not_for_ever() {
    let text = "const line = 'x'.repeat(999) + '\\n', { writeSync } = require('fs');
        for (let i = 0; i < 4000; i++) writeSync(1, line);
        require('http').createServer().listen(3000); setInterval(() => writeSync(1, 'on\\n'), 20)";
    let mut play = Scene::new().file("a.js", text).run("node a.js");
    let socket = play.root.join("s/app.1.0/s1");
    // Nobody takes an event until it listens.
    until("it listens though nobody reads", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    })
    .await;
    // What was dropped is told in its place, when the reader is back.
    let mut lines = 0;
    let dropped = play
        .expect("lost lines", |event| match event {
            Event::Output(_) => {
                lines += 1;
                None
            }
            Event::Note {
                note: Note::DroppedOutput { lines },
                ..
            } => Some(*lines),
            _ => None,
        })
        .await;
    assert!(
        lines < 4000 && lines + dropped >= 4000,
        "{lines} and {dropped}"
    );
    play.line("on").await;
    play.supervisor.kill_all().await;
}
