//! Clients over a Unix socket: an nginx in front, on the same machine.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use mainstay_testkit::{Mainstay, Running, eventually};
use serde_json::Value;

use crate::support::{gateway, status};

/// Says what it was told of its client, as late as it is asked to.
const APP: &str = "
require('http').createServer((request, response) => {
  const told = { for: request.headers['x-forwarded-for'], host: request.headers.host };
  const late = Number(request.headers['x-late'] || 0);
  setTimeout(() => response.end(JSON.stringify(told)), late);
}).listen(3000);
";

/// Listens on `shop.sock` in its folder, and for observers where the harness finds it.
fn behind_a_socket(more: &str) -> Mainstay {
    let settings = format!(
        "trusted_proxies = \"loopback\"\n[listen]\nhttp = \"unix:shop.sock\"\nobserve = \"127.0.0.1:0\"\n{more}\n\
         [app.shop]\ncommand = \"node server.js\"\n"
    );
    Mainstay::run("")
        .file("server.js", APP)
        .config(&settings)
        .listens_as_configured()
}

/// Sends one request, and reads its answer to the end.
fn ask(path: &Path, fields: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    let request =
        format!("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[track_caller]
fn told(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body = body.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(body.unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn socket(mainstay: &Running) -> std::path::PathBuf {
    mainstay.folder().join("shop.sock")
}

#[test]
fn requests_come_by_a_unix_socket_from_whom_loopback_would() {
    // nobody waits for the grace to end: the threads leave the socket that they share, each in its own time
    let mainstay =
        behind_a_socket("threads = 2\nsocket_mode = \"0600\"\n[shutdown]\ngrace = \"10m\"").start();
    let path = socket(&mainstay);
    let mode = path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for _ in 0..16 {
        let answer = ask(&path, "X-Forwarded-For: 198.51.100.7\r\n");
        let told = told(&answer);
        assert_eq!(told["for"], "198.51.100.7");
        assert_eq!(told["host"], "shop.example");
        assert!(
            answer.contains("x-content-type-options: nosniff"),
            "{answer}"
        );
    }
    let shown = format!("unix:{}", path.display());
    mainstay.output_contains_eventually(&format!("{shown} → shop"));
    assert_eq!(status(&mainstay)["addresses"][0], shown);
    mainstay
        .get("/metrics")
        .expect(200)
        .body_contains("mainstay_");
    Mainstay::say(["explain", "--send", "/"])
        .beside(&mainstay)
        .finish()
        .expect_code(0)
        .says(["200 OK", "app (shop/0)"]);
    assert!(mainstay.stop().success());
    assert!(!path.exists(), "the socket went with the instance");
}

#[test]
fn a_socket_outlives_gateways_and_a_request_the_stop() {
    let mainstay = behind_a_socket("").start();
    let path = socket(&mainstay);
    let first = gateway(&mainstay, None);
    mainstay.kill(first);
    let _ = told(&ask(&path, ""));
    Mainstay::say(["reload", "--gateway"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let _ = told(&ask(&path, ""));
    let active = |count: &str| {
        let metrics = mainstay.get("/metrics").text();
        let is_it = |line: &str| line.starts_with("active_requests") && line.ends_with(count);
        metrics.lines().any(is_it).then_some(())
    };
    // the one before is not mistaken for the one that is meant
    eventually("nobody at the app", || active(" 0"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&path, "X-Late: 500\r\n"));
        eventually("the request at the app", || active(" 1"));
        mainstay.terminate();
        let _ = told(&asked.join().expect("no panic"));
    });
    assert!(mainstay.stop().success());
    assert!(!path.exists());
}

#[test]
fn a_reload_moves_from_a_socket_to_a_port_and_back() {
    let mainstay = behind_a_socket("").start();
    let path = socket(&mainstay);
    let file = mainstay.folder().join("mainstay.toml");
    let settings = std::fs::read_to_string(&file).expect("the file");
    let reload = |settings: &str| {
        std::fs::write(&file, settings).expect("the folder is ours");
        let reload = Mainstay::say(["reload", "--settings"]).beside(&mainstay);
        reload.finish()
    };
    reload(&settings.replace("[listen]\n", "[listen]\nsocket_mode = \"0666\"\n")).expect_code(0);
    let mode = path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    reload(&settings.replace("unix:shop.sock", "127.0.0.1:0")).expect_code(0);
    assert!(!path.exists(), "nobody listens there any more");
    reload(&settings).expect_code(0);
    let _ = told(&ask(&path, ""));
    reload(&settings.replace("[listen]\n", "[listen]\nsocket_group = \"no-such-group\"\n"))
        .expect_code(2)
        .says(["`listen.socket_group`: no group `no-such-group`"]);
    let _ = told(&ask(&path, ""));
}

#[test]
fn what_a_killed_instance_left_is_taken_over_and_a_living_socket_is_not() {
    let mut first = behind_a_socket("").start();
    let path = socket(&first);
    let listen = format!("unix:{}", path.display());
    let second = || {
        Mainstay::run("server.js")
            .file("server.js", APP)
            .listens_as_configured()
            .flags(["--listen", &listen, "--observe", "127.0.0.1:0"])
    };
    second()
        .finish()
        .expect_code(3)
        .says(["is in use by the instance `shop`", "choose another path"]);
    assert!(path.exists());
    first.kill_and_expect_nobody_left();
    assert!(path.exists(), "nobody was left to remove it");
    let third = second().start();
    let _ = told(&ask(&path, ""));
    assert!(third.stop().success());

    let foreign = UnixListener::bind(&path).expect("the path is free");
    second()
        .finish()
        .expect_code(3)
        .says(["is in use by `", "stop it"]);
    drop(foreign);
    std::fs::remove_file(&path).expect("the folder is ours");
    std::fs::write(&path, "a note").expect("the folder is ours");
    second().finish().expect_code(3).says(["it is no socket"]);
    assert!(path.exists());
}
