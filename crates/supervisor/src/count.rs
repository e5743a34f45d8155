//! How many workers this machine bears: CPU affinity, CPU quota, memory limit. Reads files of the kernel, decides numbers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::options::Workers;

/// What one worker of a usual app is expected to need.
const MEMORY_EACH: u64 = 256 * 1024 * 1024;

/// The number of workers for this wish, at least one.
pub fn workers(wish: Workers) -> u32 {
    let processors = processors();
    match wish {
        Workers::Fixed(count) => count.max(1),
        Workers::Max => processors,
        Workers::Auto => {
            let groups = control_groups();
            let quota = groups
                .iter()
                .filter_map(|group| quota(&fs::read_to_string(group.join("cpu.max")).ok()?))
                .min();
            auto(processors, quota, memory_limit())
        }
    }
}

/// Bytes that our control group, or one above it, may take. `None`: there is no such limit.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    numbers("memory.max").min()
}

/// Bytes that the control group with that limit takes now.
#[must_use]
pub fn memory_taken() -> Option<u64> {
    let groups = control_groups().into_iter();
    let limited = groups.filter_map(|group| Some((number(&group, "memory.max")?, group)));
    let (_, group) = limited.min()?;
    number(&group, "memory.current")
}

fn numbers(file: &str) -> impl Iterator<Item = u64> {
    let groups = control_groups().into_iter();
    groups.filter_map(move |group| number(&group, file))
}

fn number(group: &Path, file: &str) -> Option<u64> {
    let text = fs::read_to_string(group.join(file)).ok()?;
    text.trim().parse().ok()
}

/// The CPUs we may run on.
pub fn processors() -> u32 {
    rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count().max(1))
}

fn auto(processors: u32, quota: Option<u32>, memory: Option<u64>) -> u32 {
    let by_memory = memory.map_or(u32::MAX, |limit| {
        u32::try_from(limit / MEMORY_EACH).unwrap_or(u32::MAX)
    });
    processors
        .min(quota.unwrap_or(u32::MAX))
        .min(by_memory)
        .max(1)
}

/// `max 100000` or `150000 100000`: whole CPUs, rounded down, since a worker over the quota stalls all of them.
fn quota(text: &str) -> Option<u32> {
    let (quota, period) = text.trim().split_once(' ')?;
    let whole = quota.parse::<u64>().ok()? / period.parse::<u64>().ok()?.max(1);
    Some(u32::try_from(whole).unwrap_or(u32::MAX).max(1))
}

/// Our control group (version 2) and those above it: each may hold a limit.
fn control_groups() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    let own = Path::new("/sys/fs/cgroup").join(path.unwrap_or("/").trim_start_matches('/'));
    let within = |folder: &&Path| folder.starts_with("/sys/fs/cgroup");
    own.ancestors()
        .take_while(within)
        .map(Path::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_wins_and_one_remains() {
        let gigabyte = 1 << 30;
        let cases = [
            (8, None, None, 8),
            (8, Some(2), None, 2),
            (8, None, Some(gigabyte), 4),
            (2, Some(4), Some(gigabyte), 2),
            (8, None, Some(1024), 1),
        ];
        for (processors, quota, memory, expected) in cases {
            assert_eq!(auto(processors, quota, memory), expected);
        }
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("250000 100000\n"), Some(2));
        assert_eq!(quota("50000 100000\n"), Some(1));
        assert_eq!(workers(Workers::Fixed(0)), 1);
    }
}
