//! `cargo xtask soak`: the tests named `soak::...` in their long form, against the release build.
//!
//! What may not be here: a soak that has no short form; every one of them runs, briefly, in `cargo xtask test`.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;
use crate::test;

pub(crate) fn run(name: &str) -> Result<(), Failure> {
    test::prepare()?;
    let filter = format!("test(/soak::.*{name}/)");
    let mut nextest = cargo([
        "nextest",
        "run",
        "--release",
        "--package",
        "mainstay-cli",
        "--profile",
        "soak",
    ]);
    // One at a time: each wants the machine for itself.
    nextest.args(["--test-threads", "1", "--no-fail-fast", "-E", &filter]);
    run_command(nextest.env("MAINSTAY_TEST_FORM", "long"))
}
