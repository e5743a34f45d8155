//! A store that dies, stalls, flaps or is failed over under load, for limits and for the cache: statuses stay as configured, and of a thousand requests
//! all but one take at most 20 ms longer than beside a sound store, in the same run. A store that cannot be used says why.

use std::time::{Duration, Instant};

use mainstay_testkit::{
    Answer, Authority, Form, Load, Loading, Mainstay, Redis, Running, Sentinels, eventually,
};

use crate::support::started;

const APP: &str = "require('http').createServer((q, r) => { r.setHeader('Cache-Control', 'max-age=60'); r.end('hello'); }).listen(3000);";

/// One policy for each way to count and each way to go on without a store.
const POLICIES: &str = "
[rate_limit.leased]
match = \"/leased\"
rate = \"1000000/1h\"

[rate_limit.exact]
match = \"/exact\"
rate = \"1000000/1h\"
share = \"exact\"

[rate_limit.open]
match = \"/open\"
rate = \"1/20d\"
without_store = \"open\"

[rate_limit.closed]
match = \"/closed\"
rate = \"1000000/1h\"
without_store = \"closed\"
";

/// What may be answered at any time, and what must be while the store is known to be away.
const ANSWERS: [(&str, &[u16], u16); 4] = [
    ("/leased", &[200], 200),
    ("/exact", &[200], 200),
    ("/open", &[200, 429], 200),
    ("/closed", &[200, 503], 503),
];

/// All of it is asked for once only, so that each request asks the store, and puts in what it gets.
const MISSES: [(&str, &[u16], u16); 1] = [("/page", &[200], 200)];

/// So much longer all but one of a thousand requests may take because of the fault.
const LONGER: Duration = Duration::from_millis(20);
/// A machine that is busy with other things makes requests wait at any time. What we make them wait, it makes them wait each time.
const ROUNDS: usize = 3;

/// So many answers of each path beside a sound store, and as many through the fault.
const BRIEF: u64 = 1_000;
const LONG: u64 = 20_000;

/// A stretch of time.
type Window = (Instant, Instant);

/// What the store is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Limits,
    Cache,
}

impl Use {
    /// What may be answered at any time, and what must be while the store is known to be away.
    fn answers(self) -> &'static [(&'static str, &'static [u16], u16)] {
        match self {
            Self::Limits => &ANSWERS,
            Self::Cache => &MISSES,
        }
    }

    /// How it is said that the store is away, and that it is back.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Limits => [" is away: ", " is back\n"],
            Self::Cache => [", for the cache, is away: ", ", for the cache, is back\n"],
        }
    }
}

struct World {
    what: Use,
    mainstay: Running,
    loads: Vec<Loading>,
    /// When the store was known to be away.
    away: Vec<Window>,
}

impl World {
    fn beside(store: &str, what: Use) -> Self {
        let settings = match what {
            Use::Limits => POLICIES,
            Use::Cache => "\n[cache]\n",
        };
        let config = format!("store = \"{store}\"\n{settings}");
        let mainstay = started(
            Mainstay::run("server.js")
                .file("server.js", APP)
                .config(&config),
        );
        let mut world = Self {
            what,
            loads: Vec::new(),
            away: Vec::new(),
            mainstay,
        };
        world.finds_the_store();
        let load = |(path, ..): &(&str, _, _)| {
            let load = Load::new().path(path).remembering();
            let load = match what {
                Use::Limits => load.gets(3),
                Use::Cache => load.gets(12).numbered(),
            };
            load.thinking(Duration::from_millis(2))
                .on(world.mainstay.address())
        };
        world.loads = what.answers().iter().map(load).collect();
        world
    }

    fn finds_the_store(&self) {
        eventually("answers as beside a store", || match self.what {
            Use::Limits => {
                let (open, closed) = (self.mainstay.get("/open"), self.mainstay.get("/closed"));
                ((open.status(), closed.status()) == (429, 200)).then_some(())
            }
            Use::Cache => {
                // code 3: other machines could not be told
                let purge = Mainstay::say(["cache", "purge", "/nothing"]);
                let ended = purge.beside(&self.mainstay).finish();
                ended.status.success().then_some(())
            }
        });
    }

    /// Until each path has so many more answers.
    fn answers(&self, more: u64) {
        for load in &self.loads {
            load.wait_for_answers(more);
        }
    }

    /// Whether the store is said to be away: on a busy machine it may have been before anything was done to it.
    fn is_lost(&self) -> bool {
        let output = self.mainstay.output();
        let [losses, returns] = self.what.words().map(|word| output.matches(word).count());
        losses > returns
    }

    /// Lets the store fail, waits until that is known, and lets it be away for so many answers.
    fn lose(&mut self, answers: u64, fail: impl FnOnce()) {
        fail();
        eventually("a word about the store", || self.is_lost().then_some(()));
        let known = Instant::now();
        self.answers(answers);
        self.away.push((known, Instant::now()));
    }

    /// Ends the load and judges it; how much longer requests took than before the fault, at worst of all paths.
    #[expect(
        clippy::print_stderr,
        reason = "figures for whoever asks, with `--no-capture`"
    )]
    fn judge(self, quiet: Window, fault: Window) -> Duration {
        let World {
            what, loads, away, ..
        } = self;
        let mut worst = Duration::ZERO;
        for ((path, allowed, meanwhile), load) in what.answers().iter().zip(loads) {
            let outcome = load.stop();
            outcome.expect_no_failure();
            for answer in &outcome.remembered {
                let Answer { status, .. } = answer;
                assert!(allowed.contains(status), "{path}: {status}");
                let is_within = |window: &Window| {
                    answer.began >= window.0 && answer.began + answer.took <= window.1
                };
                if away.iter().any(is_within) {
                    assert_eq!(status, meanwhile, "{path}, without the store");
                }
            }
            let (before, during) = (
                slow(&outcome.remembered, quiet),
                slow(&outcome.remembered, fault),
            );
            eprintln!("{path}: {before:?} without the fault, {during:?} with it");
            worst = worst.max(during.saturating_sub(before));
        }
        worst
    }
}

/// What all but one of a thousand requests that began in this time took at most.
fn slow(answers: &[Answer], (begin, end): Window) -> Duration {
    let within = answers
        .iter()
        .filter(|answer| (begin..end).contains(&answer.began));
    let mut times: Vec<Duration> = within.map(|answer| answer.took).collect();
    times.sort_unstable();
    let rank = (times.len() * 999).div_ceil(1_000);
    times[rank - 1]
}

/// Lets the same happen until it made nobody wait, for a few rounds at most. `round` makes a world and the fault in it,
/// for so many answers.
#[track_caller]
fn nobody_waits(answers: u64, round: impl Fn(u64) -> Duration) {
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let longer = round(answers);
        if longer <= LONGER {
            return;
        }
        found.push(longer);
    }
    panic!("all but one of a thousand requests took up to so much longer: {found:?}");
}

/// Beside a sound store, then through the fault.
fn through(mut world: World, answers: u64, fault: impl FnOnce(&mut World)) -> Duration {
    let begin = Instant::now();
    world.answers(answers);
    let struck = Instant::now();
    fault(&mut world);
    let end = Instant::now();
    world.judge((begin, struck), (struck, end))
}

fn dies_and_comes_back(what: Use, form: Form) {
    nobody_waits(form.pick(BRIEF, LONG), |answers| {
        let mut redis = Redis::start();
        through(World::beside(&redis.address(), what), answers, |world| {
            world.lose(answers / 2, || redis.kill());
            redis.again();
            world.finds_the_store();
            world.answers(answers / 2);
        })
    });
}

fn stalls(what: Use, form: Form) {
    nobody_waits(form.pick(BRIEF, LONG), |answers| {
        let redis = Redis::start();
        through(World::beside(&redis.address(), what), answers, |world| {
            world.lose(answers / 2, || redis.pause());
            redis.resume();
            world.finds_the_store();
            world.answers(answers / 2);
        })
    });
}

fn flaps(what: Use, form: Form) {
    nobody_waits(form.pick(BRIEF, LONG), |answers| {
        let mut redis = Redis::start();
        through(World::beside(&redis.address(), what), answers, |world| {
            for _ in 0..3 {
                redis.kill();
                world.answers(answers / 12);
                redis.again();
                world.answers(answers / 12);
                redis.pause();
                world.answers(answers / 12);
                redis.resume();
                world.answers(answers / 12);
            }
            world.finds_the_store();
        })
    });
}

fn is_failed_over(what: Use, form: Form) {
    nobody_waits(form.pick(BRIEF, LONG), |answers| {
        let mut watched = Sentinels::start();
        through(World::beside(&watched.address(), what), answers, |world| {
            world.lose(answers / 4, || watched.first().kill());
            watched.second_takes_over();
            world.finds_the_store();
            world.answers(answers / 4);
        })
    });
}

#[test]
fn a_store_that_dies_and_comes_back_makes_nobody_wait() {
    dies_and_comes_back(Use::Limits, Form::asked());
}

#[test]
fn a_store_that_stalls_makes_nobody_wait() {
    stalls(Use::Limits, Form::asked());
}

#[test]
fn a_store_that_flaps_makes_nobody_wait() {
    flaps(Use::Limits, Form::asked());
}

#[test]
fn a_store_that_is_failed_over_makes_nobody_wait() {
    is_failed_over(Use::Limits, Form::asked());
}

#[test]
fn a_cache_whose_store_dies_and_comes_back_makes_nobody_wait() {
    dies_and_comes_back(Use::Cache, Form::asked());
}

#[test]
fn a_cache_whose_store_stalls_makes_nobody_wait() {
    stalls(Use::Cache, Form::asked());
}

#[test]
fn a_cache_whose_store_flaps_makes_nobody_wait() {
    flaps(Use::Cache, Form::asked());
}

#[test]
fn a_cache_whose_store_is_failed_over_makes_nobody_wait() {
    is_failed_over(Use::Cache, Form::asked());
}

#[test]
fn a_store_over_tls_is_believed_by_the_authority_that_is_named() {
    let (ours, other) = (Authority::new(), Authority::new());
    let redis = Redis::start_over_tls(&ours.certifies("localhost"));
    let policies = POLICIES.trim();
    let store = redis.tls_address("localhost");
    let run = |authority: &Authority| {
        let config = format!(
            "store = \"{store}\"\nstore_ca_file = \"ca.pem\"\n[timeouts]\nstore = \"1s\"\n\n{policies}\n"
        );
        let mainstay = Mainstay::run("server.js").file("server.js", APP);
        started(mainstay.file("ca.pem", authority.pem()).config(&config))
    };
    let mainstay = run(&ours);
    eventually("a store that counts", || {
        (mainstay.get("/open").status() == 429).then_some(())
    });
    let stranger = run(&other);
    stranger.output_contains_eventually(
        "is away: its certificate comes from an authority that is not believed here; `store_ca_file` names another",
    );
    let _ = stranger.get("/closed").expect(503);
}
