//! How workers end: crashes and restarts, stops, the deaf, and what they leave behind.

use std::time::Duration;

use mainstay_supervisor::events::Note;
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event};

use crate::scene::{Scene, app, is_alive, kill};

const SERVER: &str = "require('http').createServer().listen(3000, () => console.log('up'));";

#[tokio::test]
async fn a_killed_worker_comes_back_on_a_new_socket() {
    let mut play = Scene::new().file("a.js", SERVER).run("node a.js");
    let first = play.ready().await;
    play.line("up").await;
    kill(first.pid);
    let (exit, was_ready, pause) = play
        .expect("exit", |event| match event {
            Event::Exited {
                exit,
                was_ready,
                restart_in,
                ..
            } => Some((*exit, *was_ready, *restart_in)),
            _ => None,
        })
        .await;
    assert_eq!(exit, Exit::Signal(9));
    assert!(was_ready);
    // No request was answered within the first second, so this may count as a failed start.
    assert!(
        pause.is_some_and(|pause| pause <= Duration::from_millis(120)),
        "{pause:?}"
    );
    let second = play.ready().await;
    assert_ne!(first.pid, second.pid);
    assert_ne!(first.endpoint, second.endpoint);
    play.line("up").await;
    let (_, output) = play.stop().await;
    assert_eq!(output, "up\nup\n");
}

#[tokio::test]
async fn a_crash_loop_waits_longer_each_time_and_fails_once() {
    let mut play = Scene::new().run("sh -c 'echo broken; exit 3'");
    let mut pauses = Vec::new();
    let mut failures = 0;
    while pauses.len() < 3 {
        let pause = play
            .expect("exit", |event| match event {
                Event::Exited {
                    restart_in,
                    exit: Exit::Code(3),
                    ..
                } => Some(Some(*restart_in)),
                Event::Failed(_) => Some(None),
                _ => None,
            })
            .await;
        match pause {
            Some(pause) => pauses.push(pause.unwrap().as_millis()),
            None => failures += 1,
        }
    }
    let fifths = pauses.iter().zip([100, 200, 400]);
    for (pause, usual) in fifths {
        assert!(
            (usual * 4 / 5..=usual * 6 / 5).contains(pause),
            "{pauses:?}"
        );
    }
    assert_eq!(failures, 1);
    let (exit, _) = play.stop().await;
    assert_eq!(exit, Some(Exit::Code(3)));
}

#[tokio::test]
async fn a_graceful_end_is_left_its_time() {
    let text = format!(
        "{SERVER} process.on('SIGTERM', () => setTimeout(() => {{ console.log('bye'); process.exit(5) }}, 50))"
    );
    let mut play = Scene::new().file("a.js", &text).run("node a.js");
    play.ready().await;
    let (exit, output) = play.stop().await;
    assert_eq!(exit, Some(Exit::Code(5)));
    assert!(output.ends_with("bye\n"), "{output}");
}

#[tokio::test]
async fn the_deaf_are_killed_after_their_time() {
    let options = AppOptions {
        kill_timeout: Duration::from_millis(200),
        ..app("node a.js")
    };
    let text = format!("{SERVER} process.on('SIGTERM', () => {{}})");
    let mut play = Scene::new().file("a.js", &text).start(options);
    play.ready().await;
    play.supervisor.stop("app");
    assert_eq!(play.note().await, Note::Killed);
    let (exit, _) = play.stop().await;
    assert_eq!(exit, Some(Exit::Signal(9)));
}

#[tokio::test]
async fn nothing_of_the_tree_is_left() {
    let text = format!(
        "{SERVER} const {{ spawn }} = require('child_process');
        for (const detached of [false, true]) {{
            const child = spawn('sleep', ['1000'], {{ detached, stdio: 'inherit' }});
            child.unref(); console.log('child', child.pid);
        }}"
    );
    let mut play = Scene::new().file("a.js", &text).run("node a.js");
    let mut children = Vec::new();
    for _ in 0..2 {
        let line = play.line("child").await;
        children.push(line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
    }
    assert!(children.iter().all(|pid| is_alive(*pid)));
    let (exit, _) = play.stop().await;
    assert_eq!(exit, Some(Exit::Signal(15)));
    assert!(
        !children.iter().any(|pid| is_alive(*pid)),
        "also the one in a session of its own"
    );
}

#[tokio::test]
async fn stopping_while_waiting_or_starting_is_at_once() {
    let mut waiting = Scene::new().run("no-such-program");
    waiting.failed().await;
    let (exit, _) = waiting.stop().await;
    assert_eq!(exit, None);

    let options = AppOptions {
        workers: Workers::Fixed(3),
        ..app("sleep 1000")
    };
    let play = Scene::new().start(options);
    tokio::task::yield_now().await;
    let (exit, _) = play.stop().await;
    assert!(matches!(exit, None | Some(Exit::Signal(15))), "{exit:?}");
}

#[tokio::test]
async fn output_is_passed_on_byte_for_byte() {
    let mut play = Scene::new().run("printf 'one\\n\\n\\377two\\rthree\\n unfinished'");
    let mut bytes = Vec::new();
    play.expect("end", |event| match event {
        Event::Output(line) => {
            bytes.extend_from_slice(&line.bytes);
            None
        }
        Event::Exited { .. } => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(bytes, b"one\n\n\xfftwo\rthree\n unfinished");
    play.supervisor.kill_all().await;
}

/// As root it becomes somebody else, who can still bind and speak; as anybody else it says why it cannot.
#[tokio::test]
async fn a_worker_may_be_somebody_else() {
    let options = AppOptions {
        user: Some("65534".to_owned()),
        group: Some("65533".to_owned()),
        ..app(
            "id -u && id -g && touch $MAINSTAY_INTERNAL_LISTEN_PATH && echo > $MAINSTAY_INTERNAL_CONTROL_PATH && echo done",
        )
    };
    let started = Scene::new().try_start(options);
    if !rustix::process::geteuid().is_root() {
        assert!(started.err().unwrap().to_string().contains("needs root"));
        return;
    }
    let mut play = started.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(play.line("6553").await, "65534");
    assert_eq!(play.line("6553").await, "65533");
    play.line("done").await;
    play.supervisor.kill_all().await;
}
