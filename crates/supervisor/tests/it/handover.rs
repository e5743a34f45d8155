//! Workers that one supervisor puts down and another takes up: they notice nothing, and nothing of them is missed.

use std::time::Duration;

use mainstay_supervisor::options::{AppKind, Lives, Ready};
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event};

use crate::scene::{Scene, app, get, is_alive, kill, signal, until, workers};

const SERVER: &str = "require('http').createServer((q, s) => s.end('pid ' + process.pid)).listen(3000, () => console.log('up'));";

#[tokio::test]
async fn workers_keep_their_processes_and_are_looked_after_as_before() {
    let mut play = Scene::new()
        .file("a.js", SERVER)
        .start(workers(2, "node a.js"));
    let [one, two] = [play.ready().await, play.ready().await];
    for _ in 0..3 {
        let (state, descriptors) = play.put_down().await;
        play.take_up(&state, descriptors);
    }
    assert!(is_alive(one.pid) && is_alive(two.pid));
    assert!(
        get(one.endpoint.as_ref())
            .await
            .ends_with(&format!("pid {}", one.pid))
    );

    // one that dies afterwards, and one that dies while nobody looks
    kill(one.pid);
    let next = play.ready().await;
    assert_eq!(next.worker, one.worker);
    assert_ne!(next.pid, one.pid);
    let (state, descriptors) = play.put_down().await;
    kill(two.pid);
    play.take_up(&state, descriptors);
    let (exit, _) = play.exited().await;
    assert_eq!(exit, Exit::Signal(9));
    let last = play.ready().await;
    assert_eq!(last.worker, two.worker);
    assert!(!is_alive(two.pid));
    play.stop().await;
    assert!(!is_alive(next.pid) && !is_alive(last.pid));
}

#[tokio::test]
async fn no_line_of_output_is_torn_or_lost() {
    let script =
        "i=0\nwhile [ $i -lt 3000 ]; do printf 'line '; i=$((i+1)); echo $i; done\nexec sleep 1000";
    let mut play = Scene::new().file("a.sh", script).start(AppOptions {
        kind: AppKind::Background,
        ..app("sh a.sh")
    });
    play.line("line 10").await;
    for _ in 0..20 {
        let (state, descriptors) = play.put_down().await;
        play.take_up(&state, descriptors);
    }
    play.line("line 3000").await;
    let (_, output) = play.stop().await;
    let expected: Vec<String> = (1..=3000).map(|number| format!("line {number}")).collect();
    let found: Vec<&str> = output.lines().collect();
    assert!(found == expected, "{} lines", found.len());
}

#[tokio::test]
async fn a_start_goes_on_where_it_was() {
    // says that it is ready once it is told to
    let server = "process.on('SIGUSR2', () => process.send('ready')); require('http').createServer((q, s) => s.end('ok')).listen(3000, () => console.log('listens'));";
    let mut play = Scene::new().file("a.js", server).start(AppOptions {
        ready: Ready::Message,
        ..app("node a.js")
    });
    let pid = play
        .expect("start", |event| match event {
            Event::Started { pid, .. } => Some(*pid),
            _ => None,
        })
        .await;
    play.line("listens").await;
    let (state, descriptors) = play.put_down().await;
    signal(pid, rustix::process::Signal::USR2);
    play.take_up(&state, descriptors);
    let ready = play.ready().await;
    assert_eq!(ready.pid, pid);
    assert!(get(ready.endpoint.as_ref()).await.ends_with("ok"));
    play.stop().await;
}

#[tokio::test]
async fn a_worker_that_waits_for_its_next_start_still_waits() {
    let mut play = Scene::new().start(AppOptions {
        lives: Lives {
            restart_delay: Duration::from_secs(2),
            ..Lives::default()
        },
        ..app("sh -c 'echo gone; exit 3'")
    });
    play.exited().await;
    let (state, descriptors) = play.put_down().await;
    play.take_up(&state, descriptors);
    let (exit, _) = play.exited().await;
    assert_eq!(exit, Exit::Code(3));
    let (_, output) = play.stop().await;
    assert!(output.starts_with("gone\ngone\n"), "{output}");
}

#[tokio::test]
async fn a_stop_that_has_begun_ends() {
    let deaf = "process.on('SIGTERM', () => console.log('told')); require('http').createServer().listen(3000);";
    let mut play = Scene::new().file("a.js", deaf).start(AppOptions {
        kill_timeout: Duration::from_secs(1),
        ..app("node a.js")
    });
    let worker = play.ready().await;
    play.supervisor.stop("app");
    play.line("told").await;
    let (state, descriptors) = play.put_down().await;
    // what is wished of it meanwhile is not forgotten either
    play.take_up(&state, descriptors);
    assert_eq!(play.stopped().await, worker.worker);
    until("its end", || !is_alive(worker.pid)).await;
}
