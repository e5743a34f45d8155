//! `mainstay stop`: ends a running instance in order, and waits for it.

use std::process::ExitCode;

use super::instance::Instance;
use crate::arguments::Which;
use crate::{Outcome, say};

/// Returns when the instance's process is gone. Given a second time, it hurries.
pub(crate) fn execute(which: &Which) -> Outcome {
    let instance = Instance::find(which.name.as_deref())?;
    instance.outlive(|| instance.order("/stop", b"", say::note).map(drop))?;
    say::note(&format!("instance `{}` has stopped", instance.name));
    Ok(ExitCode::SUCCESS)
}
