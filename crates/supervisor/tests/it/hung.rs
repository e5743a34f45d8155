//! Workers that do not react any more: who is replaced, who is spared.

use std::time::Duration;

use mainstay_supervisor::events::{Note, Why};
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event};
use rustix::process::Signal;

use crate::scene::{Play, Scene, app, get, is_alive, signal};

/// Stands still for ever at `SIGUSR2`.
const STANDS_STILL: &str = "
    require('http').createServer((q, r) => r.end('well')).listen(3000, () => console.log('up'));
    process.on('SIGUSR2', () => { console.log('standing still'); setImmediate(() => { for (;;); }) });
";

fn quickly(workers: u32) -> AppOptions {
    AppOptions {
        workers: Workers::Fixed(workers),
        hang_timeout: Duration::from_millis(800),
        kill_timeout: Duration::from_millis(300),
        ..app("node a.js")
    }
}

/// Waits for the hung worker to be replaced, in the order in which that happens: whether it had to be killed, and how it
/// ended.
async fn replaced(play: &mut Play) -> (bool, Exit) {
    let (worker, why) = play.draining().await;
    assert_eq!(why, Why::Hung);
    play.supervisor.released(&worker);
    let mut killed = false;
    let end = play.expect("its end", |event| match event {
        Event::Note { note, .. } => {
            killed |= *note == Note::Killed;
            None
        }
        Event::Exited {
            exit, restart_in, ..
        } => Some((*exit, *restart_in)),
        _ => None,
    });
    let (exit, restart_in) = end.await;
    assert_eq!(restart_in, Some(Duration::ZERO));
    (killed, exit)
}

#[tokio::test]
async fn an_event_loop_that_stands_still_is_replaced() {
    let mut play = Scene::new().file("a.js", STANDS_STILL).start(quickly(1));
    let first = play.ready().await;
    signal(first.pid, Signal::USR2);
    assert_eq!(replaced(&mut play).await, (false, Exit::Signal(15)));
    let second = play.ready().await;
    assert_ne!(first.pid, second.pid);
    assert!(get(second.endpoint.as_ref()).await.ends_with("well"));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_stopped_process_is_replaced_though_it_hears_no_signal() {
    let mut play = Scene::new().file("a.js", STANDS_STILL).start(quickly(1));
    let first = play.ready().await;
    signal(first.pid, Signal::STOP);
    assert_eq!(replaced(&mut play).await, (true, Exit::Signal(9)));
    let second = play.ready().await;
    assert!(get(second.endpoint.as_ref()).await.ends_with("well"));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn never_more_than_one_is_replaced_at_a_time() {
    let mut play = Scene::new().file("a.js", STANDS_STILL).start(quickly(3));
    let mut pids = Vec::new();
    for _ in 0..3 {
        pids.push(play.ready().await.pid);
    }
    for pid in &pids {
        signal(*pid, Signal::STOP);
    }
    let mut away = None;
    let mut back = 0;
    while back < 3 {
        let (worker, is_away) = play
            .expect("one after the other", |event| match event {
                Event::Draining { worker, .. } => Some((worker.clone(), true)),
                Event::Ready(ready) => Some((ready.worker.clone(), false)),
                _ => None,
            })
            .await;
        if is_away {
            assert_eq!(away, None, "{worker} before the other was back");
            away = Some(worker);
        } else {
            assert_eq!(away.take(), Some(worker));
            back += 1;
        }
    }
    assert!(!pids.into_iter().any(is_alive));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn an_app_with_a_debugger_may_stand_still() {
    let text = format!("{STANDS_STILL} process.on('SIGHUP', () => require('inspector').close());");
    let mut play = Scene::new()
        .file("a.js", &text)
        .run_with(quickly(1), "node --inspect=127.0.0.1:0 a.js");
    let pid = play.ready().await.pid;
    signal(pid, Signal::STOP);
    // Far longer than it takes to be found hung, on the same clock.
    let limit = quickly(1).hang_timeout;
    let quiet = play.nothing_for(limit * 4, |event| matches!(event, Event::Draining { .. }));
    quiet.await;
    assert!(is_alive(pid));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn who_does_not_report_is_replaced_on_suspicion_only() {
    let options = AppOptions {
        hang_timeout: Duration::from_millis(200),
        ..app("python3 -m http.server --bind 127.0.0.1 $PORT")
    };
    let mut play = Scene::new().start(options);
    let first = play.ready().await;
    let short = Duration::from_millis(100);
    play.supervisor.suspect(&first.worker, short);
    // Nobody can have been silent for longer than he has lived.
    let limit = Duration::from_millis(200);
    let is_draining = |event: &Event| matches!(event, Event::Draining { .. });
    play.nothing_for(limit * 2, is_draining).await;
    play.supervisor.suspect(&first.worker, short + limit * 2);
    let (worker, why) = play.draining().await;
    assert_eq!((&worker, why), (&first.worker, Why::Hung));
    assert_ne!(
        play.ready().await.pid,
        first.pid,
        "replaced though nobody said that it is released"
    );
    play.supervisor.kill_all().await;
}

/// A control group that gets a thousandth of a CPU (version 1; made only where we may).
struct Throttle(String);

impl Throttle {
    fn put(pids: &[u32]) -> Option<Self> {
        let folder = format!("/sys/fs/cgroup/cpu/mainstay-test-{}", std::process::id());
        std::fs::create_dir(&folder).ok()?;
        let throttle = Self(folder);
        throttle.write("cpu.cfs_period_us", "1000000")?;
        throttle.write("cpu.cfs_quota_us", "1000")?;
        for pid in pids {
            throttle.write("cgroup.procs", &pid.to_string())?;
        }
        Some(throttle)
    }

    fn write(&self, file: &str, text: &str) -> Option<()> {
        std::fs::write(format!("{}/{file}", self.0), text).ok()
    }

    fn end(&self) {
        self.write("cpu.cfs_quota_us", "-1");
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        let processes = std::fs::read_to_string(format!("{}/cgroup.procs", self.0));
        for pid in processes.unwrap_or_default().lines() {
            let _ = std::fs::write("/sys/fs/cgroup/cpu/cgroup.procs", pid);
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Where no control group can be made, a worker with all the CPU it wants is spared, at least.
#[tokio::test]
async fn a_worker_that_gets_no_cpu_is_spared() {
    let text = format!(
        "{STANDS_STILL} setInterval(() => {{ const end = Date.now() + 3; while (Date.now() < end); }}, 5);"
    );
    let mut play = Scene::new().file("a.js", &text).start(quickly(1));
    let ready = play.ready().await;
    let throttle = Throttle::put(&[ready.pid]);
    let limit = quickly(1).hang_timeout;
    play.nothing_for(limit * 8, |event| matches!(event, Event::Draining { .. }))
        .await;
    if let Some(throttle) = &throttle {
        throttle.end();
    }
    assert!(
        get(ready.endpoint.as_ref()).await.ends_with("well"),
        "the same one"
    );
    drop(throttle);
    signal(ready.pid, Signal::USR2);
    assert_eq!(
        play.draining().await.1,
        Why::Hung,
        "with a CPU it has no excuse"
    );
    play.supervisor.kill_all().await;
}
