//! How much memory a process and those below it take, and how much there is. Reads files of the kernel, decides nothing.

use std::fs;

/// More processes than a worker has; of others nothing is read, so that a look does not take long.
const MOST: usize = 256;

/// The memory of a tree of processes at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes in memory (RSS), of all of them: what they share is counted once for each.
    pub resident: u64,
    members: Vec<u32>,
}

impl Footprint {
    /// Of a process and those below it. `None`: it is gone.
    #[must_use]
    pub fn of(root: u32) -> Option<Self> {
        let members = family(root);
        let resident = resident(root)?;
        let below = members
            .iter()
            .skip(1)
            .filter_map(|pid| self::resident(*pid));
        Some(Self {
            resident: below.fold(resident, u64::saturating_add),
            members,
        })
    }

    /// Bytes beyond which it takes more than `limit`. `None`: it does not. What processes share is counted once, and
    /// looked at only where it matters: the kernel walks through all of their pages for it.
    #[must_use]
    pub fn above(&self, limit: u64) -> Option<u64> {
        if self.resident <= limit {
            return None;
        }
        let taken = match self.members[..] {
            [_] => self.resident,
            _ => self.proportional().unwrap_or(self.resident),
        };
        (taken > limit).then_some(taken)
    }

    fn proportional(&self) -> Option<u64> {
        let each = self.members.iter().filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            proportional(&text)
        });
        each.reduce(u64::saturating_add)
    }
}

/// A process, and those below it.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let mut members = vec![root];
    let mut next = 0;
    while let Some(pid) = members.get(next).copied().filter(|_| next < MOST) {
        members.extend(children(pid));
        next += 1;
    }
    members.truncate(MOST);
    members
}

fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    bytes(&text, "VmRSS:")
}

fn proportional(text: &str) -> Option<u64> {
    bytes(text, "Pss:")
}

/// The kernel counts in kB of 1024 bytes.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// Those that any of its threads started.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten().take(MOST);
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_counted_with_those_below_it() {
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60 & wait"])
            .spawn()
            .unwrap();
        let all = loop {
            let all = Footprint::of(shell.id()).unwrap();
            if all.members.len() == 3 {
                break all;
            }
        };
        let own = resident(shell.id()).unwrap();
        assert!(all.resident > own, "{all:?} and {own}");
        assert_eq!(all.above(all.resident), None);
        // they share their libraries
        let taken = all.above(0).unwrap();
        assert!((1..all.resident).contains(&taken), "{taken} of {all:?}");
        for pid in all.members {
            let pid = i32::try_from(pid).unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        shell.wait().unwrap();
        assert_eq!(Footprint::of(shell.id()), None);
    }

    #[test]
    fn the_kernels_lines_are_read() {
        let text = "00400000-7ffe [rollup]\nRss:  3000 kB\nPss:  1200 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(proportional(text), Some(1_228_800));
        assert_eq!(proportional(""), None);
    }
}
