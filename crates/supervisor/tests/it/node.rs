//! Node workers: the preload script gives unmodified apps their socket.

use std::time::Duration;

use mainstay_supervisor::events::{Endpoint, Note, ServerKind};
use mainstay_supervisor::options::{Ready, Workers};
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{AppOptions, Event};

use crate::scene::{Scene, app, get, workers};

const PLAIN: &str = "
    const http = require('http');
    const server = http.createServer((request, response) => response.end(JSON.stringify({
        from: request.socket.remoteAddress, at: server.address(), worker: process.env.NODE_APP_INSTANCE,
        options: process.env.NODE_OPTIONS, ours: Object.keys(process.env).filter((name) => name.startsWith('MAINSTAY_')),
    })));
    server.listen(3000, () => console.log('listening on', server.address().port));
";

#[tokio::test]
async fn an_unmodified_app_listens_on_its_own_socket() {
    let mut play = Scene::new()
        .file("server.js", PLAIN)
        .env("NODE_OPTIONS", "--max-old-space-size=300")
        .start(workers(2, "node server.js"));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ready = play.ready().await;
        assert_eq!(ready.port_asked, Some(3000));
        assert_eq!(ready.address_asked.as_deref(), Some("::"));
        assert_eq!(ready.server, Some(ServerKind::Http));
        assert!(matches!(ready.endpoint, Some(Endpoint::Unix(_))));
        let answer = get(ready.endpoint.as_ref()).await;
        for part in [
            "\"from\":\"127.0.0.1\"",
            "\"at\":{\"address\":\"::\",\"family\":\"IPv6\",\"port\":3000}",
            "\"options\":\"--max-old-space-size=300\"",
            "\"ours\":[\"MAINSTAY_INTERNAL_TREE\"]",
            &format!("\"worker\":\"{}\"", ready.worker.index),
        ] {
            assert!(answer.contains(part), "{part} in {answer}");
        }
        seen.push(ready.worker.index);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1]);
    let (_, output) = play.stop().await;
    assert_eq!(output.matches("listening on 3000\n").count(), 2);
}

#[tokio::test]
async fn every_form_of_listen_is_the_same() {
    let cases = [
        ("server.listen(3000)", 3000, "::"),
        ("server.listen('3000')", 3000, "::"),
        ("server.listen(3000, '0.0.0.0', 511)", 3000, "0.0.0.0"),
        (
            "server.listen({ port: 3000, host: 'localhost' })",
            3000,
            "127.0.0.1",
        ),
        (
            "server.listen({ port: '3000', host: '::1' }, () => {})",
            3000,
            "::1",
        ),
        (
            "server.listen(0); process.env.PORT = 4000; require('http').createServer().listen(4000)",
            4000,
            "::",
        ),
        (
            "server.listen(3000, '127.0.0.1'); require('http').createServer().listen(3000, '::1')",
            3000,
            "127.0.0.1",
        ),
        (
            "server.listen(3000, () => server.close(() => server.listen(3000)))",
            3000,
            "::",
        ),
    ];
    for (listen, port, address) in cases {
        let text = format!("const server = require('http').createServer(); {listen}");
        let mut play = Scene::new().file("a.js", &text).run("node a.js");
        let ready = play.ready().await;
        assert_eq!(ready.port_asked, Some(port), "{listen}");
        assert_eq!(ready.address_asked.as_deref(), Some(address), "{listen}");
        play.supervisor.kill_all().await;
    }
}

#[tokio::test]
async fn the_port_of_the_config_or_the_environment_is_the_apps() {
    let text = "const { createServer } = require('http');
        createServer().listen(9464, '127.0.0.9'); createServer().listen(3000)";
    let play = Scene::new().file("a.js", text).env("PORT", "3000");
    let mut by_environment = play.run("node a.js");
    assert_eq!(by_environment.ready().await.port_asked, Some(3000));
    by_environment.supervisor.kill_all().await;

    let options = AppOptions {
        port: Some(3000),
        workers: Workers::Fixed(2),
        ..app("node a.js")
    };
    let mut play = Scene::new().file("a.js", text).start(options);
    let mut given_up = Vec::new();
    for _ in 0..2 {
        match play.note().await {
            Note::ExtraPort {
                port: 9464,
                given_up: up,
            } => given_up.push(up),
            other => panic!("{other:?}"),
        }
    }
    given_up.sort_unstable();
    assert_eq!(given_up, [false, true], "worker 0 keeps the second port");
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn an_app_with_its_own_cluster_becomes_one_worker() {
    let commonjs = "const cluster = require('cluster');
        if (cluster.isPrimary) cluster.fork(); else require('http').createServer((q, r) => r.end('worker ' + cluster.worker.id)).listen(3000)";
    let module = "import { isPrimary, fork } from 'node:cluster'; import http from 'node:http';
        if (isPrimary) fork(); else http.createServer((q, r) => r.end('worker 1')).listen(3000)";
    for (name, text) in [("a.cjs", commonjs), ("a.mjs", module)] {
        let mut play = Scene::new().file(name, text).run(&format!("node {name}"));
        assert_eq!(play.note().await, Note::OwnCluster, "{name}");
        let ready = play.ready().await;
        assert!(get(ready.endpoint.as_ref()).await.ends_with("worker 1"));
        play.supervisor.kill_all().await;
    }
}

#[tokio::test]
async fn a_library_that_asks_for_the_primary_hears_the_truth() {
    let mut play = Scene::new()
        .file("node_modules/logger/index.js", "module.exports = require('cluster').isMaster")
        .file("a.js", "console.log('primary', require('logger')); require('http').createServer().listen(3000)")
        .run("node a.js");
    assert_eq!(play.line("primary").await, "primary true");
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn tls_and_http2_servers_are_refused_with_a_sentence() {
    for (module, kind) in [("http2", ServerKind::Http2), ("https", ServerKind::Https)] {
        let text = format!("require('{module}').createServer({{}}).listen(3000)");
        let mut play = Scene::new().file("a.js", &text).run("node a.js");
        assert_eq!(
            play.note().await,
            Note::RefusedServer {
                port: 3000,
                server: kind
            }
        );
        let failure = play.failed().await;
        assert!(failure.hint.unwrap().contains("http.createServer()"));
        play.supervisor.kill_all().await;
    }
}

#[tokio::test]
async fn a_child_of_the_started_process_may_be_the_worker() {
    let parent = "const child = require('child_process').spawn(process.execPath, ['app.js'], { stdio: 'inherit' });
        child.on('exit', (code) => process.exit(code));";
    let text = "process.on('SIGTERM', () => { console.log('asked'); process.exit(7) });
        require('http').createServer((q, r) => r.end('child')).listen(3000)";
    let mut play = Scene::new()
        .file("parent.js", parent)
        .file("app.js", text)
        .run("sh -c 'true && node parent.js'");
    let started = play
        .expect("started", |event| match event {
            Event::Started { pid, .. } => Some(*pid),
            _ => None,
        })
        .await;
    let ready = play.ready().await;
    assert_ne!(ready.pid, started);
    assert!(get(ready.endpoint.as_ref()).await.ends_with("child"));
    let (exit, output) = play.stop().await;
    assert_eq!(exit, Some(Exit::Code(7)));
    assert!(output.contains("asked"));
}

#[tokio::test]
async fn the_word_ready_is_waited_for_when_wanted() {
    let text = "require('http').createServer().listen(3000, () => console.log('up'));
        process.on('SIGUSR2', () => process.send('ready')); setInterval(() => {}, 1000)";
    let options = AppOptions {
        ready: Ready::Message,
        ..app("node a.js")
    };
    let mut play = Scene::new().file("a.js", text).start(options);
    let pid = play
        .expect("started", |event| match event {
            Event::Started { pid, .. } => Some(*pid),
            Event::Ready(_) => panic!("ready without the word"),
            _ => None,
        })
        .await;
    play.line("up").await;
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::USR2).unwrap();
    assert_eq!(play.ready().await.pid, pid);
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_folder_starts_by_its_script_and_inline_options_keep_the_preload() {
    let package = r#"{"name":"shop","scripts":{"start":"NODE_OPTIONS='--no-warnings --trace-uncaught' node a.js"}}"#;
    let mut play = Scene::new()
        .file("package.json", package)
        .file("a.js", PLAIN)
        .run("npm start");
    let ready = play.ready().await;
    assert!(
        get(ready.endpoint.as_ref())
            .await
            .contains("\"options\":\"--no-warnings --trace-uncaught\"")
    );
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn inspector_ports_do_not_clash() {
    let port = mainstay_testkit::free_port();
    let command = format!("node --inspect={port} a.js");
    let mut play = Scene::new().file("a.js", PLAIN).start(workers(2, &command));
    for _ in 0..2 {
        let url = play.line("Debugger listening").await;
        assert!(
            url.contains(&format!(":{port}/")) || url.contains(&format!(":{}/", port + 1)),
            "{url}"
        );
    }
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn express_like_trust_is_seen() {
    let text = "const app = Object.assign((q, r) => r.end(), { settings: {}, get: (name) =>
            name === 'trust proxy fn' ? (address, hop) => hop < 1 : undefined });
        require('http').createServer(app).listen(3000)";
    let mut play = Scene::new().file("a.js", text).run("node a.js");
    assert_eq!(play.ready().await.trusts_loopback, Some(true));
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn failures_at_start_say_what_to_do() {
    let cases = [
        ("require('expresso')", "`expresso` is not installed"),
        ("require('./config')", "`./config` does not exist"),
        ("const = 1", "syntax error"),
        ("console.log('done')", "without listening"),
    ];
    for (text, expected) in cases {
        let mut play = Scene::new().file("a.js", text).run("node a.js");
        let failure = play.failed().await;
        let hint = failure.hint.clone().unwrap_or_default();
        assert!(hint.contains(expected), "{text}: {failure:?}");
        assert!(!failure.last_lines.is_empty());
        play.supervisor.kill_all().await;
    }
}

#[tokio::test]
async fn a_start_that_takes_too_long_is_ended() {
    let options = AppOptions {
        start_timeout: Duration::from_millis(300),
        ..app("node a.js")
    };
    let mut play = Scene::new()
        .file("a.js", "setInterval(() => {}, 1000)")
        .start(options);
    let failure = play.failed().await;
    assert!(
        failure.cause.to_string().contains("did not listen"),
        "{failure:?}"
    );
    play.supervisor.kill_all().await;
}
