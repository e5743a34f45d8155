//! The guard: a process that outlives the control plane by a moment and ends what it left behind.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use mainstay_supervisor::os::inherited_fd;
use mainstay_supervisor::process::{ParentDeath, Process};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
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
    /// Whether its end is meant.
    asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

/// The guard on its way to the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GuardState {
    pid: Option<i32>,
}

impl Guard {
    /// Starts the first; the pipe's end that is returned tells it which process groups there are.
    pub(super) fn start(name: &str) -> Result<(Self, OwnedFd), Failure> {
        let (process, pipe) = start(name)?;
        let guard = Self {
            name: name.to_owned(),
            process: Some(process),
            next: Instant::now() + PAUSE,
            asked: Asked::No,
        };
        Ok((guard, pipe))
    }

    /// Goes on with one that the program before has started.
    pub(super) fn take_up(name: &str, state: &GuardState) -> io::Result<Self> {
        let watch = |pid| Process::watch(Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?);
        Ok(Self {
            name: name.to_owned(),
            process: state.pid.map(watch).transpose()?,
            next: Instant::now(),
            asked: Asked::No,
        })
    }

    /// What the next program must know.
    pub(super) fn state(&self) -> GuardState {
        let process = self.process.as_ref();
        GuardState {
            pid: process.map(|process| process.pid().as_raw_nonzero().get()),
        }
    }

    /// Ends it, so that another takes its place.
    pub(super) fn retire(&mut self) {
        if let Some(process) = &self.process {
            self.asked = Asked::Yes;
            process.signal(Signal::KILL);
        }
    }

    /// Waits until it has ended, and starts another; the pipe's end is that of the new one. Cancel-safe.
    pub(super) async fn replaced(&mut self) -> OwnedFd {
        loop {
            if let Some(process) = &self.process {
                let exit = process.wait().await;
                let exit = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
                self.process = None;
                if std::mem::replace(&mut self.asked, Asked::No) == Asked::No {
                    say::warning(&format!("the guard ended ({exit}); another is started"));
                }
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
    let internal = |error: io::Error| Failure::internal("starting the guard", error);
    let (reader, writer) = io::pipe().map_err(internal)?;
    let mut spawn = own::process("guard", name);
    spawn.descriptors = vec![(reader.into(), PIPE_FD)];
    // it must live on when we are gone: that is what it is for
    spawn.parent_death = ParentDeath::Survives;
    let process = spawn.start().map_err(internal)?;
    Ok((process, writer.into()))
}
