//! What people get wrong, and every word they are told: each case is a file in `tests/mistakes`, written anew with
//! `UPDATE=1`. Each message says what was found, where, and what to do next.

use std::net::TcpListener;
use std::path::Path;

use mainstay_testkit::{Ended, Mainstay};

use crate::help::update_asked;

const HELLO: &str = "require('http').createServer((q, r) => r.end('hello')).listen(3000);";

/// Compares what was said with the case, everything that differs from run to run replaced by a word.
#[track_caller]
fn told(case: &str, ended: &Ended, folder: &Path, replaced: &[(&str, &str)]) {
    let mut text = ended
        .output
        .replace(&folder.display().to_string(), "FOLDER");
    if let Some(name) = folder.file_name().and_then(|name| name.to_str()) {
        text = text.replace(name, "NAME");
    }
    for (found, word) in replaced {
        text = text.replace(found, word);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/mistakes/{case}.txt"));
    if update_asked() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&path, &text).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}", path.display());
}

/// A start that ends with this code, told as in the case.
#[track_caller]
fn mistake(case: &str, start: Mainstay, code: i32, replaced: &[(&str, &str)]) {
    let folder = start.folder().to_owned();
    told(case, &start.finish().expect_code(code), &folder, replaced);
}

fn config(text: &str) -> Mainstay {
    Mainstay::run("").file("server.js", HELLO).config(text)
}

fn hello() -> Mainstay {
    Mainstay::run("server.js").file("server.js", HELLO)
}

#[test]
fn a_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    let start = hello()
        .listens_as_configured()
        .flags(["--listen", &address]);
    // the holder is this very test
    let comm = std::fs::read_to_string("/proc/self/comm").expect("a process has a name");
    let holder = format!("`{}` (process {})", comm.trim(), std::process::id());
    let replaced = [
        (address.as_str(), "127.0.0.1:PORT"),
        (holder.as_str(), "`PROGRAM` (process PID)"),
    ];
    mistake("port-taken", start, 3, &replaced);
}

#[test]
fn a_port_is_taken_by_another_instance() {
    let first = hello().flags(["--name", "shop"]).start();
    let pid = format!("process {}", first.pid());
    let address = first.address().to_string();
    for (case, wanted, replaced) in [
        ("port-of-an-instance", address.clone(), "127.0.0.1:PORT"),
        (
            "port-of-an-instance-everywhere",
            format!(":{}", first.address().port()),
            ":PORT",
        ),
    ] {
        let start = hello().listens_as_configured().flags(["--listen", &wanted]);
        mistake(
            case,
            start,
            3,
            &[(&wanted, replaced), (&pid, "process PID")],
        );
    }
}

#[test]
fn a_port_is_taken_by_somebody_who_may_not_be_looked_at() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    let port = taken.local_addr().expect("it has one").port().to_string();
    let start = hello();
    // a user of its own, who may look at nobody else's processes
    let program = start.program().display().to_string();
    let words = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        &program,
        "check",
        "--listen",
        &address,
        "--upstream",
        "127.0.0.1:9",
    ];
    let folder = mainstay_testkit::Folder::new();
    let shared = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), shared).expect("it is ours");
    let start = Mainstay::say(words)
        .binary("/usr/bin/setpriv")
        .env("MAINSTAY_RUNTIME_DIR", folder.path().join("run"));
    let ended = start.finish().expect_code(3);
    let line = ended.output.lines().find(|line| line.contains("is in use"));
    let line = line.unwrap_or_else(|| panic!("nobody is named in\n{}", ended.output));
    let line = line
        .replace(&address, "127.0.0.1:PORT")
        .replace(&port, "PORT");
    assert_eq!(
        line,
        "error: `127.0.0.1:PORT` is in use by a process of user `root`, which we may not look at; \
         `ss -ltnp 'sport = :PORT'` as root names it; stop it, or choose another address with `--listen`"
    );
}

#[test]
fn a_certificate_is_brought_along() {
    let text = "[listen]\nhttp = \":80\"\nhttps = { address = \":443\", acme = [\"api.example.com\"] }\n\
                certificate = \"/etc/ssl/api.pem\"\n";
    mistake("certificate", config(text).listens_as_configured(), 2, &[]);
}

#[test]
fn a_folder_for_a_socket_is_not_there() {
    let start = hello()
        .listens_as_configured()
        .flags(["--listen", "unix:run/shop.sock"]);
    mistake("socket-folder-absent", start, 3, &[]);
}

#[test]
fn a_module_is_missing() {
    let start = Mainstay::run("server.js")
        .file("server.js", "const express = require('absent-express');\n");
    let folder = start.folder().to_owned();
    let ended = start.finish().expect_code(1);
    // what Node says of it is Node's
    let ours = ended
        .output
        .lines()
        .skip_while(|line| !line.starts_with("error:"));
    let ours: Vec<&str> = ours
        .filter(|line| !line.contains("    at ") && !line.contains("Node.js v"))
        .collect();
    let ended = Ended {
        output: ours.join("\n") + "\n",
        ..ended
    };
    told("missing-module", &ended, &folder, &[]);
}

#[test]
fn a_key_has_a_typo() {
    mistake(
        "typo-in-a-key",
        config("[app.web]\ncomand = \"node server.js\"\nworker = 2\n"),
        2,
        &[],
    );
}

#[test]
fn a_duration_is_none() {
    mistake(
        "wrong-duration",
        config("[timeouts]\nresponse = \"2 minutes\"\nconnect = 5\n"),
        2,
        &[],
    );
}

#[test]
fn a_size_is_none() {
    mistake(
        "wrong-size",
        config("[limits]\nhead = \"32 kilo\"\n"),
        2,
        &[],
    );
}

#[test]
fn a_rate_is_none() {
    let text = "[app.web]\ncommand = \"node server.js\"\n\n[rate_limit.login]\nmatch = \"POST /login\"\nrate = \"5 per minute\"\n";
    mistake("wrong-rate", config(text), 2, &[]);
}

#[test]
fn a_route_names_no_app() {
    let text =
        "[app.web]\ncommand = \"node server.js\"\n\n[route.api]\npath = \"/api\"\nto = \"wep\"\n";
    mistake("unknown-route-app", config(text), 2, &[]);
}

#[test]
fn a_settings_file_is_not_there() {
    mistake(
        "settings-file-absent",
        hello().flags(["-c", "conf/mainstay.toml"]),
        2,
        &[],
    );
}

#[test]
fn an_app_is_not_there() {
    mistake(
        "app-absent",
        Mainstay::run("src/server.js").file("server.js", HELLO),
        2,
        &[],
    );
}

#[test]
fn the_name_of_an_app_has_a_typo() {
    let start = Mainstay::run("src/srver.js").file("src/server.js", HELLO);
    mistake("typo-in-the-app", start, 2, &[]);
}

#[test]
fn a_folder_is_not_there() {
    mistake(
        "folder-absent",
        config("[app.web]\ncommand = \"node server.js\"\ncwd = \"backend\"\n"),
        2,
        &[],
    );
}

#[test]
fn two_instances_have_one_name() {
    let first = hello().flags(["--name", "shop"]).start();
    let pid = first.pid().to_string();
    let second = hello().flags(["--name", "shop"]).beside(&first);
    let home = first.folder().display().to_string();
    mistake(
        "two-instances",
        second,
        2,
        &[(&home, "FIRST"), (&pid, "PID")],
    );
}

#[test]
fn a_port_is_not_allowed() {
    // a world with the usual rules about ports, and nobody in it who may break them
    let program = hello().program().display().to_string();
    let words = [
        "--map-root-user",
        "--net",
        "setpriv",
        "--bounding-set=-net_bind_service",
        &program,
        "run",
        "--listen",
        ":80",
        "server.js",
    ];
    let start = Mainstay::say(words)
        .binary("/usr/bin/unshare")
        .file("server.js", HELLO);
    mistake("port-not-allowed", start, 3, &[]);
}

#[test]
fn an_address_is_used_twice() {
    let text = "listen = \":3000\"\n\n[app.web]\ncommand = \"node server.js\"\nlisten = \"127.0.0.1:3000\"\n\n[app.api]\ncommand = \"node server.js\"\n";
    mistake(
        "listen-used-twice",
        config(text).listens_as_configured(),
        2,
        &[],
    );
}

#[test]
fn an_address_is_a_name() {
    mistake(
        "listen-on-a-name",
        config("listen = \"api.example.com\"\n").listens_as_configured(),
        2,
        &[],
    );
}

#[test]
fn a_file_is_json() {
    mistake("json", config("{\n  \"listen\": \":3000\"\n}\n"), 2, &[]);
}

#[test]
fn a_folder_has_no_app() {
    mistake(
        "folder-without-an-app",
        Mainstay::run("").file("README.md", "# Shop\n"),
        2,
        &[],
    );
}

#[test]
fn a_flag_has_a_typo() {
    mistake("typo-in-a-flag", hello().flags(["--worker", "2"]), 2, &[]);
}

#[test]
fn words_of_the_command_line_do_not_fit() {
    for (case, words) in [
        ("flag-without-value", &["run", "--workers"][..]),
        ("flag-takes-no-value", &["status", "--json=yes"]),
        ("flag-given-twice", &["status", "--json", "--json"]),
        ("flags-that-exclude", &["explain", "--token", "--json"]),
        ("flag-that-needs-another", &["explain", "-d", "x", "/"]),
        ("word-missing", &["completions"]),
        ("word-unknown", &["completions", "csh"]),
        ("word-too-many", &["status", "shop"]),
    ] {
        let start = words
            .iter()
            .fold(Mainstay::say([]), |start, word| start.flags([word]));
        mistake(case, start, 2, &[]);
    }
}

#[test]
fn a_command_has_a_typo() {
    mistake("typo-in-a-command", Mainstay::say(["realod"]), 2, &[]);
}

#[test]
fn nobody_runs() {
    mistake("nobody-runs", Mainstay::say(["stop"]), 2, &[]);
}
