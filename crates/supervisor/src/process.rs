//! One process: started, watched by its pidfd, signalled. Knows nothing of apps, restarts or sockets.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process_group,
    pidfd_open, pidfd_send_signal, waitid,
};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;

use crate::limits::Privileges;
use crate::os::{InChild, before_exec, readable};
use crate::{identity::Identity, signal};

/// What is to be executed, and how.
#[derive(Debug)]
pub struct Spawn {
    /// The program: a path, or a name looked up in the `PATH` of `env`.
    pub program: OsString,
    /// What stands in the place of the program's name in `ps`; the program when absent.
    pub title: Option<OsString>,
    /// Its arguments, without the program itself.
    pub arguments: Vec<OsString>,
    /// Its whole environment: nothing else is passed on.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs; our own folder when absent.
    pub cwd: Option<PathBuf>,
    /// As whom it runs; as we when absent.
    pub identity: Option<Identity>,
    /// Descriptors it gets under these numbers (3 to 511).
    pub descriptors: Vec<(OwnedFd, RawFd)>,
    /// Its standard output; ours when absent.
    pub stdout: Option<OwnedFd>,
    /// Its standard error; ours when absent.
    pub stderr: Option<OwnedFd>,
    /// What the kernel lets it have.
    pub limits: Vec<(Resource, Rlimit)>,
    /// Whether it may gain privileges by what it executes.
    pub privileges: Privileges,
    /// The file by which it enters a control group (`cgroup.procs`), open for writing; it stays in ours when absent.
    pub cgroup: Option<OwnedFd>,
    /// Whether the kernel kills it when we die.
    pub parent_death: ParentDeath,
}

/// What happens to a child when the thread that started it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentDeath {
    /// The kernel kills it.
    Dies,
    /// It lives on.
    Survives,
}

impl Spawn {
    /// A process with an empty environment, our own standard streams, that dies with us.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            title: None,
            arguments: Vec::new(),
            env: Vec::new(),
            cwd: None,
            identity: None,
            descriptors: Vec::new(),
            stdout: None,
            stderr: None,
            limits: Vec::new(),
            privileges: Privileges::Open,
            cgroup: None,
            parent_death: ParentDeath::Dies,
        }
    }

    /// Forks and executes: in a process group of its own, standard input from `/dev/null`.
    ///
    /// Call it on the thread that lives as long as the program, since a child that dies with its parent dies with
    /// that *thread*; and inside a tokio runtime, which watches the pidfd.
    ///
    /// # Errors
    /// What the kernel said to fork, to the change of user or folder, or to exec.
    pub fn start(self) -> io::Result<Process> {
        let highest = self.descriptors.iter().map(|(_, number)| *number).max();
        let highest = highest.map(|number| number.min(MOST));
        let _reserved = reserve(highest)?;
        let first_free = highest.map_or(3, |number| number + 1);
        let mut descriptors = Vec::with_capacity(self.descriptors.len());
        for (descriptor, number) in self.descriptors {
            if !(3..=MOST).contains(&number) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("descriptor number {number} is not within 3 to 511"),
                ));
            }
            // Sources live above every target, so that no copy overwrites a source that is still needed.
            let source = rustix::io::fcntl_dupfd_cloexec(&descriptor, first_free)?;
            descriptors.push((source, number));
        }
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.env)
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(title) = &self.title {
            command.arg0(title);
        }
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        if let Some(identity) = &self.identity {
            command.gid(identity.gid).uid(identity.uid);
        }
        if let Some(stdout) = self.stdout {
            command.stdout(stdout);
        }
        if let Some(stderr) = self.stderr {
            command.stderr(stderr);
        }
        before_exec(
            &mut command,
            InChild {
                descriptors,
                limits: self.limits,
                privileges: self.privileges,
                cgroup: self.cgroup,
                dies_with_parent: (self.parent_death == ParentDeath::Dies).then_some(Signal::KILL),
                parent: rustix::process::getpid(),
            },
        );
        let child = command.spawn()?;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the kernel gave no process id"))?;
        Process::watch(pid)
    }
}

/// The highest number under which a descriptor is passed on.
const MOST: RawFd = 511;

/// Fills the free numbers up to `highest`, so that nothing std opens for itself between fork and exec (the pipe that
/// tells why exec failed) gets a number that a passed descriptor is about to take.
fn reserve(highest: Option<RawFd>) -> io::Result<Vec<OwnedFd>> {
    let mut reserved = Vec::new();
    let Some(highest) = highest else {
        return Ok(reserved);
    };
    let null = File::open("/dev/null")?;
    loop {
        use std::os::fd::AsRawFd as _;
        let next = rustix::io::fcntl_dupfd_cloexec(&null, 3)?;
        let number = next.as_raw_fd();
        if number > highest {
            return Ok(reserved);
        }
        reserved.push(next);
    }
}

/// The children somebody watches, in the whole process: every other child is an orphan we inherited.
static WATCHED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn watched() -> MutexGuard<'static, BTreeSet<u32>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn watch(pid: u32) {
    watched().insert(pid);
}

pub(crate) fn unwatch(pid: u32) {
    watched().remove(&pid);
}

/// Whether somebody waits for this child of ours.
pub(crate) fn is_watched(pid: u32) -> bool {
    watched().contains(&pid)
}

/// A child process, known by its pidfd: never mistaken for a stranger that got its number later.
///
/// Drop it after its end only: a child that nobody watches is reaped as an orphan.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    watching: Watching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watching {
    On,
    /// Somebody will take it up by its number, which stays its own until it is reaped.
    PutDown,
}

impl Process {
    /// Watches a child of ours that is already running (after an upgrade of the program, say).
    ///
    /// # Errors
    /// `ESRCH` if there is no such process.
    pub fn watch(pid: Pid) -> io::Result<Self> {
        let pidfd = readable(pidfd_open(pid, PidfdFlags::empty())?)?;
        let process = Self {
            pid,
            pidfd,
            watching: Watching::On,
        };
        watch(process.id());
        Ok(process)
    }

    /// Watches it no more, without leaving it to whoever reaps orphans: [`Process::watch`] takes it up again.
    pub fn put_down(mut self) -> Pid {
        self.watching = Watching::PutDown;
        self.pid
    }

    /// Its process id, which is also the id of its process group.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its process id as a plain number.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Its pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.get_ref().as_fd()
    }

    /// Waits for its end. It stays a zombie until `reap`: so long nobody else can get its number. Cancel-safe.
    ///
    /// # Errors
    /// What the runtime said; it never happens while the runtime lives.
    pub async fn ended(&self) -> io::Result<()> {
        // A pidfd becomes readable once, at the end, and stays so.
        self.pidfd.readable().await?.retain_ready();
        Ok(())
    }

    /// How it ended, without reaping it; absent while it runs.
    pub fn peek(&self) -> Option<Exit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::PidFd(self.pidfd()), options).ok()??;
        Some(Exit::from_wait(&status))
    }

    /// Waits for its end and reaps it. Cancel-safe. Only the first call that returns learns how it ended.
    ///
    /// # Errors
    /// What the kernel said; `ECHILD` when somebody else reaped it.
    pub async fn wait(&self) -> io::Result<Exit> {
        self.ended().await?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd()), options)?;
        Ok(status.map_or(Exit::Unknown, |status| Exit::from_wait(&status)))
    }

    /// Sends `signal` to this process alone. One that has ended already is no error.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(self.pidfd(), signal);
    }

    /// Sends `signal` to its whole process group. Only before it is reaped, or while the group has other members:
    /// until then the number cannot be given to anybody else.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.watching == Watching::On {
            unwatch(self.id());
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the kernel, because memory ran out.
    OutOfMemory,
    /// In a way nobody could observe any more.
    Unknown,
}

impl Exit {
    fn from_wait(status: &rustix::process::WaitIdStatus) -> Self {
        status
            .exit_status()
            .map(Self::Code)
            .or_else(|| status.terminating_signal().map(Self::Signal))
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit status {code}"),
            Self::Signal(number) => write!(formatter, "killed by {}", signal::name_of(*number)),
            Self::OutOfMemory => formatter.write_str("killed by the kernel: out of memory"),
            Self::Unknown => formatter.write_str("exit status unknown"),
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
