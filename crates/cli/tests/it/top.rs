//! The view in the terminal, on a real one: what is seen, what keys do, and that the terminal is as it was afterwards.

use mainstay_testkit::{Load, Mainstay, Running, Terminal, eventually};

const APP: &str = "
require('http').createServer((request, response) => response.end('ok')).listen(3000, () => console.log('it listens'));
";

fn app() -> Running {
    Mainstay::run("")
        .file("server.js", APP)
        .config("name = \"shop\"\n[app.api]\ncommand = \"node server.js\"\n")
        .start()
}

fn top(mainstay: &Running) -> Terminal {
    Mainstay::say(["top"]).beside(mainstay).on_terminal(80, 24)
}

#[track_caller]
fn gives_back(mut terminal: Terminal) {
    assert!(terminal.ended().success());
    eventually("the terminal as it was", || {
        (terminal.is_taken_over() == (false, false)).then_some(())
    });
}

#[test]
fn apps_workers_and_traffic_are_seen_and_keys_scale_reload_and_stop() {
    let mut mainstay = app();
    let load = Load::new().gets(2).on(mainstay.address());
    let terminal = top(&mainstay);
    terminal
        .shows("api (shop)")
        .shows("1/1 ready")
        .shows("api:0")
        .shows("it listens")
        .shows("q quit");
    assert_eq!(terminal.is_taken_over(), (true, true));
    terminal.becomes("requests in a second", |text| {
        let head = text.lines().next().unwrap_or_default();
        head.contains(" req/s") && !head.starts_with("0 req/s") && head.contains("p95")
    });
    terminal.types("+").shows("2/2 ready").shows("api:1");
    terminal.types("r").shows("runs release 2");
    // asked first, and not done after a no
    terminal.types("s").shows("stop `api`? y/n");
    terminal
        .types("n")
        .becomes("no question", |text| !text.contains("y/n"));
    load.stop().expect_no_failure();
    terminal.types("s").shows("stop `api`? y/n").types("y");
    // with its only app the instance ends
    terminal.shows("nothing of yours runs");
    eventually("the end of the instance", || mainstay.ended());
    terminal.types("q");
    gives_back(terminal);
}

#[test]
fn it_follows_the_size_of_the_terminal_and_gives_it_back_after_a_signal() {
    let mainstay = app();
    let terminal = top(&mainstay);
    terminal.shows("api (shop)").shows("restarts");
    terminal.resize(120, 40);
    terminal.becomes("a wider picture", |text| {
        text.lines().any(|line| line.trim_end().len() > 90)
    });
    terminal.resize(60, 12);
    terminal.shows("q quit").shows("api (shop)");
    terminal.terminate();
    gives_back(terminal);
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let said = Mainstay::say(["top"]).finish().expect_code(2);
    let _ = said.says(["needs a terminal", "mainstay ls"]);
}

#[test]
fn where_nothing_runs_that_is_said() {
    let terminal = Mainstay::say(["monit"]).on_terminal(80, 24);
    terminal.shows("nothing of yours runs").types("\u{3}");
    gives_back(terminal);
}
