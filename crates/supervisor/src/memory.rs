//! Whether the kernel killed a process because memory ran out: its counters before and after, of the process's control
//! group, else of the machine. Reads files of the kernel, decides nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// The kernel's count of such kills, remembered while the process lives: a dead one has no group any more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Kills {
    file: PathBuf,
    count: u64,
}

impl Kills {
    /// As counted now, where `pid` belongs. `None` where the kernel counts nothing.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mut files = places(&groups);
        // The machine's, last: a kill elsewhere in the same moment would be taken for ours.
        files.push(PathBuf::from("/proc/vmstat"));
        files.into_iter().find_map(|file| {
            let count = count(&file)?;
            Some(Self { file, count })
        })
    }

    /// Whether there were more since.
    pub(crate) fn grew(&self) -> bool {
        count(&self.file).is_some_and(|count| count > self.count)
    }
}

/// The files that may count, from `/proc/PID/cgroup`: `0::/path` is version 2, `4:memory:/path` version 1. The path in
/// the file system may be shorter, when only a part of the tree is mounted.
fn places(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        let root = Path::new(GROUPS);
        if controllers.is_empty() {
            files.push(root.join(path).join("memory.events"));
            files.push(root.join("unified").join(path).join("memory.events"));
        } else if controllers.split(',').any(|name| name == "memory") {
            files.push(root.join("memory").join(path).join("memory.oom_control"));
            files.push(root.join("memory/memory.oom_control"));
        }
    }
    files
}

fn count(file: &Path) -> Option<u64> {
    parse(&fs::read_to_string(file).ok()?)
}

/// All three files have lines of a name and a number.
fn parse(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_every_form() {
        let cases = [
            (
                "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n",
                Some(1),
            ),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", Some(3)),
            ("oom_kill_disable 0\nunder_oom 0\n", None),
            ("pgfault 5\noom_kill 0\n", Some(0)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn both_versions_of_groups_have_their_place() {
        let found = places("4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/d\n");
        let found: Vec<String> = found
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "/sys/fs/cgroup/memory/a/b/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/d/memory.events",
                "/sys/fs/cgroup/unified/d/memory.events",
            ]
        );
        assert_eq!(places("garbage"), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_machine_counts_somewhere() {
        let kills = Kills::of(std::process::id()).unwrap();
        assert_eq!(kills.count, count(&kills.file).unwrap());
    }
}
