//! `mainstay init` on real folders; what it finds in which is in the tables of `tests/init`.

use std::fs;

use mainstay_testkit::{Mainstay, Running};

use crate::support::json;

const PACKAGE: &str =
    r#"{"name":"shop","scripts":{"start":"node server.js"},"dependencies":{"express":"^5"}}"#;

#[test]
fn what_init_writes_runs_as_it_is() {
    let app = Mainstay::say(["init"])
        .app("express5")
        .file("package.json", PACKAGE);
    let folder = app.folder().to_owned();
    let ended = Mainstay::say(["init", folder.to_str().unwrap()])
        .finish()
        .expect_code(0);
    ended.says(["found app `shop`: express ^5", "mainstay run"]);
    let mainstay: Running = Mainstay::say(["run", "--listen", "127.0.0.1:0"])
        .flags(["-c", folder.join("mainstay.toml").to_str().unwrap()])
        .start();
    assert_eq!(json(&mainstay.get("/").expect(200))["app"], "express5");
    assert!(mainstay.stop().success());
}

#[test]
fn a_file_that_is_there_stays_as_it_is() {
    let text = "# mine\n";
    let init = Mainstay::say(["init"])
        .file("package.json", PACKAGE)
        .file("mainstay.toml", text);
    let folder = init.folder().to_owned();
    let again = Mainstay::say(["init", folder.to_str().unwrap()])
        .finish()
        .expect_code(2);
    again.says(["is there already", "init --print"]);
    assert_eq!(
        fs::read_to_string(folder.join("mainstay.toml")).unwrap(),
        text
    );
    let printed = Mainstay::say(["init", "--print", folder.to_str().unwrap()]).finish();
    let printed = printed.expect_code(0).output;
    assert!(printed.starts_with("# Written by"), "{printed}");
    assert!(printed.contains("[app.shop]"), "{printed}");
    assert!(!printed.contains("found"), "only the file: {printed}");
    assert_eq!(
        fs::read_to_string(folder.join("mainstay.toml")).unwrap(),
        text
    );
}

#[test]
fn a_folder_that_says_nothing_is_told_what_was_looked_for() {
    Mainstay::say(["init"]).finish().expect_code(2).says([
        "package.json",
        "Procfile",
        "mainstay run -- COMMAND",
    ]);
    Mainstay::say(["init", "nowhere"])
        .finish()
        .expect_code(2)
        .says(["`nowhere` is not a folder"]);
}

#[test]
fn everything_that_may_be_written_can_be_had_and_says_nothing_yet() {
    let all = Mainstay::say(["init", "--all"]).finish().expect_code(0);
    assert_eq!(
        all.output,
        include_str!("../../../../docs/mainstay.default.toml")
    );
    Mainstay::say(["check"])
        .file("server.js", "require('http').createServer().listen(0);")
        .config(&all.output)
        .finish()
        .expect_code(0)
        .says(["the settings are sound"]);
}
