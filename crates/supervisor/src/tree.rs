//! The processes that came of a worker: its group, and what carries its mark in the environment. From `/proc`, for the
//! moments of stopping only.

use std::io::Read as _;
use std::{fs, io};

use rustix::process::{Pid, PidfdFlags, Signal, getpgid, pidfd_open, pidfd_send_signal};

/// The variable that marks a worker's processes, also those that went into a session of their own.
pub(crate) const MARK: &str = "MAINSTAY_INTERNAL_TREE";

/// A worker's tree.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tree {
    /// The process group, which is the first process.
    pub(crate) group: u32,
    /// The value of [`MARK`], unique to one start.
    pub(crate) mark: String,
}

impl Tree {
    /// Everything of it that still runs; zombies do not.
    pub(crate) fn members(&self) -> Vec<u32> {
        let own = std::process::id();
        processes()
            .filter(|pid| *pid != own && self.owns(*pid))
            .collect()
    }

    /// Whether this process belongs to it and runs.
    pub(crate) fn owns(&self, pid: u32) -> bool {
        stat(pid).is_some_and(|stat| {
            stat.state != b'Z' && (stat.group == self.group || has_mark(pid, &self.mark))
        })
    }

    /// Sends `signal` to every member, each held by a pidfd and looked at again before, so that no number that was
    /// given to somebody else in between is hit.
    pub(crate) fn signal(&self, signal: Signal) {
        for pid in self.members() {
            let Some(handle) = handle(pid) else { continue };
            if self.owns(pid) {
                let _ = pidfd_send_signal(handle, signal);
            }
        }
    }
}

/// A pidfd for a process that need not be a child.
pub(crate) fn handle(pid: u32) -> Option<std::os::fd::OwnedFd> {
    pidfd_open(to_pid(pid)?, PidfdFlags::empty()).ok()
}

pub(crate) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether `pid` runs in the group `group` or below a process that does.
pub(crate) fn descends(pid: u32, group: u32) -> bool {
    let mut current = pid;
    for _ in 0..32 {
        let Some(raw) = to_pid(current) else {
            return false;
        };
        if getpgid(Some(raw)).is_ok_and(|found| Some(found) == to_pid(group)) {
            return true;
        }
        match stat(current) {
            Some(stat) if stat.parent > 1 => current = stat.parent,
            _ => return false,
        }
    }
    false
}

/// The letter by which the kernel names a process's state: `R` for running or ready to.
pub(crate) fn state(pid: u32) -> Option<u8> {
    stat(pid).map(|stat| stat.state)
}

/// Our children that have ended and wait to be reaped.
pub(crate) fn zombie_children() -> Vec<u32> {
    let own = std::process::id();
    processes()
        .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == own && stat.state == b'Z'))
        .collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    parent: u32,
    group: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid pgrp ...`; the name may hold anything, also `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some(Stat {
        state: *fields.next()?.as_bytes().first()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

/// In one piece as far as possible: between two, the process may have begun another program, and the rest is lost.
fn environment(pid: u32) -> io::Result<Vec<u8>> {
    const PIECE: usize = 32 * 1024;
    let mut file = fs::File::open(format!("/proc/{pid}/environ"))?;
    let mut whole = Vec::new();
    loop {
        let end = whole.len();
        whole.resize(end + PIECE, 0);
        let read = file.read(&mut whole[end..])?;
        whole.truncate(end + read);
        if read == 0 {
            return Ok(whole);
        }
    }
}

/// So often a process is looked at that is just executing another program.
const LOOKS: u32 = 1_000;
/// So many looks in a row prove that a process has no environment.
const PROOF: u32 = 3;

fn has_mark(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let mut without = 0;
    for _ in 0..LOOKS {
        let Ok(environment) = environment(pid) else {
            return false;
        };
        if !environment.is_empty() {
            let mut variables = environment.split(|byte| *byte == 0);
            return variables.any(|variable| variable == wanted.as_bytes());
        }
        // threads of the kernel have no file, and never an environment
        if fs::read_link(format!("/proc/{pid}/exe")).is_err() {
            return false;
        }
        // between two programs there are no arguments either; and one may have begun while we read what the last one had
        if fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty()) {
            without += 1;
            if without == PROOF {
                return false;
            }
        }
        std::thread::yield_now();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_confuse() {
        let stat = parse_stat("12 (a) b (c)) S 3 4 5 6").unwrap();
        assert_eq!(
            stat,
            Stat {
                state: b'S',
                parent: 3,
                group: 4
            }
        );
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn whoever_is_just_executing_is_not_overlooked() {
        use std::os::unix::fs::PermissionsExt as _;

        let mark = format!("test.exec.{}", std::process::id());
        // it does nothing but execute itself
        let script = std::env::temp_dir().join(format!("mainstay-{mark}"));
        fs::write(&script, "#!/bin/sh\nexec \"$0\"\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = std::process::Command::new("setsid")
            .arg(&script)
            .env(MARK, &mark)
            .spawn()
            .unwrap();
        let tree = Tree {
            group: 4_000_000,
            mark,
        };
        while !tree.owns(child.id()) {
            std::thread::yield_now();
        }
        let overlooked = (0..3_000).filter(|_| !tree.owns(child.id())).count();
        tree.signal(Signal::KILL);
        assert!(!child.wait().unwrap().success());
        fs::remove_file(script).unwrap();
        assert_eq!(overlooked, 0);
    }

    #[test]
    fn a_session_of_its_own_is_found_by_its_mark() {
        let mark = format!("test.{}", std::process::id());
        let mut child = std::process::Command::new("setsid")
            .args(["sleep", "1000"])
            .env(MARK, &mark)
            .spawn()
            .unwrap();
        let tree = Tree {
            group: 4_000_000,
            mark,
        };
        // Until exec its environment is ours.
        while tree.members().is_empty() {
            std::thread::yield_now();
        }
        assert!(tree.owns(child.id()));
        assert!(descends(
            child.id(),
            rustix::process::getpgrp()
                .as_raw_nonzero()
                .get()
                .unsigned_abs()
        ));
        tree.signal(Signal::KILL);
        assert!(!child.wait().unwrap().success());
        assert!(tree.members().is_empty());
    }
}
