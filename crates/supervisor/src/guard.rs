//! The guard: a tiny process that outlives the control plane by a moment and ends every worker tree it left behind.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::tree::to_pid;

/// No line of ours is longer.
const LONGEST_LINE: u64 = 32;

/// Reads `+PGID` and `-PGID` lines from `pipe`; at its end (nobody holds the other side any more) sends `SIGTERM` and,
/// after `grace`, `SIGKILL` to every process group still listed. Blocks until then.
///
/// # Errors
/// What the kernel said about reading the pipe; the groups listed so far are ended all the same.
pub fn guard(pipe: OwnedFd, grace: Duration) -> io::Result<()> {
    let mut groups = BTreeSet::new();
    let read = follow(pipe, &mut groups);
    let left: Vec<Pid> = groups.into_iter().filter_map(to_pid).collect();
    end(&left, grace);
    read
}

fn follow(pipe: OwnedFd, groups: &mut BTreeSet<u32>) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(256, std::fs::File::from(pipe));
    let mut line = String::new();
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let Some((sign, number)) = line.trim_end().split_at_checked(1) else {
            continue;
        };
        match (sign, number.parse()) {
            // 0 and 1 would be our own group and everybody's.
            ("+", Ok(group @ 2..)) => groups.insert(group),
            ("-", Ok(group)) => groups.remove(&group),
            _ => false,
        };
    }
}

fn end(groups: &[Pid], grace: Duration) {
    for group in groups {
        let _ = kill_process_group(*group, Signal::TERM);
    }
    let deadline = Instant::now() + grace;
    let alive = |groups: &[Pid]| {
        groups
            .iter()
            .any(|group| test_kill_process_group(*group).is_ok())
    };
    while alive(groups) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    for group in groups {
        let _ = kill_process_group(*group, Signal::KILL);
    }
}

/// The control plane's side: tells the guard which groups to end. Without a guard it does nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guarded(Option<Arc<OwnedFd>>);

impl Guarded {
    pub(crate) fn new(pipe: Option<OwnedFd>) -> Self {
        Self(pipe.map(Arc::new))
    }

    pub(crate) fn add(&self, group: u32) {
        self.write(&format!("+{group}\n"));
    }

    pub(crate) fn remove(&self, group: u32) {
        self.write(&format!("-{group}\n"));
    }

    /// A guard that is gone cannot be helped here; whoever started it notices.
    fn write(&self, line: &str) {
        if let Some(pipe) = &self.0 {
            let _ = rustix::io::write(pipe, line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_listed_at_the_end_is_ended() {
        let start = |script: &str| {
            let mut command = Command::new("sh");
            command
                .args(["-c", script])
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let mut listed = start("sleep 1000 & sleep 1000");
        let mut deaf = start("trap '' TERM; while :; do sleep 1000; done");
        let mut unlisted = start("sleep 1000");
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let guarded = Guarded::new(Some(write));
        for child in [&listed, &deaf, &unlisted] {
            guarded.add(child.id());
        }
        guarded.remove(unlisted.id());
        guarded.write("+1\n+0\ngarbage\n\n");
        drop(guarded);
        guard(read, Duration::from_millis(200)).unwrap();
        assert!(listed.wait().unwrap().signal().is_some());
        assert!(deaf.wait().unwrap().signal().is_some());
        assert!(
            unlisted.try_wait().unwrap().is_none(),
            "it was taken off the list"
        );
        kill_process_group(to_pid(unlisted.id()).unwrap(), Signal::KILL).unwrap();
        unlisted.wait().unwrap();
    }
}
