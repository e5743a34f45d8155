//! The guard: a process that outlives the control plane by a moment and ends what it left behind.

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use mainstay_supervisor::os::inherited_fd;
use mainstay_supervisor::process::{ParentDeath, Process};

use super::own;
use crate::Outcome;
use crate::failure::Failure;

const PIPE_FD: i32 = 3;
/// What is left of the workers has this long to end.
const GRACE: Duration = Duration::from_secs(2);

/// Runs as the guard.
pub(crate) fn main() -> Outcome {
    let internal = |error| Failure::internal("the guard", error);
    let pipe = inherited_fd(PIPE_FD).map_err(internal)?;
    mainstay_supervisor::guard::guard(pipe, GRACE).map_err(internal)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the guard; the pipe's end that is returned tells it which process groups there are.
pub(super) fn start(name: &str) -> Result<(Process, OwnedFd), Failure> {
    let internal = |error: std::io::Error| Failure::internal("starting the guard", error);
    let (reader, writer) = std::io::pipe().map_err(internal)?;
    let mut spawn = own::process("guard", name);
    spawn.env = vec![(own::SMALL_PAGES.0.into(), own::SMALL_PAGES.1.into())];
    spawn.descriptors = vec![(reader.into(), PIPE_FD)];
    // it must live on when we are gone: that is what it is for
    spawn.parent_death = ParentDeath::Survives;
    let process = spawn.start().map_err(internal)?;
    Ok((process, writer.into()))
}
