//! Settings that change while the program runs: swapped whole or not at all, without touching what did not change.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use mainstay_testkit::{Ended, Form, Load, Mainstay, Origin, Running, eventually, free_port};
use serde_json::Value;

use crate::support::{gateway, started, status};

const APP: &str = "
require('http').createServer((request, response) => {
  request.resume();
  if (request.url === '/events') {
    response.setHeader('content-type', 'text/event-stream');
    let number = 0;
    return setInterval(() => response.write(`data: ${++number}\\n\\n`), 100);
  }
  request.on('end', () => response.end(process.env.NAME || 'plain'));
}).on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n');
  socket.pipe(socket);
}).listen(3000);
";

const SHOP: &str = "[app.shop]\ncommand = \"node server.js\"\nworkers = 2\n";

/// The app with this file of settings.
#[track_caller]
fn with(settings: &str) -> Running {
    started(Mainstay::run("").file("server.js", APP).config(settings))
}

#[track_caller]
fn write(mainstay: &Running, settings: &str) {
    fs::write(mainstay.folder().join("mainstay.toml"), settings).expect("the folder is ours");
}

fn reload_settings(mainstay: &Running) -> Ended {
    Mainstay::say(["reload", "--settings"])
        .beside(mainstay)
        .finish()
}

/// Process ids of the first target's workers.
fn pids(mainstay: &Running) -> Vec<Value> {
    let status = status(mainstay);
    let workers = status["targets"][0]["workers"].as_array().expect("a list");
    workers.iter().map(|worker| worker["pid"].clone()).collect()
}

#[test]
fn workers_come_and_go_without_a_lost_request_and_without_touching_the_others() {
    let shop = |workers| SHOP.replace("workers = 2", &format!("workers = {workers}"));
    let mainstay = with(SHOP);
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    let first = pids(&mainstay);
    for _ in 0..Form::asked().pick(1, 10) {
        for count in [4, 1, 2] {
            load.wait_for_answers(50);
            write(&mainstay, &shop(count));
            reload_settings(&mainstay).expect_code(0);
            let now = pids(&mainstay);
            assert_eq!(now.len(), count);
            assert_eq!(now[0], first[0], "the first worker was never concerned");
        }
    }
    load.stop().expect_no_failure();
}

#[test]
fn sound_settings_are_swapped_and_broken_ones_change_nothing_under_load() {
    let with_header = |value: &str| {
        format!("{SHOP}[headers]\nmode = \"override\"\nx-frame-options = \"{value}\"\n")
    };
    let mainstay = with(&with_header("DENY"));
    let before = (pids(&mainstay), gateway(&mainstay, None));
    let load = Load::new().gets(3).posts(3).on(mainstay.address());
    for _ in 0..Form::asked().pick(3, 20) {
        for value in ["SAMEORIGIN", "DENY"] {
            write(&mainstay, &with_header(value));
            reload_settings(&mainstay).expect_code(0);
            eventually("the new header", || {
                let response = mainstay.get("/").expect(200);
                (response.header("x-frame-options") == Some(value)).then_some(())
            });
            let broken = "workers = 2\n[app.shop]\nworkerz = 3\n[headers]\nmode = \"maybe\"\n";
            write(&mainstay, broken);
            let ended = reload_settings(&mainstay).expect_code(2);
            for problem in [
                "`workers` is not a setting",
                "did you mean `workers`?",
                "headers.mode",
            ] {
                assert!(
                    ended.output.contains(problem),
                    "{problem} in\n{}",
                    ended.output
                );
            }
            let response = mainstay.get("/").expect(200);
            assert_eq!(response.header("x-frame-options"), Some(value));
        }
    }
    load.stop().expect_no_failure();
    assert_eq!((pids(&mainstay), gateway(&mainstay, None)), before);
}

#[test]
fn a_tunnel_and_a_stream_stay_open_through_a_change_that_does_not_concern_them() {
    let mainstay = with(SHOP);
    let mut tunnel = mainstay.connect();
    tunnel.send(
        "GET /echo HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let head = tunnel.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut stream = mainstay.connect();
    stream.send("GET /events HTTP/1.1\r\nHost: a.example\r\n\r\n");
    stream.read_until("data: 1\n\n");
    let changed = format!("{SHOP}[log]\naccess = false\n[limits]\nfields = 50\n");
    write(&mainstay, &changed);
    reload_settings(&mainstay).expect_code(0);
    tunnel.send("still here\n");
    assert_eq!(tunnel.read_until("\n"), "still here\n");
    stream.read_until("data: 9\n\n");
}

#[test]
fn an_app_with_other_settings_gets_a_new_release_and_the_flags_stay_in_force() {
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", APP)
            .config(SHOP)
            .flags(["-n", "1"]),
    );
    let before = pids(&mainstay);
    write(&mainstay, &format!("{SHOP}env = {{ NAME = \"north\" }}\n"));
    reload_settings(&mainstay).expect_code(0);
    mainstay.get("/").expect(200).body_is("north");
    let after = pids(&mainstay);
    assert_eq!(after.len(), 1, "the flag says one, the file two");
    assert_ne!(before, after);
    write(&mainstay, SHOP);
    reload_settings(&mainstay).expect_code(0);
    mainstay.get("/").expect(200).body_is("plain");
}

#[test]
fn apps_come_and_go_with_the_file() {
    let mainstay = with(SHOP);
    let both = format!(
        "{SHOP}[app.blog]\ncommand = \"node server.js\"\nenv = {{ NAME = \"blog\" }}\n\
         [route.blog]\npath = \"/blog/*\"\nto = \"blog\"\n[route.shop]\nto = \"shop\"\n"
    );
    write(&mainstay, &both);
    reload_settings(&mainstay).expect_code(0);
    eventually("the blog", || {
        let response = mainstay.get("/blog/1").expect(200);
        (response.body == b"blog").then_some(())
    });
    mainstay.get("/").expect(200).body_is("plain");
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    write(&mainstay, SHOP);
    reload_settings(&mainstay).expect_code(0);
    eventually("the blog's end", || {
        let response = mainstay.get("/blog/1").expect(200);
        (response.body == b"plain").then_some(())
    });
    load.stop().expect_no_failure();
    // control plane apart: gateway, guard, two workers
    eventually("the end of the blog's worker", || {
        (mainstay.descendants().len() == 4).then_some(())
    });
}

#[test]
fn a_new_app_that_does_not_come_up_is_no_harm_to_the_others() {
    let mainstay = with(SHOP);
    let both = format!(
        "{SHOP}[app.blog]\ncommand = \"echo no such table; exit 1\"\n\
         [route.blog]\npath = \"/blog/*\"\nto = \"blog\"\n[route.shop]\nto = \"shop\"\n"
    );
    write(&mainstay, &both);
    let ended = reload_settings(&mainstay).expect_code(1);
    assert!(ended.output.contains("no such table"), "{}", ended.output);
    mainstay.get("/blog/1").expect(200).body_is("plain");
    assert_eq!(
        status(&mainstay)["targets"].as_array().map(Vec::len),
        Some(1)
    );
    write(&mainstay, SHOP);
    reload_settings(&mainstay).expect_code(0);
}

#[test]
fn another_address_is_opened_and_one_in_use_changes_nothing() {
    let mainstay = with(SHOP);
    let also = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let metrics = |address: SocketAddr| format!("{SHOP}[listen]\nobserve = \"{address}\"\n");
    let load = Load::new().gets(2).posts(2).on(mainstay.address());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let before = gateway(&mainstay, None);
    write(&mainstay, &metrics(taken.local_addr().expect("an address")));
    let ended = reload_settings(&mainstay).expect_code(3);
    assert!(ended.output.contains("in use"), "{}", ended.output);
    assert_eq!(gateway(&mainstay, None), before);
    write(&mainstay, &metrics(also));
    reload_settings(&mainstay).expect_code(0);
    let request = "GET /metrics HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    let mut wire = mainstay.connect_to(also);
    wire.send(request).response().expect(200);
    load.wait_for_answers(50);
    load.stop().expect_no_failure();
}

#[test]
fn another_number_of_threads_takes_another_gateway_and_loses_nothing() {
    let threads = |count| format!("{SHOP}[listen]\nthreads = {count}\n");
    let mainstay = with(&threads(2));
    let (before, served) = (pids(&mainstay), mainstay.address());
    let load = Load::new().gets(3).posts(3).on(served);
    for count in [4, 1, 3] {
        load.wait_for_answers(50);
        let gone = gateway(&mainstay, None);
        write(&mainstay, &threads(count));
        reload_settings(&mainstay).expect_code(0);
        let now = gateway(&mainstay, Some(gone));
        let names = threads_of(now);
        assert_eq!(names, count, "threads that serve");
        // every socket of the address is accepted from
        for _ in 0..20 {
            mainstay.get("/").expect(200);
        }
    }
    load.stop().expect_no_failure();
    assert_eq!(pids(&mainstay), before);
}

/// How many threads of a gateway serve connections.
fn threads_of(pid: i32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let name =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks
        .flatten()
        .filter(|task| name(task).starts_with("gateway-"))
        .count()
}

#[test]
fn servers_that_run_elsewhere_are_exchanged_too() {
    let (one, two) = (Origin::says("one").start(), Origin::says("two").start());
    let of = |origin: &Origin| format!("[upstream.shop]\nservers = [\"{}\"]\n", origin.address());
    let mainstay = started(Mainstay::run("").config(&of(&one)));
    mainstay.get("/").expect(200).body_is("one");
    write(&mainstay, &of(&two));
    reload_settings(&mainstay).expect_code(0);
    eventually("the other server", || {
        (mainstay.get("/").expect(200).body == b"two").then_some(())
    });
    let nowhere = "[upstream.shop]\nservers = [\"nowhere.invalid:80\"]\n";
    write(&mainstay, nowhere);
    let ended = reload_settings(&mainstay).expect_code(3);
    assert!(
        ended.output.contains("cannot be resolved"),
        "{}",
        ended.output
    );
    mainstay.get("/").expect(200).body_is("two");
}

#[test]
fn a_file_that_is_gone_or_empty_for_a_moment_changes_nothing() {
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", APP)
            .file("mainstay.toml", SHOP),
    );
    let before = pids(&mainstay);
    write(&mainstay, "\n");
    let ended = reload_settings(&mainstay).expect_code(2);
    assert!(ended.output.contains("gone or empty"), "{}", ended.output);
    fs::remove_file(mainstay.folder().join("mainstay.toml")).expect("ours");
    reload_settings(&mainstay).expect_code(2);
    mainstay.get("/").expect(200);
    assert_eq!(pids(&mainstay), before);
    write(&mainstay, SHOP);
    reload_settings(&mainstay).expect_code(0);
}

#[test]
fn what_takes_another_start_is_said() {
    let mainstay = with(SHOP);
    write(&mainstay, &format!("name = \"other\"\n{SHOP}"));
    let ended = reload_settings(&mainstay).expect_code(2);
    assert!(
        ended.output.contains("`name` takes another start"),
        "{}",
        ended.output
    );
    mainstay.get("/").expect(200);
}
