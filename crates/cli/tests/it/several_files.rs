//! Settings in several files: checked, compared and reloaded as one, each with its own lines.

use std::fs;

use mainstay_testkit::{Ended, Mainstay, Running};

use crate::support::started;

const APP: &str = "require('http').createServer((q, r) => r.end('hello')).listen(3000);";
const MAIN: &str = "include = [\"conf.d/*.toml\"]\n[app.web]\ncommand = \"node server.js\"\n";

fn headers(value: &str) -> String {
    format!("[headers]\nx-frame-options = \"{value}\"\n")
}

#[track_caller]
fn write(mainstay: &Running, name: &str, text: &str) {
    fs::write(mainstay.folder().join(name), text).expect("the folder is ours");
}

fn say<const N: usize>(mainstay: &Running, words: [&str; N]) -> Ended {
    Mainstay::say(words).beside(mainstay).finish()
}

#[test]
fn included_files_are_checked_compared_and_reloaded_with_the_file() {
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", APP)
            .file("conf.d/headers.toml", &headers("DENY"))
            .config(MAIN),
    );
    let sent = || {
        let response = mainstay.get("/").expect(200);
        response.header("x-frame-options").map(str::to_owned)
    };
    assert_eq!(sent().as_deref(), Some("DENY"));
    let file = mainstay.folder().join("mainstay.toml");
    let file = file.display().to_string();
    say(&mainstay, ["check", "--explain", &file]).says([
        "headers.x-frame-options = \"DENY\"",
        "conf.d/headers.toml:2:19",
    ]);

    write(&mainstay, "conf.d/headers.toml", &headers("SAMEORIGIN"));
    write(&mainstay, "conf.d/limits.toml", "[limits]\nqueue = 7\n");
    say(&mainstay, ["diff"])
        .expect_code(0)
        .says(["conf.d/headers.toml:2:19", "conf.d/limits.toml:2:9"]);
    say(&mainstay, ["reload", "--settings"]).expect_code(0);
    assert_eq!(sent().as_deref(), Some("SAMEORIGIN"));

    write(&mainstay, "conf.d/limits.toml", "[limits]\nqeue = 7\n");
    for words in [
        ["reload", "--settings"],
        ["check", &file],
        ["diff", "--name=web"],
    ] {
        say(&mainstay, words)
            .expect_code(2)
            .says(["conf.d/limits.toml", "`limits.qeue` is not a setting"]);
    }
    fs::remove_file(mainstay.folder().join("conf.d/limits.toml")).expect("it is there");
    write(
        &mainstay,
        "mainstay.toml",
        &MAIN.replace("conf.d/*", "conf.d/header"),
    );
    say(&mainstay, ["reload", "--settings"])
        .expect_code(2)
        .says([
            "mainstay.toml:1:12",
            "did you mean `headers.toml`, which is there?",
        ]);
    assert_eq!(sent().as_deref(), Some("SAMEORIGIN"));
}
