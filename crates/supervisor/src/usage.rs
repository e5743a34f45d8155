//! What processes use of the machine, each with all that came of it: CPU time and memory. From `/proc`, once for all of
//! them; measures nothing over time.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What a process and everything below it use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time since their starts, in user and kernel mode.
    pub cpu: Duration,
    /// Resident memory in bytes; what they share counts for each of them, as in `ps`.
    pub memory: u64,
}

/// Looks once at all processes of the machine, and adds up for each of `roots` what it and its descendants use. One that
/// is gone uses nothing.
pub fn of(roots: &[u32]) -> BTreeMap<u32, Usage> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let processes = numbers.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse(&stat)?))
    });
    let units = Units {
        ticks: rustix::param::clock_ticks_per_second(),
        page: rustix::param::page_size() as u64,
    };
    add_up(roots, &processes.collect(), &units)
}

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
    pages: u64,
}

struct Units {
    /// A second has so many.
    ticks: u64,
    /// Bytes.
    page: u64,
}

fn add_up(roots: &[u32], processes: &BTreeMap<u32, Stat>, units: &Units) -> BTreeMap<u32, Usage> {
    let mut sums: BTreeMap<u32, Usage> =
        roots.iter().map(|root| (*root, Usage::default())).collect();
    for (pid, stat) in processes {
        let Some(root) = root_of(*pid, &sums, processes) else {
            continue;
        };
        if let Some(sum) = sums.get_mut(&root) {
            let millis = stat.ticks.saturating_mul(1_000) / units.ticks.max(1);
            sum.cpu += Duration::from_millis(millis);
            sum.memory += stat.pages.saturating_mul(units.page);
        }
    }
    sums
}

/// The nearest of the roots above a process, or itself.
fn root_of(pid: u32, roots: &BTreeMap<u32, Usage>, processes: &BTreeMap<u32, Stat>) -> Option<u32> {
    let mut current = pid;
    // parents may change while they are read: no chain is followed for ever
    for _ in 0..64 {
        if roots.contains_key(&current) {
            return Some(current);
        }
        current = processes.get(&current)?.parent;
    }
    None
}

/// `pid (name) state ppid …`, proc(5): fields 4, 14, 15 and 24; the name may hold anything, also `)`.
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // the first of these is field 3
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        ticks: number(14)?.saturating_add(number(15)?),
        pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 0 0 0 150 50 9 9 20 0 1 0 100 9000000 25 18446744073709551615";
        let stat = Stat {
            parent: 3,
            ticks: 200,
            pages: 25,
        };
        assert_eq!(parse(line), Some(stat));
        for broken in ["", "7 (a", "7 (a) S", "7 (a) S 3 4 5"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_came_of_a_process_counts_with_it_and_other_roots_for_themselves() {
        let stat = |parent| Stat {
            parent,
            ticks: 10,
            pages: 1,
        };
        let processes = [
            (2, 1),
            (3, 2),
            (4, 3),
            (5, 2),
            (6, 5),
            (9, 1),
            (20, 21),
            (21, 20),
        ];
        let processes = processes.map(|(pid, parent)| (pid, stat(parent))).into();
        let units = Units {
            ticks: 100,
            page: 4_096,
        };
        let sums = add_up(&[2, 5, 77], &processes, &units);
        let usage = |count: u32| Usage {
            cpu: Duration::from_millis(100) * count,
            memory: 4_096 * u64::from(count),
        };
        assert_eq!(sums, [(2, usage(3)), (5, usage(2)), (77, usage(0))].into());
    }

    #[test]
    fn this_process_uses_something() {
        let own = std::process::id();
        assert!(of(&[own])[&own].memory > 0);
    }
}
