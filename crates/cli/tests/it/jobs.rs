//! Apps that take no requests: queues, bots, and work that has an end.

use mainstay_testkit::{Load, Mainstay, Running, eventually};
use serde_json::Value;

use crate::support::{json, started, status};

/// Says what it was told of itself, and works until it hears `shutdown`.
const QUEUE: &str = "
const told = ['pm_id', 'name', 'namespace', 'NODE_APP_INSTANCE', 'instances', 'exec_mode', 'METRICS_PORT', 'SECRET'];
console.log(JSON.stringify({
  told: Object.fromEntries(told.map((name) => [name, process.env[name]])),
  args: process.argv.slice(2), node: process.execArgv, listens: process.env.MAINSTAY_INTERNAL_LISTEN_PATH,
}));
process.on('message', (message) => {
  console.log('heard ' + message);
  process.exit(0);
});
setInterval(() => {}, 1000);
";

/// The first line of JSON that an app with this name has written about worker `index`.
#[track_caller]
fn told(mainstay: &Running, index: &str) -> Value {
    eventually("what the worker was told", || {
        let output = mainstay.output();
        let mut lines = output.lines().filter_map(|line| {
            let value: Value = serde_json::from_str(line).ok()?;
            (value["told"]["NODE_APP_INSTANCE"] == index).then_some(value)
        });
        lines.next()
    })
}

#[test]
fn an_app_in_the_background_runs_without_gateway_and_hears_the_word_to_end() {
    let mainstay = Mainstay::run("")
        .listens_as_configured()
        .file("queue.js", QUEUE)
        .env("SECRET", "inherited")
        .config(
            "[app.queue]\nhttp = false\ncommand = \"queue.js\"\nworkers = 2\nnamespace = \"night\"\n\
             args = \"--slow 'two words'\"\ninterpreter = \"node\"\ninterpreter_args = \"--max-old-space-size=64\"\n\
             env = { METRICS_PORT = 9100 }\nincrement_var = \"METRICS_PORT\"\nfilter_env = \"SEC\"\n\
             shutdown_message = true\nmin_uptime = \"200ms\"\n",
        )
        .start_until("2 workers in the background");
    // the first that is ready completes the start; the other one follows
    let status = eventually("two ready workers", || {
        let status = status(&mainstay);
        (status["targets"][0]["ready"] == 2).then_some(status)
    });
    assert_eq!(status["gateway"], Value::Null);
    assert_eq!(status["targets"][0]["kind"], "background");

    let worker = told(&mainstay, "1");
    let expected = serde_json::json!({
        "pm_id": "1", "name": "queue", "namespace": "night", "NODE_APP_INSTANCE": "1", "instances": "2",
        "exec_mode": "cluster_mode", "METRICS_PORT": "9101",
    });
    assert_eq!(worker["told"], expected);
    assert_eq!(worker["args"], serde_json::json!(["--slow", "two words"]));
    assert_eq!(
        worker["node"],
        serde_json::json!(["--max-old-space-size=64"])
    );
    assert_eq!(worker["listens"], Value::Null);

    let output = mainstay.follow();
    assert!(mainstay.stop().success());
    assert_eq!(output.text().matches("heard shutdown").count(), 2);
}

#[test]
fn one_in_the_background_lives_beside_one_that_answers() {
    let mainstay = started(
        Mainstay::run("")
            .file("queue.js", QUEUE)
            .file("web.js", "require('http').createServer((_, r) => r.end(JSON.stringify({ pm_id: process.env.pm_id }))).listen(3000)")
            .config(
                "[app.queue]\nhttp = false\ncommand = \"node queue.js\"\nworkers = 2\n\
                 [app.web]\ncommand = \"node web.js\"\n",
            ),
    );
    assert_eq!(json(&mainstay.get("/").expect(200))["pm_id"], "2");
    let before = status(&mainstay);
    let pids = |status: &Value| -> Vec<Value> {
        let targets = status["targets"].as_array().expect("a list");
        let queue = targets.iter().find(|target| target["name"] == "queue");
        let workers = queue.expect("the queue")["workers"]
            .as_array()
            .expect("a list");
        workers.iter().map(|worker| worker["pid"].clone()).collect()
    };
    let reload = Mainstay::say(["reload", "queue"]).beside(&mainstay);
    reload.finish().expect_code(0);
    let after = status(&mainstay);
    assert!(pids(&before).iter().all(|pid| !pids(&after).contains(pid)));
    assert_eq!(json(&mainstay.get("/").expect(200))["pm_id"], "2");
}

#[test]
fn work_with_an_end_is_done_once() {
    let job = "[app.job]\nhttp = false\ncommand = [\"sh\", \"-c\", \"echo at work; exit $CODE\"]\n";
    let run = |of_job: &str| {
        Mainstay::run("")
            .listens_as_configured()
            .config(&format!("{job}{of_job}"))
            .finish()
    };
    let ended = run("autorestart = false\nenv = { CODE = 0 }\n").expect_code(0);
    assert_eq!(
        ended.output.matches("at work\n").count(),
        1,
        "{}",
        ended.output
    );
    let ended = run("stop_exit_codes = [7]\nenv = { CODE = 7 }\n").expect_code(0);
    assert_eq!(
        ended.output.matches("at work\n").count(),
        1,
        "{}",
        ended.output
    );
    run("autorestart = false\nenv = { CODE = 3 }\n")
        .expect_code(1)
        .says(["app `job` did not come up", "exit status 3"]);
}

#[test]
fn the_wait_before_a_restart_is_what_was_asked_for() {
    let mainstay = Mainstay::run("")
        .listens_as_configured()
        .config(
            "[app.bot]\nhttp = false\nmin_uptime = \"100ms\"\nbackoff = \"200ms\"\n\
             command = [\"sh\", \"-c\", \"sleep 0.3; exit 9\"]\n",
        )
        .start_until("1 worker in the background");
    for wait in ["200 ms", "300 ms", "450 ms"] {
        mainstay
            .output_contains_eventually(&format!("bot:0 exit status 9; it starts again in {wait}"));
    }
}

/// What the workers of the only app are, by their processes.
fn pids(mainstay: &Running) -> Vec<Value> {
    let status = status(mainstay);
    let workers = status["targets"][0]["workers"].as_array().expect("a list");
    workers.iter().map(|worker| worker["pid"].clone()).collect()
}

/// Until another process has taken the place of the first one.
#[track_caller]
fn another_serves(mainstay: &Running, before: &[Value]) {
    eventually("another process", || {
        let now = pids(mainstay);
        let is_other = now.len() == 1 && now != before && !now[0].is_null();
        is_other.then_some(())
    });
}

/// Takes as much memory as it is asked to.
const GROWS: &str = "
const held = [];
require('http').createServer((request, response) => {
  if (request.url === '/grow') for (let i = 0; i < 20; i++) held.push(Buffer.alloc(10 << 20, 1));
  response.end('held ' + held.length);
}).listen(3000);
";

#[test]
fn one_that_takes_too_much_memory_is_replaced_without_losing_a_request() {
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", GROWS)
            .config("[app.web]\ncommand = \"node server.js\"\nmax_memory = \"180mb\"\n"),
    );
    let before = pids(&mainstay);
    let load = Load::new().gets(2).on(mainstay.address());
    load.wait_for_answers(20);
    let _ = mainstay.get("/grow").expect(200);
    mainstay.output_contains_eventually("more than the 180 MiB of `max_memory`; it is replaced");
    another_serves(&mainstay, &before);
    assert_eq!(mainstay.get("/").expect(200).text(), "held 0");
    load.stop().expect_no_failure();
}

#[test]
fn fresh_workers_come_by_the_clock_and_after_changes() {
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", GROWS)
            .config(
                "[app.web]\ncommand = \"node server.js\"\nwatch = true\nwatch_ignore = [\"*.log\", \".run\"]\n\
                 [reload]\nsettle = \"0s\"\n",
            ),
    );
    let before = pids(&mainstay);
    std::fs::write(mainstay.folder().join("x.log"), "x").expect("written");
    std::fs::write(mainstay.folder().join("new.js"), "x").expect("written");
    mainstay.output_contains_eventually("new.js` has changed (`watch`)");
    another_serves(&mainstay, &before);
    assert!(!mainstay.output().contains("x.log"));

    let job = Mainstay::run("")
        .listens_as_configured()
        .config(
            "[app.job]\nhttp = false\nautorestart = false\ncron_restart = \"* * * * * *\"\n\
             command = [\"sh\", \"-c\", \"echo at work\"]\n[reload]\nsettle = \"0s\"\n",
        )
        .start_until("1 worker in the background");
    eventually("the third time", || {
        (job.output().matches("at work\n").count() >= 3).then_some(())
    });
    assert!(job.stop().success());
}

#[test]
fn a_crash_is_reported_with_its_last_words() {
    let mainstay = started(
        Mainstay::run("")
            .env("SECRET", "hunter2")
            .file(
                "server.js",
                "require('http').createServer((request, response) => {
           if (request.url !== '/die') return response.end('well');
           for (let line = 0; line < 150; line++) console.error('line ' + line);
           setTimeout(() => process.exit(3), 50);
         }).listen(3000)",
            )
            .config("[app.web]\ncommand = \"node server.js\"\n"),
    );
    let crashes = |words: &[&str]| {
        let mut all = vec!["crashes"];
        all.extend(words);
        match all[..] {
            [a] => Mainstay::say([a]).beside(&mainstay).finish(),
            [a, b] => Mainstay::say([a, b]).beside(&mainstay).finish(),
            _ => unreachable!("no such call below"),
        }
    };
    crashes(&[]).expect_code(0).says(["no worker has died"]);
    let _ = mainstay.get("/").expect(200);
    // which is not sent again to the next one
    let _ = mainstay.post("/die", [], "");
    mainstay.output_contains_eventually("web:0 exit status 3; it starts again at once");
    let ended = crashes(&["--json"]).expect_code(0);
    let reports: Value = serde_json::from_str(&ended.output).expect("JSON");
    let report = &reports[0];
    assert_eq!(report["reason"], "crash");
    assert_eq!(report["code"], 3);
    let lines = report["lines"].as_array().expect("a list");
    assert_eq!((lines.len(), &lines[99]), (100, &"line 149".into()));
    assert!(!ended.output.contains("hunter2"));
    crashes(&["web"]).expect_code(0).says([
        "web:0 crash · exit status 3",
        "started again at once",
        "90 lines before these",
        "│ line 149",
    ]);
    crashes(&["other"])
        .expect_code(0)
        .says(["no worker has died"]);
}
