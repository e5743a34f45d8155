//! What a process holds, as the kernel counts it. Judges nothing.

use std::fs;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    pub(crate) kilobytes: u64,
}

/// What a process holds now; none when it is gone.
pub(crate) fn held(pid: i32) -> Option<Held> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Held {
        descriptors: descriptors as u64,
        threads: number("Threads:")?,
        kilobytes: number("VmRSS:")?,
    })
}

/// What a process of ours is, as `ps` shows it: the second of its words, nothing for one that has gone.
pub(crate) fn role(pid: i32) -> Option<String> {
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = words.split('\0');
    (words.next()? == "mainstay").then(|| words.next().map(str::to_owned))?
}

/// Whether a process of ours has settled: it has handlers for the signals that it does not hear, the last thing that each does
/// before its work. What it holds earlier says nothing of what it will hold.
pub(crate) fn has_settled(pid: i32) -> bool {
    const USER_DEFINED_2: u32 = 12;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    caught.is_some_and(|caught| caught & 1 << (USER_DEFINED_2 - 1) != 0)
}

/// Resident memory of those processes, in KiB.
pub(crate) fn memory_of_all(pids: &[i32]) -> u64 {
    let held = pids.iter().filter_map(|pid| held(*pid));
    held.map(|held| held.kilobytes).sum()
}

/// Children of `pid` that have ended and were not reaped.
pub(crate) fn zombies(pid: i32) -> usize {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let is_zombie = |child: &&str| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    };
    let children = children.unwrap_or_default();
    children.split_whitespace().filter(is_zombie).count()
}
