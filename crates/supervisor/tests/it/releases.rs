//! Releases side by side: prepared, launched, withdrawn, settled, given up.

use std::time::Duration;

use mainstay_supervisor::events::Why;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{Ready, Workers};
use mainstay_supervisor::{AppOptions, Event, StartError, WorkerId};

use crate::scene::{Scene, app, get, is_alive, workers};

const SERVER: &str = "require('http').createServer((q, r) => r.end(require('fs').readFileSync('version', 'utf8'))).listen(3000);
    process.on('SIGTERM', () => { console.log('asked to end'); process.exit(0) })";

fn id(release: u32, index: u32) -> WorkerId {
    WorkerId {
        incarnation: 0,
        app: "app".into(),
        release,
        index,
    }
}

#[tokio::test]
async fn a_release_replaces_another_without_a_moment_between() {
    let mut play = Scene::new()
        .file("one/a.js", SERVER)
        .file("one/version", "first")
        .file("two/a.js", SERVER)
        .file("two/version", "second")
        .link("one", "current")
        .start(in_folder(2));
    let mut old = Vec::new();
    for _ in 0..2 {
        old.push(play.ready().await);
    }
    assert!(get(old[0].endpoint.as_ref()).await.ends_with("first"));

    play.link("two", "current");
    let release = play.supervisor.prepare(in_folder(2)).unwrap();
    assert_eq!(release, 2);
    play.supervisor.launch("app", release, 0..2).unwrap();
    for _ in 0..2 {
        let ready = play.ready().await;
        assert_eq!(ready.worker.release, 2);
        assert!(get(ready.endpoint.as_ref()).await.ends_with("second"));
    }
    assert!(
        get(old[0].endpoint.as_ref()).await.ends_with("first"),
        "the old ones still serve"
    );

    play.supervisor.withdraw(&id(1, 0));
    assert_eq!(play.draining().await, (id(1, 0), Why::Withdrawn));
    assert!(
        is_alive(old[0].pid) && is_alive(old[1].pid),
        "they finish what they have"
    );
    play.supervisor.released(&id(1, 0));
    assert_eq!(play.stopped().await, id(1, 0));
    play.supervisor.withdraw(&id(1, 1));
    play.supervisor.released(&id(1, 1));
    assert_eq!(play.stopped().await, id(1, 1));
    play.supervisor.settle("app", release);
    assert_eq!(play.supervisor.apps(), [("app".into(), 2)]);
    play.supervisor.kill_all().await;
}

fn in_folder(count: u32) -> AppOptions {
    AppOptions {
        cwd: Some("current".into()),
        ..workers(count, "node a.js")
    }
}

#[tokio::test]
async fn a_worker_of_an_old_release_comes_back_as_what_it_was() {
    let mut play = Scene::new()
        .file("one/a.js", SERVER)
        .file("one/version", "first")
        .file("two/version", "second")
        .link("one", "current")
        .start(AppOptions {
            target: Target::Path("current/a.js".into()),
            ..app("")
        });
    let first = play.ready().await;
    play.supervisor.answered(&first.worker);
    play.link("two", "current");
    crate::scene::kill(first.pid);
    let again = play.ready().await;
    assert_eq!(again.worker, id(1, 0));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_broken_release_changes_nothing() {
    let mut play = Scene::new()
        .file("a.js", SERVER)
        .file("version", "good")
        .run("node a.js");
    let good = play.ready().await;
    let refused = play.supervisor.prepare(AppOptions {
        target: Target::Path("missing.js".into()),
        ..app("")
    });
    assert!(matches!(refused, Err(StartError::Launch { .. })));

    let broken = play
        .supervisor
        .prepare(app("sh -c 'echo broken; exit 3'"))
        .unwrap();
    play.supervisor.launch("app", broken, 0..1).unwrap();
    assert_eq!(play.failed().await.worker, id(broken, 0));
    play.supervisor.stop_release("app", broken);
    assert_eq!(play.stopped().await, id(broken, 0));
    assert!(get(good.endpoint.as_ref()).await.ends_with("good"));
    assert_eq!(play.supervisor.apps(), [("app".into(), 1)]);

    let next = play.supervisor.prepare(app("node a.js")).unwrap();
    assert!(next > broken, "a number is used once");
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn who_is_never_released_ends_when_its_time_is_over() {
    let options = AppOptions {
        drain_timeout: Duration::from_millis(100),
        ..app("node a.js")
    };
    let mut play = Scene::new()
        .file("a.js", SERVER)
        .file("version", "")
        .start(options);
    let ready = play.ready().await;
    play.supervisor.withdraw(&ready.worker);
    assert_eq!(play.draining().await.1, Why::Withdrawn);
    play.line("asked to end").await;
    assert_eq!(play.stopped().await, ready.worker);
}

#[tokio::test]
async fn workers_may_be_taken_away_and_come_again() {
    let mut play = Scene::new()
        .file("a.js", SERVER)
        .file("version", "v")
        .start(workers(2, "node a.js"));
    for _ in 0..2 {
        play.ready().await;
    }
    play.supervisor.withdraw(&id(1, 1));
    play.supervisor.released(&id(1, 1));
    assert_eq!(play.stopped().await, id(1, 1));
    play.supervisor.launch("app", 1, 0..2).unwrap();
    let again = play.ready().await;
    assert_eq!(again.worker, id(1, 1));
    assert!(get(again.endpoint.as_ref()).await.ends_with('v'));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn an_app_may_come_and_go() {
    let mut play = Scene::new()
        .file("a.js", SERVER)
        .file("version", "v")
        .run("node a.js");
    play.ready().await;
    let other = AppOptions {
        name: "other".to_owned(),
        ..app("node a.js")
    };
    let release = play.supervisor.prepare(other).unwrap();
    play.supervisor.launch("other", release, 0..1).unwrap();
    play.supervisor.settle("other", release);
    let ready = play.ready().await;
    assert_eq!(ready.worker.to_string(), "other:0");
    play.supervisor.remove("other");
    assert_eq!(play.stopped().await, ready.worker);
    assert!(!is_alive(ready.pid));
    assert_eq!(play.supervisor.apps(), [("app".into(), 1)]);
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_log_line_and_an_answer_may_be_the_sign() {
    let text = "const server = require('http').createServer((q, r) => {
            r.statusCode = q.url === '/healthy' && globalThis.well ? 200 : 503; r.end() });
        server.listen(3000, () => console.log('listens'));
        process.on('SIGUSR2', () => { globalThis.well = true; console.log('all is well now') });";
    for ready in [
        Ready::Log("is well".to_owned()),
        Ready::Http("/healthy".to_owned()),
    ] {
        let options = AppOptions {
            ready: ready.clone(),
            ..app("node a.js")
        };
        let mut play = Scene::new().file("a.js", text).start(options);
        let pid = play
            .expect("start", |event| match event {
                Event::Started { pid, .. } => Some(*pid),
                Event::Ready(_) => panic!("ready without its sign"),
                _ => None,
            })
            .await;
        play.line("listens").await;
        crate::scene::signal(pid, rustix::process::Signal::USR2);
        assert_eq!(play.ready().await.pid, pid, "{ready:?}");
        play.supervisor.kill_all().await;
    }
}

#[tokio::test]
async fn a_crash_loop_is_loud_once_and_may_be_the_end() {
    let options = AppOptions {
        workers: Workers::Fixed(1),
        give_up: mainstay_supervisor::options::GiveUp::InCrashLoop,
        ..app("sh -c 'exit 3'")
    };
    let mut play = Scene::new().start(options);
    let deaths = play
        .expect("crash loop", |event| match event {
            Event::CrashLoop { deaths, .. } => Some(*deaths),
            _ => None,
        })
        .await;
    assert_eq!(deaths, 5);
    let worker = play
        .expect("giving up", |event| match event {
            Event::GaveUp { worker } => Some(worker.clone()),
            Event::CrashLoop { .. } => panic!("told twice"),
            _ => None,
        })
        .await;
    play.supervisor.stop("app");
    assert_eq!(play.stopped().await, worker);
}
