//! Apps in the background: started, listed, changed one by one, stopped, and started again by what was left on record.

use std::fs;
use std::time::Instant;

use mainstay_testkit::{Home, Mainstay, eventually, free_port, patience};
use serde_json::Value;

const APP: &str = "const http = require('http');\n\
    console.log('out of ' + process.env.NODE_APP_INSTANCE); console.error('error');\n\
    process.on('SIGUSR2', () => console.log('told'));\n\
    http.createServer((request, response) => {\n\
      if (request.url === '/die') process.kill(process.pid, 'SIGKILL');\n\
      response.end(String(process.pid));\n\
    }).listen(3000);";

const TWO_APPS: &str = "name = \"shop\"\n\
    [app.api]\ncommand = \"node api.js\"\nlisten = \"127.0.0.1:0\"\n\
    [app.web]\ncommand = \"node web.js\"\nlisten = \"127.0.0.1:0\"\n";

/// A folder with one app, and what its commands share.
fn home() -> Home {
    let home = Home::new();
    home.file("server.js", APP);
    home
}

/// `mainstay jlist`.
#[track_caller]
fn listed(home: &Home) -> Vec<Value> {
    let text = home.say("jlist").finish().expect_code(0).output;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// Each worker as `ID NAME STATUS`.
#[track_caller]
fn states(home: &Home) -> Vec<String> {
    let listed = listed(home);
    let states = listed.iter().map(|entry| {
        let (id, name) = (&entry["pm_id"], entry["name"].as_str().expect("a name"));
        format!(
            "{id} {name} {}",
            entry["pm2_env"]["status"].as_str().expect("a word")
        )
    });
    states.collect()
}

/// Waits until workers are as told.
#[track_caller]
fn stand(home: &Home, expected: &[&str]) {
    let end = Instant::now() + patience();
    loop {
        let found = states(home);
        if found == expected {
            return;
        }
        assert!(
            Instant::now() < end,
            "expected {expected:?}, found {found:?}"
        );
    }
}

#[track_caller]
fn ls(home: &Home) -> String {
    home.say("ls").finish().expect_code(0).output
}

/// Where an app answers, as `ls` shows it.
#[track_caller]
fn address(home: &Home, app: &str) -> String {
    let table = ls(home);
    let row = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(app));
    let row = row.unwrap_or_else(|| panic!("no {app} in\n{table}"));
    row.split_whitespace()
        .last()
        .expect("an address")
        .to_owned()
}

#[track_caller]
fn does(home: &Home, line: &str) -> String {
    home.say(line).finish().expect_code(0).output
}

#[test]
fn what_is_started_is_listed_stopped_started_again_and_forgotten() {
    let home = home();
    let said = does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    assert!(said.contains("http://127.0.0.1:"), "{said}");
    assert!(said.contains("logs: "), "{said}");
    stand(&home, &["0 shop online"]);
    let _ = home.get(&address(&home, "shop"), "/").expect(200);
    home.say("start server.js --name shop")
        .finish()
        .expect_code(2)
        .says(["`shop` runs already", "mainstay restart shop"]);

    let before = listed(&home)[0]["pid"].as_u64();
    let _ = home.get(&address(&home, "shop"), "/die");
    eventually("another process", || {
        let entry = &listed(&home)[0];
        let is_new = entry["pid"].as_u64() != before && entry["pm2_env"]["status"] == "online";
        (is_new && entry["pm2_env"]["restart_time"].as_u64() >= Some(1)).then_some(())
    });

    does(&home, "stop shop");
    stand(&home, &["0 shop stopped"]);
    assert!(ls(&home).contains("stopped"), "{}", ls(&home));
    assert!(does(&home, "stop shop").contains("stopped already"));
    does(&home, "start shop");
    stand(&home, &["0 shop online"]);
    assert!(does(&home, "start 0").contains("runs already"));
    does(&home, "delete 0");
    assert_eq!(listed(&home), Vec::<Value>::new());
    assert!(home.log("shop", "shop-out.log").contains("out of 0\n"));
    assert!(home.log("shop", "shop-error.log").contains("error\n"));
    assert!(home.log("shop", "mainstay.log").contains("Z mainstay 0."));
    assert!(home.log("shop", "access.log").contains("\"path\":\"/\""));
}

#[test]
fn an_app_that_does_not_come_up_fails_as_in_the_foreground_and_leaves_nothing() {
    let home = home();
    home.file(
        "broken.js",
        "console.error('no such luck'); process.exit(7);",
    );
    home.say("start broken.js --listen 127.0.0.1:0 --name broken")
        .finish()
        .expect_code(1)
        .says([
            "error: app `broken` did not come up",
            "exit status 7",
            "no such luck",
        ]);
    // nor where nothing else comes up either
    home.file(
        "all.json",
        r#"{"apps": [{"name": "one", "script": "broken.js"}, {"name": "two", "script": "broken.js"}]}"#,
    );
    let _ = home
        .say("start all.json --name all")
        .finish()
        .expect_code(1)
        .says(["app `one` did not come up", "app `two` did not come up"]);
    home.say("start --lisen :80")
        .finish()
        .expect_code(2)
        .says(["--listen"]);
    home.say("start nothing.js")
        .finish()
        .expect_code(2)
        .says(["nothing.js"]);
    assert_eq!(listed(&home), Vec::<Value>::new());
    // what was good before stays on record though it does not come up any more
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    does(&home, "stop shop");
    home.file("server.js", "process.exit(1)");
    let _ = home.say("start shop").finish().expect_code(1);
    stand(&home, &["0 shop stopped"]);
}

#[test]
fn workers_have_ids_of_their_own_over_all_instances() {
    let home = home();
    does(
        &home,
        "start server.js -n 2 --listen 127.0.0.1:0 --name shop",
    );
    does(&home, "start server.js --listen 127.0.0.1:0 --name blog");
    stand(&home, &["2 blog online", "0 shop online", "1 shop online"]);
    does(&home, "scale shop +1");
    stand(
        &home,
        &[
            "2 blog online",
            "0 shop online",
            "1 shop online",
            "3 shop online",
        ],
    );
    let pids = || {
        listed(&home)
            .into_iter()
            .map(|entry| entry["pid"].as_u64())
            .collect::<Vec<_>>()
    };
    let before = pids();
    does(&home, "restart 1");
    let after = pids();
    let same: Vec<bool> = before
        .iter()
        .zip(&after)
        .map(|(one, other)| one == other)
        .collect();
    assert_eq!(same, [true, true, false, true]);
    home.say("stop 1")
        .finish()
        .expect_code(2)
        .says(["one of several workers", "scale shop -1"]);
    does(&home, "scale shop -2");
    stand(&home, &["2 blog online", "0 shop online"]);
    home.say("scale shop -1")
        .finish()
        .expect_code(2)
        .says(["1 to 1024", "mainstay stop shop"]);
    home.say("scale shop many")
        .finish()
        .expect_code(2)
        .says(["`3`, `+1`, `-1`, or `auto`"]);

    does(&home, "signal 2 SIGUSR2");
    eventually("the app's word", || {
        home.log("blog", "blog-out.log")
            .contains("told")
            .then_some(())
    });
    assert!(!home.log("shop", "shop-out.log").contains("told"));
    home.say("signal blog SIGNONE")
        .finish()
        .expect_code(2)
        .says(["SIGUSR2"]);

    does(&home, "delete shop");
    does(&home, "start server.js --listen 127.0.0.1:0 --name new");
    stand(&home, &["2 blog online", "0 new online"]);
    let answers = does(&home, "ping");
    assert!(
        answers.contains("`blog` answers") && answers.contains("`new` answers"),
        "{answers}"
    );
    home.say("status")
        .finish()
        .expect_code(2)
        .says(["several instances", "--name"]);
    does(&home, "stop all");
    stand(&home, &["2 blog stopped", "0 new stopped"]);
}

#[test]
fn apps_of_an_instance_stop_and_start_one_by_one() {
    let home = home();
    home.file("api.js", APP)
        .file("web.js", APP)
        .file("mainstay.toml", TWO_APPS);
    does(&home, "start");
    stand(&home, &["0 api online", "1 web online"]);
    let api = address(&home, "api");
    let _ = home.get(&api, "/").expect(200);
    does(&home, "stop /^ap/");
    stand(&home, &["0 api stopped", "1 web online"]);
    let _ = home.get(&api, "/").expect(503);
    let _ = home
        .get(&address(&home, "web"), "/.mainstay/ready")
        .expect(200);
    // what was stopped by hand is not started by the way
    does(&home, "reload --name shop");
    stand(&home, &["0 api stopped", "1 web online"]);
    does(&home, "start api");
    stand(&home, &["0 api online", "1 web online"]);
    let _ = home.get(&api, "/").expect(200);
    let said = does(&home, "restart api");
    assert!(said.contains("`mainstay reload` does it without"), "{said}");
    let said = does(&home, "describe api");
    assert!(
        said.contains("release 3") && said.contains("id 0"),
        "{said}"
    );
    does(&home, "delete api");
    stand(&home, &["1 web online"]);
    home.say("stop wbe")
        .finish()
        .expect_code(2)
        .says(["did you mean `web`?"]);
    // with the last app ends the instance
    does(&home, "stop web");
    home.say("status")
        .finish()
        .expect_code(2)
        .says(["no instance of yours is running"]);
    stand(&home, &["1 web stopped"]);
}

#[test]
fn an_app_that_fails_to_start_again_stays_stopped() {
    let home = home();
    home.file("api.js", APP)
        .file("web.js", APP)
        .file("mainstay.toml", TWO_APPS);
    does(&home, "start");
    does(&home, "stop api");
    home.file("api.js", "process.exit(1)");
    home.say("start api")
        .finish()
        .expect_code(1)
        .says(["`api` stays stopped"]);
    stand(&home, &["0 api stopped", "1 web online"]);
    home.file("api.js", APP);
    does(&home, "start api");
    stand(&home, &["0 api online", "1 web online"]);
}

#[test]
fn what_was_saved_is_there_again_after_a_restart_of_the_machine() {
    let home = home();
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    does(&home, "start server.js --listen 127.0.0.1:0 --name blog");
    does(&home, "stop blog");
    assert!(does(&home, "save").contains("`shop`"));
    let pid = home
        .say("status --json --name shop")
        .finish()
        .expect_code(0)
        .output;
    let pid: Value = serde_json::from_str(&pid).expect("JSON");
    let pid = i32::try_from(pid["pid"].as_i64().expect("a number")).expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    eventually("its end", || (!ls(&home).contains("ready")).then_some(()));
    // what a start of the machine leaves of the runtime directories
    fs::remove_dir_all(home.home().join("run")).expect("it was there");
    stand(&home, &["1 blog stopped", "0 shop stopped"]);
    does(&home, "resurrect");
    stand(&home, &["1 blog stopped", "0 shop online"]);
    assert!(does(&home, "resurrect").contains("nothing that was saved is missing"));
}

#[test]
fn a_record_holds_no_variable_but_what_is_never_secret() {
    let home = home();
    let _ = home
        .say("start server.js --listen 127.0.0.1:0 --name shop")
        .env("DATABASE_PASSWORD", "hunter2")
        .env("TZ", "Europe/Vienna")
        .finish()
        .expect_code(0);
    let path = home.home().join("state/shop/record.json");
    let record = fs::read_to_string(&path).expect("a record");
    assert!(
        !record.contains("hunter2") && !record.contains("DATABASE"),
        "{record}"
    );
    assert!(record.contains("Europe/Vienna"), "{record}");
    assert!(!does(&home, "jlist").contains("hunter2"));
    for line in ["ls", "describe shop", "status --name shop"] {
        assert!(!does(&home, line).contains("hunter2"), "{line}");
    }
    for folder in ["state", "state/shop", "log/shop"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = home
            .home()
            .join(folder)
            .metadata()
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    does(&home, "stop shop");
    fs::write(&path, "{\"version\": 99}").expect("it is ours");
    assert!(ls(&home).contains("version 99"));
    home.say("start shop")
        .finish()
        .expect_code(3)
        .says(["mainstay delete shop"]);
    does(&home, "delete shop");
    assert_eq!(listed(&home), Vec::<Value>::new());
}

#[test]
fn log_files_are_emptied_and_opened_again() {
    let home = home();
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    let written = || home.log("shop", "shop-out.log");
    eventually("the first line", || {
        written().contains("out of 0").then_some(())
    });
    assert!(does(&home, "flush shop").contains("emptied 4 log files"));
    assert_eq!(written(), "");
    does(&home, "signal shop SIGUSR2");
    eventually("a line of the app", || {
        (written() == "told\n").then_some(())
    });
    let folder = home.home().join("log/shop");
    fs::rename(folder.join("shop-out.log"), folder.join("old")).expect("it is ours");
    let pid = home.say("status --json").finish().expect_code(0).output;
    let pid: Value = serde_json::from_str(&pid).expect("JSON");
    let pid = i32::try_from(pid["pid"].as_i64().expect("a number")).expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::USR2).expect("it runs");
    eventually("its word", || {
        home.log("shop", "mainstay.log")
            .contains("opened again")
            .then_some(())
    });
    does(&home, "signal shop SIGUSR2");
    eventually("a line in the new file", || {
        (written() == "told\n").then_some(())
    });
    assert_eq!(home.log("shop", "old"), "told\n");
    assert!(does(&home, "uninstall --print").contains("record"));
    home.say("uninstall")
        .finish()
        .expect_code(2)
        .says(["`shop` still runs"]);
    does(&home, "stop shop");
    does(&home, "uninstall --purge");
    assert!(!home.home().join("state").exists());
    assert!(!home.home().join("log/shop/shop-out.log").exists());
}

/// Comes up as soon as there is a file `fixed`.
const FRAGILE: &str = "if (!require('fs').existsSync('fixed')) { console.error('no such table'); process.exit(7); }
require('http').createServer((request, response) => response.end('at last')).listen(process.env.PORT);";

/// Three apps as PM2's users write them, one of which does not come up.
fn ecosystem(ports: [u16; 2]) -> String {
    let [good, bad] = ports;
    format!(
        r#"{{"apps": [
            {{"name": "fragile", "script": "fragile.js", "env": {{"PORT": {bad}}}, "restart_delay": 2000}},
            {{"name": "good", "script": "good.js", "env": {{"PORT": {good}}}, "instances": 2}},
            {{"name": "job", "script": "job.js"}}
        ]}}"#
    )
}

const GOOD: &str =
    "require('http').createServer((q, r) => r.end('good')).listen(process.env.PORT);";
const JOB: &str = "console.log('at work'); setInterval(() => {}, 1000);";

#[test]
fn of_several_apps_one_that_does_not_come_up_is_said_and_the_others_run() {
    let home = Home::new();
    let ports = [free_port(), free_port()];
    let [good, bad] = ports.map(|port| format!("127.0.0.1:{port}"));
    home.file("fragile.js", FRAGILE)
        .file("good.js", GOOD)
        .file("job.js", JOB)
        .file("ecosystem.json", &ecosystem(ports));
    let ended = home.say("start ecosystem.json --name shop").finish();
    let ended = ended.expect_code(1).says([
        "app `fragile` did not come up: worker 0 ended before it listened, exit status 7",
        "no such table",
        "error: 1 of 3 apps did not come up: `fragile`",
        "the others run",
    ]);
    assert_eq!(
        ended.output.matches("no such table").count(),
        1,
        "{}",
        ended.output
    );
    home.get(&good, "/").expect(200).body_is("good");
    let states = states(&home);
    assert!(states.contains(&"1 good online".to_owned()), "{states:?}");
    assert!(states.contains(&"3 job online".to_owned()), "{states:?}");
    assert!(
        !states.contains(&"0 fragile online".to_owned()),
        "{states:?}"
    );
    // it is tried again, and found where it wants to be
    home.file("fixed", "");
    stand(
        &home,
        &[
            "0 fragile online",
            "1 good online",
            "2 good online",
            "3 job online",
        ],
    );
    eventually("its address", || std::net::TcpStream::connect(&bad).ok());
    home.get(&bad, "/").expect(200).body_is("at last");
    assert!(
        home.log("shop", "mainstay.log")
            .contains("`fragile` has come up after all")
    );
    // what it was started with holds at the next start, too
    fs::remove_file(home.path().join("fixed")).expect("it is there");
    does(&home, "stop shop");
    let _ = home
        .say("start shop")
        .finish()
        .expect_code(1)
        .says(["`fragile`"]);
    does(&home, "stop shop");
}

#[test]
fn in_the_foreground_the_others_run_too() {
    let ports = [free_port(), free_port()];
    let mainstay = Mainstay::run("ecosystem.json")
        .file("fragile.js", FRAGILE)
        .file("good.js", "process.exit(1)")
        .file("job.js", JOB)
        .file("ecosystem.json", &ecosystem(ports))
        .listens_as_configured()
        .start_until("error: 2 of 3 apps did not come up: `fragile`, `good`");
    mainstay
        .output_contains_eventually("at work")
        .output_contains_eventually("app `good` did not come up");
    fs::write(mainstay.folder().join("fixed"), "").expect("the folder is ours");
    let address = format!("127.0.0.1:{}", ports[1]);
    eventually("its address", || {
        std::net::TcpStream::connect(&address).ok()
    });
    mainstay.output_contains_eventually("`fragile` has come up after all");
    assert!(mainstay.stop().success());
}
