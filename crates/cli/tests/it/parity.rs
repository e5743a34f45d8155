//! The same misbehaving apps, from the same ecosystem file, under real PM2 and under Mainstay: what is contract is the
//! same, and where it is not, the table says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use mainstay_testkit::{Folder, Mainstay, eventually};
use serde_json::{Value, json};

const APP: &str = include_str!("parity/app.js");
const FILE: &str = include_str!("parity/ecosystem.config.js");

/// Apps that are started again and again, and how often that must be seen before anything is compared.
const AGAIN: [(&str, usize); 8] = [
    ("crash", 3),
    ("later", 7),
    ("throws", 3),
    ("ends", 3),
    ("memory", 2),
    ("clock", 2),
    ("delay", 4),
    ("backoff", 4),
];

/// What one of the two did with the apps.
struct Seen {
    /// What each app wrote down, by name.
    traces: BTreeMap<String, Vec<Value>>,
    /// What the list said of each, sorted.
    statuses: BTreeMap<String, Vec<String>>,
    /// Processes that were still there after the end, by app.
    left: BTreeMap<String, usize>,
}

/// Whoever runs the apps.
trait Runner {
    /// Starts the whole file.
    fn start(&mut self);
    /// The list of everything as JSON, in PM2's shape.
    fn list(&self) -> Value;
    /// Sends a signal to the workers of an app.
    fn signal(&self, app: &str);
    /// Ends all apps and whoever runs them.
    fn stop(&mut self);
}

/// PM2 with a home of its own. It is killed with the value.
struct Pm2 {
    folder: PathBuf,
}

impl Pm2 {
    fn say(&self, words: &[&str]) -> String {
        let output = Command::new("node")
            .arg(mainstay_testkit::pm2())
            .args(words)
            .current_dir(&self.folder)
            .env("PM2_HOME", self.folder.join(".pm2"))
            .env("PM2_DISCRETE_MODE", "true")
            // how often it looks at memory, in milliseconds
            .env("PM2_WORKER_INTERVAL", "1000")
            .env("TRACE", self.folder.join("trace"))
            .env("SECRET_KEY", "x")
            .env_remove("NODE_ENV")
            .env_remove("PORT")
            .stdin(Stdio::null())
            .output()
            .expect("node is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Runner for Pm2 {
    fn start(&mut self) {
        self.say(&["start", "ecosystem.config.js", "--env", "production"]);
    }

    fn list(&self) -> Value {
        let text = self.say(&["jlist"]);
        // its daemon may greet in front of the data
        let data = text.find("[{").map_or("[]", |start| &text[start..]);
        serde_json::from_str(data).unwrap_or_default()
    }

    fn signal(&self, app: &str) {
        self.say(&["sendSignal", "SIGUSR2", app]);
    }

    fn stop(&mut self) {
        self.say(&["stop", "all"]);
        self.say(&["kill"]);
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        self.say(&["kill"]);
    }
}

/// Mainstay in the foreground.
struct Ours {
    folder: PathBuf,
    running: Option<mainstay_testkit::Running>,
}

impl Runner for Ours {
    fn start(&mut self) {
        let running = Mainstay::say(["run", "ecosystem.config.js", "--env", "production"])
            .typed_in(&self.folder)
            .env("TRACE", self.folder.join("trace"))
            .env("SECRET_KEY", "x")
            .start_until("  ready: 1 worker in the background");
        self.running = Some(running);
    }

    fn list(&self) -> Value {
        let running = self.running.as_ref().expect("it was started");
        let said = Mainstay::say(["jlist"]).beside(running).finish();
        serde_json::from_str(&said.expect_code(0).output).expect("JSON")
    }

    fn signal(&self, app: &str) {
        let running = self.running.as_ref().expect("it was started");
        let said = Mainstay::say(["signal", app, "USR2"]).beside(running);
        let _ = said.finish().expect_code(0);
    }

    fn stop(&mut self) {
        let running = self.running.take().expect("it was started");
        assert!(running.stop().success());
    }
}

/// What the apps wrote down so far.
fn traces(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let files = fs::read_dir(folder.join("trace"))
        .expect("a folder")
        .flatten();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    };
    files
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, read(file.path()))
        })
        .collect()
}

fn starts(trace: &[Value]) -> impl Iterator<Item = &Value> {
    trace.iter().filter(|line| line["event"] == "start")
}

fn statuses(list: &Value) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for one in list.as_array().into_iter().flatten() {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        let status = one["pm2_env"]["status"].as_str().unwrap_or_default();
        found.entry(name).or_default().push(status.to_owned());
    }
    for all in found.values_mut() {
        all.sort();
    }
    found
}

/// Runs the file, looks until everything has happened that shall be seen, and ends it.
fn see(runner: &mut dyn Runner, folder: &Path) -> Seen {
    runner.start();
    for (name, least) in AGAIN {
        eventually(&format!("{least} starts of `{name}`"), || {
            let found = traces(folder)
                .get(name)
                .map_or(0, |trace| starts(trace).count());
            (found >= least).then_some(())
        });
    }
    let statuses = eventually("the end of those that end", || {
        let found = statuses(&runner.list());
        let is = |name: &str, status: &str| found.get(name).is_some_and(|all| all == &[status]);
        let are_over = is("crash", "errored") && is("job", "stopped") && is("done", "stopped");
        are_over.then_some(found)
    });
    runner.signal("interrupted");
    eventually("the signal that was sent", || {
        let traces = traces(folder);
        let heard = traces.get("interrupted")?;
        heard
            .iter()
            .any(|line| line["event"] == "SIGUSR2")
            .then_some(())
    });
    runner.stop();
    let traces = traces(folder);
    let left = traces
        .iter()
        .map(|(name, trace)| {
            let pids = trace.iter().flat_map(|line| [&line["pid"], &line["child"]]);
            let mut pids: Vec<u64> = pids.filter_map(Value::as_u64).collect();
            pids.sort_unstable();
            pids.dedup();
            let alive = pids.iter().filter(|pid| is_alive(**pid)).count();
            (name.clone(), alive)
        })
        .collect();
    Seen {
        traces,
        statuses,
        left,
    }
}

fn is_alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    state.is_some_and(|state| !state.starts_with('Z'))
}

/// One thing about an app that is compared.
type Aspect = fn(&Seen, &str) -> Value;

/// Once, or again and again.
fn how_often(seen: &Seen, app: &str) -> Value {
    match starts(&seen.traces[app]).count() {
        0 => json!("never"),
        1 => json!("once"),
        _ => json!("again and again"),
    }
}

fn exactly_how_often(seen: &Seen, app: &str) -> Value {
    json!(starts(&seen.traces[app]).count())
}

fn status(seen: &Seen, app: &str) -> Value {
    json!(seen.statuses[app])
}

/// Those that come and go are seen in any state but one that is an end.
fn goes_on(seen: &Seen, app: &str) -> Value {
    let end = |status: &String| status == "errored" || status == "stopped";
    json!(!seen.statuses[app].iter().any(end))
}

/// What each worker was told by its environment, without what Mainstay adds on purpose.
fn told(seen: &Seen, app: &str) -> Value {
    let told = starts(&seen.traces[app]).map(|start| {
        let mut told = start["env"].clone();
        if let Some(told) = told.as_object_mut() {
            // production, where nothing is said: that is announced
            told.remove("NODE_ENV");
        }
        told
    });
    let mut told: Vec<Value> = told.collect();
    told.sort_by_key(Value::to_string);
    json!(told)
}

fn words(seen: &Seen, app: &str) -> Value {
    let start = starts(&seen.traces[app]).next().expect("it was started");
    json!({ "args": start["args"], "node": start["node"], "folder": start["folder"] })
}

/// What reached it while it ran and at its end.
fn heard(seen: &Seen, app: &str) -> Value {
    let events = seen.traces[app]
        .iter()
        .filter(|line| line["event"] != "start");
    let events = events.map(|line| json!([line["event"], line["message"]]));
    json!(events.collect::<Vec<_>>())
}

fn left(seen: &Seen, app: &str) -> Value {
    json!(seen.left[app])
}

/// The shortest time from an end to the next start, in milliseconds. How long a start takes is the machine's business.
fn least_pause(seen: &Seen, app: &str) -> i64 {
    let trace = &seen.traces[app];
    let pauses = trace.windows(2).filter_map(|pair| {
        let (end, start) = (&pair[0], &pair[1]);
        let is_pause = end["event"] == "ends" && start["event"] == "start";
        Some(start["at"].as_i64()? - end["at"].as_i64()?).filter(|_| is_pause)
    });
    pauses.min().unwrap_or_default()
}

fn waits_a_second(seen: &Seen, app: &str) -> Value {
    json!(least_pause(seen, app) >= 1_000)
}

fn waits_a_fifth_of_a_second(seen: &Seen, app: &str) -> Value {
    json!(least_pause(seen, app) >= 200)
}

/// The table. What is compared is expected to be the same; a third word says where it is not, what PM2 does, and why not
/// we.
const TABLE: [(&str, &str, Aspect, Option<&str>); 30] = [
    ("crash", "starts up to max_restarts", how_often, None),
    ("crash", "status after max_restarts", status, None),
    ("later", "starts", how_often, None),
    ("later", "goes on", goes_on, None),
    ("throws", "starts", how_often, None),
    ("throws", "goes on", goes_on, None),
    ("ends", "starts after exit status 0", how_often, None),
    ("ends", "goes on", goes_on, None),
    ("job", "starts without autorestart", exactly_how_often, None),
    ("job", "status", status, None),
    (
        "done",
        "starts after one of stop_exit_codes",
        exactly_how_often,
        None,
    ),
    ("done", "status", status, None),
    ("memory", "starts above max_memory_restart", how_often, None),
    ("clock", "starts by cron_restart", how_often, None),
    ("delay", "waits for restart_delay", waits_a_second, None),
    (
        "backoff",
        "waits for exp_backoff_restart_delay",
        waits_a_fifth_of_a_second,
        None,
    ),
    ("several", "variables of each worker", told, None),
    ("several", "status of each", status, None),
    ("named", "instance_var, namespace", told, None),
    ("words", "args, node_args, cwd", words, None),
    ("words", "variables", told, None),
    ("filtered", "filter_env", told, None),
    ("interrupted", "signals", heard, None),
    ("message", "shutdown_with_message", heard, None),
    ("stubborn", "signal that is ignored", heard, None),
    ("stubborn", "processes after kill_timeout", left, None),
    ("tree", "processes below it after the end", left, None),
    ("ready", "says ready once", exactly_how_often, None),
    ("ready", "status", status, None),
    (
        "clock",
        "status while it is replaced",
        status,
        Some("PM2 ends the old one first; here the new one is ready before the old one goes"),
    ),
];

#[test]
fn what_is_contract_is_the_same_under_pm2_and_under_mainstay() {
    let folder = || {
        let folder = Folder::new();
        folder.write("app.js", APP);
        folder.write("ecosystem.config.js", FILE);
        for inside in ["inside", "trace"] {
            fs::create_dir(folder.path().join(inside)).expect("the folder is ours");
        }
        folder
    };
    let (of_theirs, of_ours) = (folder(), folder());
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            let folder = of_theirs.path();
            let mut runner = Pm2 {
                folder: folder.to_owned(),
            };
            see(&mut runner, folder)
        });
        let folder = of_ours.path();
        let mut runner = Ours {
            folder: folder.to_owned(),
            running: None,
        };
        let ours = see(&mut runner, folder);
        (theirs.join().expect("no panic"), ours)
    });
    let mut differences = Vec::new();
    for (app, what, aspect, on_purpose) in TABLE {
        let (pm2, mainstay) = (aspect(&theirs, app), aspect(&ours, app));
        if pm2 != mainstay && on_purpose.is_none() {
            differences.push(format!("{app}, {what}: PM2 {pm2}, Mainstay {mainstay}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A release that is broken from the start: PM2 says that it was launched, and exits with 0.
#[test]
fn a_start_that_fails_is_said_and_has_an_exit_code_which_pm2_does_not() {
    let folder = Folder::new();
    folder.write("app.js", "throw new Error('no such table')");
    folder.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'shop', script: 'app.js', max_restarts: 2 }] }",
    );
    fs::create_dir(folder.path().join("trace")).expect("the folder is ours");
    let pm2 = Pm2 {
        folder: folder.path().to_owned(),
    };
    assert!(
        pm2.say(&["start", "ecosystem.config.js"])
            .contains("launched")
    );
    drop(pm2);
    let said = Mainstay::say(["run", "ecosystem.config.js"])
        .typed_in(folder.path())
        .finish();
    let _ = said
        .expect_code(1)
        .says(["did not come up", "no such table"]);
}
