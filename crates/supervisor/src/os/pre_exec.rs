//! What a child does between fork and exec. Only async-signal-safe calls: no allocation, no locks, no logging.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::set_no_new_privs;

use crate::limits::Privileges;

/// What is arranged in the child.
pub(crate) struct InChild {
    /// Descriptors and the numbers under which the new program finds them. No source may have the number of a target.
    pub(crate) descriptors: Vec<(OwnedFd, RawFd)>,
    /// What the kernel lets the child have.
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    /// Whether it may gain privileges by what it executes.
    pub(crate) privileges: Privileges,
    /// By which it enters a control group.
    pub(crate) cgroup: Option<OwnedFd>,
    /// The signal the kernel sends the child when the thread that forked it ends.
    pub(crate) dies_with_parent: Option<Signal>,
    /// Us, to notice that we died before the request above was heard.
    pub(crate) parent: Pid,
}

/// Arranges for `child` to happen in the child process of `command`, after the change of user (which would forget
/// the parent-death signal).
pub(crate) fn before_exec(command: &mut Command, child: InChild) {
    let arrange = move || -> io::Result<()> {
        if let Some(signal) = child.dies_with_parent {
            set_parent_process_death_signal(Some(signal))?;
            if getppid() != Some(child.parent) {
                return Err(io::Error::from_raw_os_error(3)); // ESRCH: the parent is gone
            }
        }
        if let Some(door) = &child.cgroup {
            // 0 is whoever writes; all that comes of it is born there
            rustix::io::write(door, b"0")?;
        }
        for (resource, limit) in &child.limits {
            setrlimit(*resource, *limit)?;
        }
        if child.privileges == Privileges::Held {
            set_no_new_privs(true)?;
        }
        for (source, target) in &child.descriptors {
            // SAFETY: in the child between fork and exec nothing owns `target` but the reservation the parent
            // holds there; `into_raw_fd` below keeps this short-lived owner from closing it.
            let mut slot = unsafe { OwnedFd::from_raw_fd(*target) };
            let copied = rustix::io::dup2(source, &mut slot); // also clears close-on-exec
            debug_assert_ne!(source.as_raw_fd(), slot.as_raw_fd());
            let _ = slot.into_raw_fd();
            copied?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only and allocates nothing.
    unsafe {
        command.pre_exec(arrange);
    }
}
