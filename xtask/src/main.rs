//! The one door to all tasks: `cargo xtask TASK`. CI runs the same tasks as people do.
//!
//! What may not be here: dependencies on the crates it judges (a crate that does not compile must not lock the
//! door), network use beyond the package managers, anything that only works on one machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task runner talks to a terminal"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "it lives in the real environment"
)]

mod bench;
mod ci;
mod command;
mod failure;
mod fuzz;
mod generate;
mod graph;
mod links;
mod named_tests;
mod sizes;
mod soak;
mod sources;
mod test;
mod tools;
mod words;

use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
cargo xtask TASK

  test             install what tests need, build, run all tests in their short form
  ci               all that CI demands: format, lints, laws, documents, then test
  check            the part of `ci` that needs no build
  generate         write the generated documents anew
  bench ARGS...    compare with other proxies (bench/bench.py; no ARGS: its help)
  bench lives [--rounds N]
                   a killed worker's successor, beside PM2 (bench/lives.py)
  fuzz TARGET [--seconds N]
                   fuzz one target of fuzz/ (default 60 seconds)
  soak [NAME]      long forms of the tests, all or those whose name contains NAME
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match perform(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(words: &[&str]) -> Result<(), Failure> {
    match words {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["check"] => ci::check(),
        ["generate"] => generate::run(),
        ["bench", args @ ..] => bench::run(args),
        ["fuzz", target] => fuzz::run(target, "60"),
        ["fuzz", target, "--seconds", seconds] => fuzz::run(target, seconds),
        ["soak"] => soak::run(""),
        ["soak", name] => soak::run(name),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(Failure::new(format!(
            "`{}` is no task\n\n{USAGE}",
            other.join(" ")
        ))),
    }
}
