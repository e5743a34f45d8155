//! Workers in a control group of their app, in a folder that plays the kernel's: what is written there is what the kernel
//! would read.

use std::fs;
use std::path::Path;

use mainstay_supervisor::options::{AppKind, GroupLimits, Ready};
use mainstay_supervisor::signal::Signal;
use mainstay_supervisor::{AppOptions, WorkerId};

use crate::scene::{Scene, app};

fn limited(command: &str) -> AppOptions {
    AppOptions {
        kind: AppKind::Background,
        ready: Ready::Alive,
        group_limits: GroupLimits {
            pids: Some(77),
            memory: Some(1 << 30),
            ..GroupLimits::default()
        },
        ..app(command)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[tokio::test]
async fn a_worker_enters_the_group_of_its_app_before_it_becomes_it() {
    let mut play = Scene::new()
        .file("kernel/cgroup.controllers", "memory pids")
        .start(limited(
            "sh -c 'cat kernel/mainstay-test.*/app.app/cgroup.procs; echo; exec sleep 1000'",
        ));
    // what it wrote when it entered: itself
    play.line("0").await;
    let group = play.root.join(format!(
        "kernel/mainstay-test.{}/app.app",
        std::process::id()
    ));
    assert_eq!(read(&group.join("pids.max")), "77");
    assert_eq!(read(&group.join("memory.max")), "1073741824");
    assert!(play.supervisor.take_unheld().is_empty());

    // whoever takes the program's place starts the next one there, too
    let (state, descriptors) = play.put_down().await;
    fs::remove_file(group.join("cgroup.procs")).unwrap();
    fs::remove_file(play.root.join("kernel/cgroup.controllers")).unwrap();
    play.take_up(&state, descriptors);
    let worker = WorkerId {
        app: "app".into(),
        release: 1,
        index: 0,
        incarnation: 0,
    };
    let kill = Signal::parse("SIGKILL").unwrap();
    play.supervisor.signal(&worker, kill);
    play.line("0").await;
    assert_eq!(read(&group.join("cgroup.procs")), "0");
    play.stop().await;
}

#[tokio::test]
async fn an_app_whose_limits_cannot_be_held_runs_without() {
    let mut play = Scene::new()
        .file("kernel/cgroup.controllers", "hugetlb")
        .start(limited("sh -c 'echo here; exec sleep 1000'"));
    play.line("here").await;
    let unheld = play.supervisor.take_unheld();
    assert!(
        unheld.len() == 1 && unheld[0].contains("app `app` are not held"),
        "{unheld:?}"
    );
    play.stop().await;
}
