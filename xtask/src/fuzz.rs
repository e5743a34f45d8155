//! `cargo xtask fuzz TARGET`: libFuzzer on one target for a bounded time.
//!
//! What may not be here: endless runs.

use crate::command::{cargo, output, run as run_command};
use crate::failure::Failure;
use crate::tools::Subcommand;

const FUZZ: Subcommand = Subcommand {
    name: "fuzz",
    version: "0.13.2",
    features: &[],
};

pub(crate) fn run(target: &str, seconds: &str) -> Result<(), Failure> {
    let seconds: u32 = seconds
        .parse()
        .map_err(|_| Failure::new(format!("`{seconds}` is no number of seconds")))?;
    FUZZ.need()?;
    let known = output(&mut unstable(["fuzz", "list"]))?;
    if !known.lines().any(|line| line == target) {
        let known = known.split_whitespace().collect::<Vec<_>>().join(", ");
        return Err(Failure::new(format!(
            "`{target}` is no fuzz target; there are: {known}"
        )));
    }
    let limit = format!("-max_total_time={seconds}");
    run_command(&mut unstable([
        "fuzz",
        "run",
        target,
        "--",
        &limit,
        "-timeout=10",
        "-rss_limit_mb=2048",
    ]))
}

/// Sanitizers are unstable flags of the compiler; the pinned one takes them when told so.
fn unstable<const N: usize>(words: [&str; N]) -> std::process::Command {
    let mut command = cargo(words);
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}
