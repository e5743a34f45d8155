//! Processes by their ids: who descends from whom, and ending them for good.
//!
//! What may not be here: signals to ids that were not seen to descend from our own child.

use std::collections::VecDeque;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process by id and start time, so that an id used again is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    started: u64,
}

impl Process {
    /// The living process of that id.
    pub(crate) fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which may hold anything: state is field 3, start time field 22.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let alive = !matches!(*fields.first()?, "Z" | "X");
        let started = fields.get(19)?.parse().ok()?;
        alive.then_some(Self { pid, started })
    }

    /// The process and all that descend from it, parents first.
    pub(crate) fn tree(pid: i32) -> Vec<Self> {
        let mut waiting = VecDeque::from([pid]);
        let mut found = Vec::new();
        while let Some(pid) = waiting.pop_front() {
            found.extend(Self::find(pid));
            waiting.extend(children(pid));
        }
        found
    }

    /// Whether it still runs.
    pub(crate) fn lives(self) -> bool {
        Self::find(self.pid) == Some(self)
    }

    /// Its id.
    pub(crate) fn pid(self) -> i32 {
        self.pid
    }

    /// Ends it at once, if it still is the same.
    pub(crate) fn kill(self) {
        if self.lives() {
            signal(self.pid, Signal::KILL);
        }
    }
}

/// Sends a signal; a process that has just gone is no failure.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::eventually;

    #[test]
    fn a_tree_is_seen_and_ended() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 600 & wait"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = shell.id().cast_signed();
        let tree = eventually("the shell's child", || {
            Some(Process::tree(pid)).filter(|tree| tree.len() == 2)
        });
        for process in &tree {
            process.kill();
        }
        shell.wait().unwrap();
        eventually("both to be gone", || {
            tree.iter().all(|process| !process.lives()).then_some(())
        });
    }
}
