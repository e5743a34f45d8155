//! `cargo xtask bench`: CPU per request beside other proxies.
//!
//! What may not be here: figures. They belong to the machine they were measured on.

use crate::command::{cargo, program, run as run_command};
use crate::failure::Failure;
use crate::tools::{self, HAPROXY, NGINX, OPENSSL, PYTHON, WRK};

pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    tools::need(&[&PYTHON, &NGINX, &HAPROXY, &WRK, &OPENSSL])?;
    run_command(&mut cargo([
        "build",
        "--release",
        "--package",
        "mainstay-cli",
    ]))?;
    let mut bench = program("python3", ["bench/bench.py"]);
    if args.is_empty() {
        bench.arg("--help");
    }
    run_command(bench.args(args))
}
