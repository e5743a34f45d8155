//! `mainstay completions SHELL`: what a shell completes commands and flags with, to standard output.

use std::io::Write as _;
use std::process::ExitCode;

use crate::Outcome;
use crate::arguments::{Completions, whole};

pub(crate) fn execute(completions: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut whole(), "mainstay", &mut script);
    // a reader that went away has what it wanted
    let _ = std::io::stdout().write_all(&script);
    Ok(ExitCode::SUCCESS)
}
