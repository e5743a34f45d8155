//! The unit that `startup` makes, as systemd reads it, and what is said to systemd while it is in force.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use mainstay_testkit::{Folder, Mainstay, patience};

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = Folder::new();
    folder.write("server.js", "require('http').createServer().listen(3000)");
    folder.write(
        "mainstay.toml",
        "[app.shop]\ncommand = \"node server.js\"\n",
    );
    let made = Mainstay::say(["startup", "--print"])
        .typed_in(folder.path())
        .finish()
        .expect_code(0);
    let from = made.output.find("[Unit]").expect("a unit");
    let unit = folder.path().join("mainstay-shop.service");
    // what is said beside it comes before it or behind
    let lines = made.output[from..].lines();
    let lines: Vec<&str> = lines
        .filter(|line| !line.starts_with("mainstay:"))
        .collect();
    fs::write(&unit, lines.join("\n")).expect("the folder is ours");
    for line in [
        "Type=notify",
        "WatchdogSec=",
        "Delegate=yes",
        "KillMode=mixed",
        "TimeoutStopSec=",
    ] {
        assert!(made.output.contains(line), "{line} in\n{}", made.output);
    }
    // machines that are not run by systemd, as containers, have nobody to ask
    let Ok(judged) = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output()
    else {
        return;
    };
    let said = String::from_utf8_lossy(&judged.stderr).into_owned();
    // it reads every unit that ours leads to, and has its say about those of the machine too
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("mainstay-shop"))
        .collect();
    assert!(ours.is_empty(), "{said}\n{}", made.output);
}

/// What was said until something was, this included.
#[track_caller]
pub(crate) fn heard_until(socket: &UnixDatagram, word: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let length = socket
            .recv(&mut buffer)
            .unwrap_or_else(|error| panic!("waited in vain for {word} behind {heard:?}: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let is_it = text.lines().any(|line| line == word);
        heard.push(text);
        if is_it {
            return heard;
        }
    }
}

#[test]
fn systemd_is_told_when_it_serves_that_it_lives_and_when_it_ends() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a free path");
    socket.set_read_timeout(Some(patience())).expect("a time");
    let mainstay = Mainstay::run("server.js")
        .file(
            "server.js",
            "require('http').createServer((q, r) => r.end('ok')).listen(3000)",
        )
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .start();
    let before = heard_until(&socket, "READY=1");
    assert!(
        before.iter().all(|text| !text.contains("STOPPING")),
        "{before:?}"
    );
    // it was said when it was true
    mainstay.get("/").expect(200);
    for _ in 0..2 {
        heard_until(&socket, "WATCHDOG=1");
    }
    mainstay.terminate();
    heard_until(&socket, "STOPPING=1");
    assert!(mainstay.stop().success());
}
