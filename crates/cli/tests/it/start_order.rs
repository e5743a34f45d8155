//! Apps that are started when something else is there: other apps, and addresses of what runs elsewhere.

use mainstay_testkit::{Mainstay, Origin, Running, eventually};
use serde_json::Value;

use crate::support::status;

/// Works until it is ended, and says when it began and ended.
const QUEUE: &str = "
console.log(process.env.name + ' begins');
process.on('SIGTERM', () => { console.log(process.env.name + ' ends'); process.exit(0); });
setInterval(() => {}, 1000);
";

/// Listens when it is told to, by a file.
const SERVER: &str = "
const fs = require('fs');
console.log(process.env.name + ' begins');
const wait = process.env.WAIT;
const listen = () => require('http').createServer((_, r) => r.end(process.env.name)).listen(3000);
const look = () => (!wait || fs.existsSync(wait) ? listen() : setTimeout(look, 20));
look();
process.on('SIGTERM', () => { console.log(process.env.name + ' ends'); process.exit(0); });
";

/// What status says of an app.
#[track_caller]
fn of(mainstay: &Running, app: &str) -> Value {
    let status = status(mainstay);
    let mut targets = status["targets"].as_array().expect("a list").iter();
    let found = targets.find(|target| target["name"] == app);
    found.expect("the app").clone()
}

/// Where the first line stands in which an app says this.
#[track_caller]
fn said(output: &str, what: &str) -> usize {
    output
        .find(what)
        .unwrap_or_else(|| panic!("nobody says `{what}`: {output}"))
}

#[test]
fn apps_begin_after_those_they_name_and_end_before_them() {
    let mainstay = Mainstay::run("")
        .file("server.js", SERVER)
        .file("queue.js", QUEUE)
        .config(
            "[app.queue]\nhttp = false\ncommand = \"node queue.js\"\nafter = \"web\"\nready = \"log:begins\"\n\
             [app.web]\ncommand = \"node server.js\"\nafter = [\"db\"]\nworkers = 2\n\
             [app.db]\nhttp = false\ncommand = \"node queue.js\"\nready = \"log:begins\"\n",
        )
        .start();
    eventually("the last one", || {
        (of(&mainstay, "queue")["ready"] == 1).then_some(())
    });
    assert_eq!(mainstay.get("/").expect(200).text(), "web");
    assert_eq!(of(&mainstay, "web")["waits_for"], serde_json::json!([]));
    let output = mainstay.follow();
    assert!(mainstay.stop().success());
    let output = output.text();
    let last = output.rfind("web ends");
    assert!(last < output.find("db ends"), "{output}");
    let order = [
        "db begins",
        "web begins",
        "queue begins",
        "queue ends",
        "web ends",
        "db ends",
    ];
    let places = order.map(|what| said(&output, what));
    assert!(places.is_sorted(), "{places:?}: {output}");
    assert!(output.contains("app `web` waits for `db`"), "{output}");
}

#[test]
fn who_waits_is_shown_and_holds_up_no_other() {
    let mainstay = Mainstay::run("")
        .file("server.js", SERVER)
        .config(
            "[app.slow]\ncommand = \"node server.js\"\nenv = { WAIT = \"go\" }\nlisten = \"127.0.0.1:0\"\n\
             [app.waits]\nhttp = false\ncommand = \"node server.js\"\nafter = \"slow\"\nready = \"log:begins\"\n\
             [app.quick]\ncommand = \"node server.js\"\nlisten = \"127.0.0.1:0\"\n",
        )
        .listens_as_configured()
        .start();
    eventually("the quick one", || {
        (of(&mainstay, "quick")["ready"] == 1).then_some(())
    });
    let waits = of(&mainstay, "waits");
    assert_eq!(waits["waits_for"], serde_json::json!(["slow"]));
    assert_eq!(waits["workers"], serde_json::json!([]));
    let text = Mainstay::say(["status"]).beside(&mainstay).finish();
    let text = text.expect_code(0).output;
    assert!(
        text.contains("waits: 0 of 1 ready · waits for slow"),
        "{text}"
    );
    let text = Mainstay::say(["describe", "waits"])
        .beside(&mainstay)
        .finish();
    assert!(text.expect_code(0).output.contains("waits for  slow"));
    // whoever reloads it waits as well
    let reload = Mainstay::say(["reload", "waits"]).beside(&mainstay);
    let reload = std::thread::spawn(move || reload.finish());
    eventually("the reload that waits", || {
        let output = mainstay.output();
        (output.matches("`waits` waits for `slow`").count() == 2).then_some(())
    });
    std::fs::write(mainstay.folder().join("go"), "").expect("written");
    let reload = reload.join().expect("an end").expect_code(0).output;
    assert!(reload.contains("`waits` waits for `slow`"), "{reload}");
    assert_eq!(of(&mainstay, "waits")["ready"], 1);
    let again = Mainstay::say(["reload", "waits"])
        .beside(&mainstay)
        .finish();
    let again = again.expect_code(0).output;
    assert!(!again.contains("waits for"), "{again}");
}

#[test]
fn what_runs_elsewhere_is_asked_until_it_is_there() {
    let health = Origin::says("well").start();
    let database = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let place = database.local_addr().expect("an address");
    let config = format!(
        "[app.web]\ncommand = \"node server.js\"\nafter = [\"tcp://{place}\", \"http://{}/health\"]\n",
        health.address()
    );
    let mainstay = Mainstay::run("")
        .file("server.js", SERVER)
        .config(&config)
        .start_until("NODE_ENV=production");
    eventually("the app", || {
        (of(&mainstay, "web")["ready"] == 1).then_some(())
    });
    let asked = health.received();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].head.starts_with("GET /health HTTP/1.1\r\n"),
        "{asked:?}"
    );
    drop(database);
}

#[test]
fn one_that_waits_too_long_ends_the_start_and_says_for_whom() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let place = closed.local_addr().expect("an address");
    drop(closed);
    let ended = Mainstay::run("")
        .file("server.js", SERVER)
        .config(&format!(
            "[app.web]\ncommand = \"node server.js\"\nafter = \"tcp://{place}\"\nafter_timeout = \"300ms\"\n"
        ))
        .finish()
        .expect_code(1);
    let expected = format!(
        "app `web` was not started: after 300ms it still waits for `tcp://{place}` (Connection refused"
    );
    assert!(ended.output.contains(&expected), "{}", ended.output);
    assert!(!ended.output.contains("web begins"), "{}", ended.output);
}

#[test]
fn an_app_that_was_stopped_waits_for_those_it_names() {
    let mainstay = Mainstay::run("")
        .file("queue.js", QUEUE)
        .listens_as_configured()
        .config(
            "[app.api]\nhttp = false\ncommand = \"node queue.js\"\nafter = \"db\"\nready = \"log:begins\"\n\
             [app.db]\nhttp = false\ncommand = \"node queue.js\"\nready = \"log:begins\"\n\
             [app.other]\nhttp = false\ncommand = \"node queue.js\"\nready = \"log:begins\"\n",
        )
        .start_until("NODE_ENV=production");
    eventually("the last one", || {
        (of(&mainstay, "api")["ready"] == 1).then_some(())
    });
    let say = |words: &[&str], code| {
        let said = match *words {
            [one, two] => Mainstay::say([one, two]),
            [one, two, three] => Mainstay::say([one, two, three]),
            _ => panic!("two or three words"),
        };
        said.beside(&mainstay).finish().expect_code(code).output
    };
    let stopped = say(&["stop", "db", "api"], 0);
    assert!(said(&stopped, "`api` has stopped") < said(&stopped, "`db` has stopped"));
    let refused = say(&["start", "api"], 2);
    assert!(
        refused.contains("`api` is started after `db`, which is stopped"),
        "{refused}"
    );
    let both = say(&["start", "api", "db"], 0);
    assert!(
        said(&both, "`db` runs") < said(&both, "`api` runs"),
        "{both}"
    );
}

#[test]
fn behind_one_that_fails_others_run_and_those_that_wait_for_it_follow_when_it_comes_up() {
    let fragile = "if (!require('fs').existsSync('fixed')) process.exit(7); console.log('db begins'); setInterval(() => {}, 1000);";
    let mainstay = Mainstay::run("")
        .file("server.js", SERVER)
        .file("db.js", fragile)
        .config(
            "[app.db]\ncommand = \"node db.js\"\nhttp = false\nrestart_delay = \"2s\"\n\
             [app.web]\ncommand = \"node server.js\"\nafter = \"db\"\nlisten = \"127.0.0.1:0\"\n\
             [app.job]\ncommand = \"sleep 1000\"\nhttp = false\n",
        )
        .listens_as_configured()
        .start_until("error: 2 of 3 apps did not come up: `db`, `web`");
    assert!(!mainstay.output().contains("web begins"));
    std::fs::write(mainstay.folder().join("fixed"), "").expect("the folder is ours");
    mainstay
        .output_contains_eventually("`db` has come up after all")
        .output_contains_eventually("web begins")
        .output_contains_eventually("`web` has come up after all");
    assert!(mainstay.stop().success());
}

#[test]
fn one_that_waits_too_long_beside_others_is_started_when_what_it_needs_comes_after_all() {
    let mainstay = Mainstay::run("")
        .file("queue.js", QUEUE)
        .listens_as_configured()
        .config(
            "[app.late]\nhttp = false\ncommand = \"node queue.js\"\nafter = \"unix:db.sock\"\nafter_timeout = \"300ms\"\n\
             [app.other]\nhttp = false\ncommand = \"node queue.js\"\nready = \"log:begins\"\n",
        )
        .start_until("app `late` was not started: after 300ms it still waits for `unix:");
    eventually("the other one", || {
        (of(&mainstay, "other")["ready"] == 1).then_some(())
    });
    let database = std::os::unix::net::UnixListener::bind(mainstay.folder().join("db.sock"));
    eventually("the late one", || {
        (of(&mainstay, "late")["ready"] == 1).then_some(())
    });
    drop(database.expect("bound"));
    assert!(mainstay.stop().success());
}
