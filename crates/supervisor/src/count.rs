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
        Workers::Between(range) => range.now.max(1),
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

/// The most there will be for this wish.
#[must_use]
pub fn most(wish: Workers) -> u32 {
    match wish {
        Workers::Between(range) => range.max.max(1),
        wish => workers(wish),
    }
}

/// Bytes that a program which is about to start may expect to get: what is left below the limit of our control group,
/// and what the machine has. `None`: nobody knows.
#[must_use]
pub fn memory_left() -> Option<u64> {
    let own = memory_limit()
        .zip(memory_taken())
        .map(|(limit, taken)| limit.saturating_sub(taken));
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available(&text));
    own.into_iter().chain(machine).min()
}

/// `MemAvailable:   123 kB`, the kernel's kB being 1024 bytes.
fn available(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kilobytes.checked_mul(1024)
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
    use crate::options::WorkerRange;

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
        let range = Workers::Between(WorkerRange::new(2, 8).with(5));
        assert_eq!((workers(range), most(range)), (5, 8));
        assert_eq!(
            (workers(range.as_written()), most(Workers::Fixed(3))),
            (2, 3)
        );
        let within = |now| WorkerRange::new(2, 8).with(now).now;
        assert_eq!([within(1), within(9)], [2, 8]);
    }

    #[test]
    fn what_is_available_is_read() {
        let text = "MemTotal: 100 kB\nMemAvailable:   24 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(24 * 1024));
        assert_eq!(available("MemAvailable: many\n"), None);
        assert!(memory_left().is_some_and(|left| left > 0));
    }
}
