//! `cargo xtask bench`: CPU per request beside other proxies; `bench lives`: a killed worker's successor beside PM2.
//!
//! What may not be here: figures. They belong to the machine they were measured on.

use crate::command::{cargo, program, run as run_command};
use crate::failure::Failure;
use crate::tools::{self, HAPROXY, NGINX, NODE, NPM, OPENSSL, PYTHON, WRK};

pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if let ["lives", args @ ..] = args {
        return lives(args);
    }
    tools::need(&[&PYTHON, &NGINX, &HAPROXY, &WRK, &OPENSSL])?;
    build()?;
    let mut bench = program("python3", ["bench/bench.py"]);
    if args.is_empty() {
        bench.arg("--help");
    }
    run_command(bench.args(args))
}

fn lives(args: &[&str]) -> Result<(), Failure> {
    tools::need(&[&PYTHON, &NODE, &NPM])?;
    tools::pm2_package()?;
    build()?;
    run_command(program("python3", ["bench/lives.py"]).args(args))
}

fn build() -> Result<(), Failure> {
    run_command(&mut cargo([
        "build",
        "--release",
        "--package",
        "mainstay-cli",
    ]))
}
