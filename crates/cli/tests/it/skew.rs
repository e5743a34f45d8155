//! A command and an instance of different versions: each understands of the other what it knows, and people are told once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use mainstay_testkit::{Ended, Folder, Mainstay};

use crate::support::started;

/// An instance of which nothing is there but its admin socket. It says everywhere that it is of this version, and ends
/// every order well.
fn fake(folder: &Folder, version: &str) -> PathBuf {
    let runtime = folder.path().join("run");
    fs::create_dir(&runtime).expect("the folder is ours");
    fs::write(runtime.join("lock"), "shop").expect("the folder is ours");
    let listener = UnixListener::bind(runtime.join("admin.sock")).expect("a socket");
    let done = r#"{"done":{"code":0,"message":"it is done","by":"a later word"}}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nmainstay-version: {version}\r\nconnection: close\r\n\r\n{{\"progress\":\"on the way\"}}\n{done}\n"
    );
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer_one(stream, &answer);
        }
    });
    runtime
}

/// Whoever only looks whether somebody listens asks nothing.
fn answer_one(mut stream: UnixStream, answer: &str) {
    let mut asked = [0; 4096];
    if matches!(stream.read(&mut asked), Ok(1..)) {
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn reload(runtime: &Path) -> Ended {
    Mainstay::say(["reload", "--gateway"])
        .env("MAINSTAY_RUNTIME_DIR", runtime)
        .finish()
        .expect_code(0)
}

#[test]
fn an_instance_of_another_version_is_named_in_one_line_and_understood() {
    let folder = Folder::new();
    let ended = reload(&fake(&folder, "9.8.7"));
    let lines: Vec<&str> = ended.output.lines().collect();
    let about: Vec<&&str> = lines.iter().filter(|line| line.contains("9.8.7")).collect();
    assert_eq!(about.len(), 1, "{}", ended.output);
    let own = env!("CARGO_PKG_VERSION");
    assert!(
        about[0].contains("`shop`") && about[0].contains(own),
        "{}",
        about[0]
    );
    assert!(ended.output.contains("it is done"), "{}", ended.output);
}

#[test]
fn what_an_instance_calls_its_version_reaches_no_terminal_as_it_is() {
    let folder = Folder::new();
    let ended = reload(&fake(&folder, "9\u{1b}]0;gotcha\u{7}"));
    assert!(!ended.output.contains('\u{1b}'), "{:?}", ended.output);
}

#[test]
fn of_the_same_version_nothing_is_said() {
    let folder = Folder::new();
    let own = env!("CARGO_PKG_VERSION");
    let ended = reload(&fake(&folder, own));
    assert!(!ended.output.contains(own), "{}", ended.output);
}

#[test]
fn words_of_a_later_command_are_passed_over_and_unknown_orders_refused() {
    let mainstay = started(Mainstay::run("server.js").file(
        "server.js",
        "require('http').createServer((q, s) => s.end('ok')).listen(3000)",
    ));
    let post = |path: &str, body: &str| {
        let socket = mainstay.folder().join(".run/admin.sock");
        let mut stream = UnixStream::connect(socket).expect("it listens");
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let answer = post(
        "/disable",
        r#"{"layer":"headers","for_ms":60000,"because":"a later word"}"#,
    );
    assert!(
        answer.contains(" 200 ") && answer.contains("\"code\":0"),
        "{answer}"
    );
    assert!(answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
    let answer = post("/reload", r#""somethinglater""#);
    assert!(
        answer.contains(" 400 ") && answer.contains("unknown variant"),
        "{answer}"
    );
    let answer = post("/later", "");
    assert!(answer.contains(" 404 "), "{answer}");
    mainstay.get("/").expect(200);
}
