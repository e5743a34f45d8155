//! `cargo xtask test`: all tests in their short form.
//!
//! What may not be here: skipping. A test that lacks its server fails, and this task installs what they need.

use crate::command::{self, cargo};
use crate::failure::Failure;
use crate::tools::{self, NODE, NPM, PYTHON, REDIS, Subcommand};

/// Without its own updater.
const NEXTEST: Subcommand = Subcommand {
    name: "nextest",
    version: "0.9.143",
    features: &["--no-default-features", "--features", "default-no-update"],
};

pub(crate) fn run() -> Result<(), Failure> {
    prepare()?;
    command::run(&mut cargo([
        "nextest",
        "run",
        "--workspace",
        "--no-fail-fast",
    ]))?;
    // nextest leaves the examples in the documentation to cargo.
    command::run(&mut cargo(["test", "--workspace", "--doc", "--quiet"]))
}

/// Everything tests need, programs of ours included: integration tests start them as strangers would.
pub(crate) fn prepare() -> Result<(), Failure> {
    tools::need(&[&NODE, &NPM, &PYTHON, &REDIS])?;
    NEXTEST.need()?;
    tools::app_packages()?;
    command::run(&mut cargo([
        "build",
        "--package",
        "mainstay-cli",
        "--package",
        "mainstay-testapp",
    ]))
}
