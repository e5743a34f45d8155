//! `mainstay import pm2`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mainstay_testkit::Mainstay;

use crate::help::update_asked;

/// The file of the guides, to the letter.
const GUIDE: &str = include_str!("ecosystem/guide.config.js");

#[test]
fn the_file_of_the_guides_is_written_down_anew() {
    let import = Mainstay::say(["import", "pm2", "ecosystem.config.js"])
        .file("ecosystem.config.js", GUIDE)
        .file("dist/server.js", "");
    let ended = import.finish().expect_code(0);
    let _ = ended.says([
        "wrote",
        "pm2 unstartup",
        "systemctl disable --now pm2-$USER",
        "`deploy`",
    ]);
}

#[test]
fn what_is_written_reads_well_and_says_the_same() {
    let ended = Mainstay::say(["import", "pm2", "ecosystem.config.js", "--print"])
        .file("ecosystem.config.js", GUIDE)
        .finish()
        .expect_code(0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ecosystem/guide.mainstay.toml");
    if update_asked() {
        std::fs::write(&path, &ended.output).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(ended.output, expected);
    let ended = Mainstay::say(["check", "--env", "production", "--explain"])
        .file("mainstay.toml", &expected)
        .file("dist/server.js", "")
        .finish()
        .expect_code(0);
    let _ = ended.says([
        "app.api-server.workers = \"max\"",
        "app.api-server.start_timeout = \"5s\"",
    ]);
}

#[test]
fn nothing_is_overwritten_and_no_secret_is_written_down() {
    let file = "module.exports = { apps: [{ name: 'api', script: 'a.js',
        env: { LEVEL: 'info', KEY: process.env.KEY, PORT: Number(process.env.THE_PORT) } }] };";
    let import = Mainstay::say(["import", "pm2", "pm2.config.js"])
        .file("pm2.config.js", file)
        .file("mainstay.toml", "preset = \"off\"\n")
        .env("KEY", "hunter2");
    let ended = import.finish().expect_code(2);
    let _ = ended.says([
        "is there already and stays as it is",
        "mainstay import pm2 --print",
    ]);
    let ended = Mainstay::say(["import", "pm2", "pm2.config.js", "--print"])
        .file("pm2.config.js", file)
        .env("KEY", "hunter2")
        .env("THE_PORT", "8123")
        .finish()
        .expect_code(0);
    assert!(!ended.output.contains("hunter2"), "{}", ended.output);
    let _ = ended.says(["LEVEL = \"info\"", "PORT = \"8123\"", "#   KEY"]);
}

#[test]
fn without_a_file_pm2_is_asked() {
    let ended = Mainstay::say(["import", "pm2"])
        .env("PATH", "/nowhere")
        .finish()
        .expect_code(2);
    let _ = ended.says([
        "there is no `pm2`",
        "mainstay import pm2 ecosystem.config.js",
    ]);

    // as it answers: some remark of its own, then the list in one line
    let list = r#"[{"name":"api","pm_id":0,"pm2_env":{"exec_mode":"cluster_mode","pm_exec_path":"/srv/shop/server.js","pm_cwd":"/srv/shop","exec_interpreter":"node","env":{"PORT":3000,"DB_PASSWORD":"hunter2","HOME":"/home/me"}}},{"name":"api","pm_id":1,"pm2_env":{}}]"#;
    let said = Mainstay::say(["import", "pm2", "--print"]).file(
        "pm2",
        &format!("#!/bin/sh\necho '>>>> In-memory PM2 is out-of-date'\necho '{list}'\n"),
    );
    let program = said.folder().join("pm2");
    std::fs::set_permissions(program, Permissions::from_mode(0o755)).expect("it is ours");
    let folder = said.folder().display().to_string();
    let ended = said
        .env("PATH", format!("{folder}:/bin:/usr/bin"))
        .finish()
        .expect_code(0);
    assert!(!ended.output.contains("hunter2"), "{}", ended.output);
    let _ = ended.says([
        "cwd = \"/srv/shop\"",
        "command = [\"node\", \"server.js\"]",
        "workers = 2",
        "PORT = \"3000\"",
        "#   DB_PASSWORD",
    ]);
}
