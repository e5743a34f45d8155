//! Random kills, reloads and replacements under load: nothing is lost that may not be, and nothing grows.

use std::time::{Duration, Instant};
use std::{fs, thread};

use mainstay_testkit::{Failed, Failure, Form, Load, Mainstay, Outcome, Running, eventually};

use crate::measure::{Held, has_settled, held, role, zombies};
use crate::support::{gateway, started, status};

const APP: &str = "
require('http').createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end('ok'));
}).listen(3000);
";

fn settings(queue: u32) -> String {
    format!(
        "[log]\naccess = false\n[limits]\nqueue = {queue}\n[reload]\nsettle = \"50ms\"\n\
         [app.shop]\ncommand = \"node server.js\"\nworkers = 2\n"
    )
}

/// What happens in one turn.
#[derive(Clone, Copy, Debug)]
enum Turn {
    KillWorker,
    KillGateway,
    KillGuard,
    ReplaceGateway,
    Reload,
    /// A worker, old or new, is killed while a reload runs: it may fail, and must not leave a mess.
    ReloadAndKill,
    ReloadSettings,
}

/// Kills happen as often as everything else together.
const TURNS: [Turn; 10] = [
    Turn::KillWorker,
    Turn::KillWorker,
    Turn::KillWorker,
    Turn::KillGateway,
    Turn::KillGuard,
    Turn::ReplaceGateway,
    Turn::Reload,
    Turn::ReloadAndKill,
    Turn::ReloadAndKill,
    Turn::ReloadSettings,
];

/// Chance that can be had again: the seed stands in every complaint.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(now.map_or(1, |now| u64::from(now.subsec_nanos())) | 1)
    }

    /// Below `count`.
    fn below(&mut self, count: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).expect("it is below a usize")
    }
}

/// When what was killed.
#[derive(Debug, Default)]
struct Kills {
    workers: Vec<Instant>,
    gateways: Vec<Instant>,
}

/// How long after a kill a request may still meet the dead, on a machine that has much to do.
const MATCH: Duration = Duration::from_secs(1);

impl Kills {
    /// Whether kills explain a failure: one of the gateway any, one of a worker those that may not be repeated
    /// and those whose answer had begun, two of workers those that are repeated once.
    fn explain(&self, failed: &Failed) -> bool {
        let near = |kills: &[Instant]| {
            let kills = kills.iter();
            kills
                .filter(|kill| **kill <= failed.failed && failed.sent <= **kill + MATCH)
                .count()
        };
        let is_lost_with_its_worker =
            failed.method == "POST" || matches!(failed.kind, Failure::CutOff);
        let enough = if is_lost_with_its_worker { 1 } else { 2 };
        near(&self.gateways) > 0 || near(&self.workers) >= enough
    }

    fn judge(&self, outcome: &Outcome) {
        let unexplained: Vec<_> = outcome
            .failures
            .iter()
            .filter(|failed| !self.explain(failed))
            .collect();
        assert!(
            unexplained.is_empty(),
            "failed without a kill: {unexplained:?}\n{outcome}"
        );
    }
}

/// A worker's process, any of those there are.
fn any_worker(mainstay: &Running, chance: &mut Chance) -> Option<i32> {
    let status = status(mainstay);
    let workers = status["targets"][0]["workers"].as_array()?;
    let pids: Vec<i32> = workers
        .iter()
        .filter_map(|worker| i32::try_from(worker["pid"].as_i64()?).ok())
        .collect();
    (!pids.is_empty()).then(|| pids[chance.below(pids.len())])
}

fn reload(mainstay: &Running, flag: Option<&str>) -> mainstay_testkit::Ended {
    let words = Mainstay::say(["reload"]).beside(mainstay);
    match flag {
        Some(flag) => words.flags([flag]).finish(),
        None => words.finish(),
    }
}

fn take(turn: Turn, mainstay: &Running, chance: &mut Chance, kills: &mut Kills) {
    let mut kill_worker = |chance: &mut Chance| {
        if let Some(pid) = any_worker(mainstay, chance) {
            kills.workers.push(Instant::now());
            // it may have gone by itself, with its release
            mainstay.kill_if_there(pid);
        }
    };
    match turn {
        Turn::KillWorker => kill_worker(chance),
        Turn::KillGateway => {
            let pid = gateway(mainstay, None);
            kills.gateways.push(Instant::now());
            mainstay.kill(pid);
            gateway(mainstay, Some(pid));
        }
        Turn::KillGuard => mainstay.kill_every("guard"),
        Turn::ReplaceGateway => drop(reload(mainstay, Some("--gateway")).expect_code(0)),
        Turn::Reload => drop(reload(mainstay, None).expect_code(0)),
        Turn::ReloadAndKill => thread::scope(|scope| {
            let reloading = scope.spawn(|| reload(mainstay, None));
            // somewhere in it: each look takes a while
            for _ in 0..chance.below(12) {
                status(mainstay);
            }
            kill_worker(chance);
            let ended = reloading.join().expect("no panic");
            assert!(matches!(ended.status.code(), Some(0 | 1)), "{ended:?}");
        }),
        Turn::ReloadSettings => {
            let queue = 100 + u32::try_from(chance.below(900)).expect("below 900");
            let file = mainstay.folder().join("mainstay.toml");
            fs::write(file, settings(queue)).expect("the folder is ours");
            drop(reload(mainstay, Some("--settings")).expect_code(0));
        }
    }
}

/// Every process of an instance at rest.
#[derive(Clone, Copy, Debug)]
struct Sample {
    control: Held,
    guard: Held,
    gateway: Held,
}

/// Waits until there are two workers, a gateway, a guard and nobody else, and no zombie.
#[track_caller]
fn at_rest(mainstay: &Running) -> Sample {
    let control = i32::try_from(mainstay.pid()).expect("a process id");
    eventually("an instance at rest", || {
        let status = status(mainstay);
        let target = &status["targets"][0];
        let is_ready = target["ready"] == 2 && target["workers"].as_array()?.len() == 2;
        let everybody = mainstay.descendants();
        let is_alone = everybody.len() == 4 && zombies(control) == 0;
        let is_guard = |pid: &&i32| role(**pid).as_deref() == Some("guard");
        if !(is_ready && is_alone) {
            return None;
        }
        let serves = i32::try_from(status["gateway_pid"].as_i64()?).ok()?;
        let guard = *everybody.iter().find(is_guard)?;
        if !has_settled(guard) {
            return None;
        }
        Some(Sample {
            control: held(control)?,
            guard: held(guard)?,
            gateway: held(serves)?,
        })
    })
}

/// Compares the least of the first quarter with the least of the last: what was only held for a moment does not
/// count, what is never given back does.
fn growth(samples: &[Sample]) -> Option<String> {
    let quarter = samples.len() / 4;
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    for (process, of) in PROCESSES {
        for (measure, slack, number) in MEASURES {
            let least_of =
                |samples: &[Sample]| samples.iter().map(|sample| number(of(sample))).min();
            let (before, after) = (least_of(first)?, least_of(last)?);
            if after > before + slack {
                return Some(format!("{process}: {before}, then {after} {measure}"));
            }
        }
    }
    None
}

/// Turns without which nothing can be said.
const FEWEST_TURNS: usize = 8;

/// Who is measured.
type Of = fn(&Sample) -> Held;
const PROCESSES: [(&str, Of); 3] = [
    ("control plane", |sample| sample.control),
    ("guard", |sample| sample.guard),
    ("gateway", |sample| sample.gateway),
];

/// What is measured, and how much more of it is no growth.
type Number = fn(Held) -> u64;
const MEASURES: [(&str, u64, Number); 3] = [
    ("descriptors", 2, |held| held.descriptors),
    ("threads", 1, |held| held.threads),
    ("KiB", 1024, |held| held.kilobytes),
];

#[test]
fn lives_go_on_and_nothing_grows() {
    let mut chance = Chance::new();
    let seed = chance.0;
    let app = Mainstay::run("").file("server.js", APP);
    let mainstay = started(app.config(&settings(1_000)));
    let load = Load::new()
        .gets(2)
        .posts(2)
        .thinking(Duration::from_millis(5))
        .on(mainstay.address());
    let mut kills = Kills::default();
    let mut turn = |turn: Turn| {
        take(turn, &mainstay, &mut chance, &mut kills);
        load.wait_for_answers(20);
        at_rest(&mainstay)
    };
    // one of each: caches and pools are filled by then
    for kind in TURNS {
        turn(kind);
    }
    let end = Instant::now() + Form::asked().pick(Duration::from_secs(12), Duration::from_mins(30));
    let mut samples = Vec::new();
    let mut order = Chance(seed);
    while Instant::now() < end || samples.len() < FEWEST_TURNS {
        samples.push(turn(TURNS[order.below(TURNS.len())]));
    }
    // a few samples may be unlucky. What grows from turn to turn has only grown more after more of them
    let most = samples.len() * 4;
    while growth(&samples).is_some() && samples.len() < most {
        samples.push(turn(TURNS[order.below(TURNS.len())]));
    }
    kills.judge(&load.stop());
    let growth = growth(&samples);
    assert_eq!(growth, None, "after {} turns, seed {seed}", samples.len());
    assert!(mainstay.stop().success());
}
