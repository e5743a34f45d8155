//! `cargo xtask ci`: all that CI demands, cheapest first. `cargo xtask check`: the part that builds nothing.
//!
//! What may not be here: a demand that people cannot check with the same words at home.

use std::time::Instant;

use crate::command::{cargo, run as run_command, succeeds};
use crate::failure::Failure;
use crate::tools::Subcommand;
use crate::{graph, links, named_tests, sizes, test, words};

/// Its configuration format changes between versions.
const DENY: Subcommand = Subcommand {
    name: "deny",
    version: "0.20.2",
    features: &["--no-default-features"],
};

/// A demand: its name in the list at the end, and how it is met.
type Demand = (&'static str, fn() -> Result<(), Failure>);

/// What builds nothing.
const CHECKS: [Demand; 6] = [
    ("the crate graph", graph::check),
    ("file sizes", sizes::check),
    ("forbidden words", words::check),
    ("links in documents", links::check),
    ("tests that documents name", named_tests::check),
    ("format", format),
];

/// What builds, in the order of its price. Generated pages are held by tests of their own.
const BUILDS: [Demand; 3] = [
    ("lints", lint),
    ("documents", document),
    ("tests", test::run),
];

const DEPENDENCIES: Demand = ("what comes from outside", deny);

pub(crate) fn run() -> Result<(), Failure> {
    // Seconds where it is installed; where it must be built first, everything else is cheaper.
    let middle = if DENY.is_here() {
        [&[DEPENDENCIES][..], &BUILDS]
    } else {
        [&BUILDS[..], &[DEPENDENCIES]]
    };
    meet(&[&CHECKS[..], middle[0], middle[1]].concat())
}

pub(crate) fn check() -> Result<(), Failure> {
    meet(&CHECKS)
}

/// Meets the demands in order, up to the first that is not met, and says what each took.
fn meet(demands: &[Demand]) -> Result<(), Failure> {
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for (name, demand) in demands {
        let begin = Instant::now();
        outcome = demand();
        times.push((name, begin.elapsed().as_secs_f64()));
        if outcome.is_err() {
            break;
        }
    }
    println!();
    for (name, seconds) in &times {
        println!("{seconds:7.1} s  {name}");
    }
    let total: f64 = times.iter().map(|(_, seconds)| seconds).sum();
    println!("{total:7.1} s  in all");
    outcome
}

fn format() -> Result<(), Failure> {
    run_command(&mut cargo(["fmt", "--all", "--check"]))
}

fn lint() -> Result<(), Failure> {
    run_command(&mut cargo([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn document() -> Result<(), Failure> {
    let mut doc = cargo(["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    run_command(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// What comes from outside. The database of advisories is not fetched here: CI reaches package registries only.
fn deny() -> Result<(), Failure> {
    DENY.need()?;
    run_command(&mut cargo([
        "deny", "--locked", "check", "bans", "licenses", "sources",
    ]))?;
    let mut advisories = cargo(["deny", "--locked", "--offline", "check", "advisories"]);
    if succeeds(&mut advisories) {
        println!("advisories: none");
    } else {
        println!(
            "advisories: NOT checked, or one applies; `cargo deny check advisories` fetches the database and tells"
        );
    }
    Ok(())
}
