//! `cargo xtask ci`: all that CI demands, cheapest first. `cargo xtask check`: the part that builds nothing.
//!
//! What may not be here: a demand that people cannot check with the same words at home.

use crate::command::{cargo, run as run_command, succeeds};
use crate::failure::Failure;
use crate::{generate, graph, links, sizes, test, tools, words};

/// The version built where none is installed; its configuration format changes between versions.
const DENY: &str = "0.20.2";

pub(crate) fn run() -> Result<(), Failure> {
    check()?;
    run_command(&mut cargo([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    document()?;
    generate::verify()?;
    test::run()?;
    deny()
}

pub(crate) fn check() -> Result<(), Failure> {
    stated("the crate graph", graph::check)?;
    stated("file sizes", sizes::check)?;
    stated("forbidden words", words::check)?;
    stated("links in documents", links::check)?;
    run_command(&mut cargo(["fmt", "--all", "--check"]))
}

fn document() -> Result<(), Failure> {
    let mut doc = cargo(["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    run_command(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// What comes from outside. The database of advisories is not fetched here: CI reaches package registries only.
fn deny() -> Result<(), Failure> {
    tools::need_cargo("deny", DENY)?;
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

fn stated(what: &str, check: fn() -> Result<(), Failure>) -> Result<(), Failure> {
    check()?;
    println!("{what}: ok");
    Ok(())
}
