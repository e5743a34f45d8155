//! `mainstay completions SHELL`: what a shell completes commands and flags with, to standard output.

use crate::Outcome;
use crate::arguments::{Completions, whole};

pub(crate) fn execute(completions: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut whole(), "mainstay", &mut script);
    super::print(&script)
}
