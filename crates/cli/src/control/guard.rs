//! The guard: a process that outlives the control plane by a moment and ends what it left behind.

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use mainstay_supervisor::os::inherited_fd;
use mainstay_supervisor::process::{ParentDeath, Process};
use tokio::time::{Instant, sleep_until};

use super::own;
use crate::failure::Failure;
use crate::{Outcome, deaf, say};

const PIPE_FD: i32 = 3;
/// What is left of the workers has this long to end.
const GRACE: Duration = Duration::from_secs(2);
/// Between a guard's end and the next: whatever ends guards must not keep us busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs as the guard.
pub(crate) fn main() -> Outcome {
    let internal = |error| Failure::internal("the guard", error);
    let pipe = inherited_fd(PIPE_FD).map_err(internal)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(internal)?;
    let _inside = runtime.enter();
    deaf::to_signals().map_err(internal)?;
    mainstay_supervisor::guard::guard(pipe, GRACE).map_err(internal)?;
    Ok(ExitCode::SUCCESS)
}

/// The guard of an instance, and its successors.
#[derive(Debug)]
pub(super) struct Guard {
    name: String,
    /// None between one and the next.
    process: Option<Process>,
    next: Instant,
}

impl Guard {
    /// Starts the first; the pipe's end that is returned tells it which process groups there are.
    pub(super) fn start(name: &str) -> Result<(Self, OwnedFd), Failure> {
        let (process, pipe) = start(name)?;
        let guard = Self {
            name: name.to_owned(),
            process: Some(process),
            next: Instant::now() + PAUSE,
        };
        Ok((guard, pipe))
    }

    /// Waits until it has ended, and starts another; the pipe's end is that of the new one. Cancel-safe.
    pub(super) async fn replaced(&mut self) -> OwnedFd {
        loop {
            if let Some(process) = &self.process {
                let exit = process.wait().await;
                let exit = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
                self.process = None;
                say::warning(&format!("the guard ended ({exit}); another is started"));
            }
            sleep_until(self.next).await;
            self.next = Instant::now() + PAUSE;
            match start(&self.name) {
                Ok((process, pipe)) => {
                    self.process = Some(process);
                    return pipe;
                }
                Err(failure) => say::warning(&failure.message),
            }
        }
    }
}

fn start(name: &str) -> Result<(Process, OwnedFd), Failure> {
    let internal = |error: std::io::Error| Failure::internal("starting the guard", error);
    let (reader, writer) = std::io::pipe().map_err(internal)?;
    let mut spawn = own::process("guard", name);
    spawn.descriptors = vec![(reader.into(), PIPE_FD)];
    // it must live on when we are gone: that is what it is for
    spawn.parent_death = ParentDeath::Survives;
    let process = spawn.start().map_err(internal)?;
    Ok((process, writer.into()))
}
