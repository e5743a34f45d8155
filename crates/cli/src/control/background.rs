//! What an instance in the background has instead of a terminal: a session of its own, files for what it says, and a
//! pipe to the command that started it, which waits until it is ready.

use std::fs::{self, File};
use std::io::{self, PipeReader};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use mainstay_supervisor::os::inherited_fd;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::invocation::{Invocation, hand_over};
use crate::failure::Failure;
use crate::say;
use crate::state::{kept_environment, make_private};

/// Names the pipe's descriptor across the exec. No setting can begin like this.
pub(super) const VARIABLE: &str = "MAINSTAY_INTERNAL_STARTER_FD";
/// The instance's own words.
const OWN_LOG: &str = "mainstay.log";
/// Access lines.
const ACCESS_LOG: &str = "access.log";

/// Where what it says goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Background {
    /// The folder of the log files.
    pub(crate) logs: PathBuf,
}

impl Background {
    /// Leaves the terminal, if there is one. What is said goes into the log from now on, and to whoever started us.
    pub(super) fn enter(&self) -> Result<(), Failure> {
        if let Some(pipe) = starter() {
            say::also_to(pipe);
        }
        // a process that leads a group already belongs to nobody's terminal
        let _ = rustix::process::setsid();
        make_private(&self.logs)
            .and_then(|()| self.open())
            .map_err(|error| Failure::machine(format!("`{}`: {error}", self.logs.display())))?;
        say::into_a_log();
        Ok(())
    }

    /// Opens the log files by their names: again, where somebody moved them away.
    pub(super) fn open(&self) -> io::Result<()> {
        let own = append(&self.logs.join(OWN_LOG))?;
        let access = append(&self.logs.join(ACCESS_LOG))?;
        rustix::stdio::dup2_stderr(&own)?;
        rustix::stdio::dup2_stdout(&access)?;
        Ok(())
    }

    /// What is kept of the environment, so that the instance can be started again.
    pub(super) fn environment() -> std::collections::BTreeMap<String, String> {
        kept_environment(|name| std::env::var(name).ok())
    }
}

/// Opens a log file of this user alone; what is written goes to its end, also after somebody has emptied it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// The pipe to the command that started us. Whoever waits at its other end holds up nothing.
fn starter() -> Option<File> {
    let number = std::env::var(VARIABLE).ok()?.parse().ok()?;
    let pipe = inherited_fd(number).ok()?;
    fcntl_setfl(&pipe, fcntl_getfl(&pipe).ok()? | OFlags::NONBLOCK).ok()?;
    Some(File::from(pipe))
}

/// Starts the control plane beside this process, in this folder and with these variables over the present ones, and gives what it will say until it is ready.
pub(crate) fn start_control(
    invocation: &Invocation,
    folder: &Path,
    environment: &std::collections::BTreeMap<String, String>,
) -> Result<(Child, PipeReader), Failure> {
    let internal = |error: io::Error| Failure::internal("starting the control plane", error);
    let (mut command, memory) = hand_over(invocation)?;
    let (reader, writer) = io::pipe().map_err(internal)?;
    fcntl_setfd(&writer, FdFlags::empty()).map_err(|error| internal(error.into()))?;
    let child = command
        .env(VARIABLE, writer.as_raw_fd().to_string())
        .envs(environment)
        .env("PWD", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(internal)?;
    // ours would keep the pipe open for ever
    drop((writer, memory));
    Ok((child, reader))
}

/// The log files in a folder: those that `flush` empties.
pub(crate) fn log_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    files.sort();
    files
}
