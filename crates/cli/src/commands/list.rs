//! `mainstay ls` and `mainstay jlist`: every app of every instance, with what its workers use. Changes nothing.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use mainstay_supervisor::identity::user_name;
use mainstay_supervisor::usage::{self, Usage};

use super::landscape::{Known, gather};
use super::table::{Cell, Column, Side, render, terminal_width};
use crate::clock;
use crate::listing::{ListedApp, ListedWorker, WorkerState};
use crate::{Outcome, say};

/// Over this time CPU is measured: long enough to mean something, short enough to wait for.
const MEASURED: Duration = Duration::from_millis(200);

/// What workers use now, by their first process.
pub(super) struct Measured {
    before: BTreeMap<u32, Usage>,
    after: BTreeMap<u32, Usage>,
    took: Duration,
}

impl Measured {
    /// Looks at them twice.
    pub(super) fn of(instances: &[Known]) -> Self {
        let apps = instances.iter().flat_map(|known| &known.apps);
        let workers = apps.flat_map(|app| &app.workers);
        let pids: Vec<u32> = workers.filter_map(|worker| worker.pid).collect();
        let begun = Instant::now();
        let before = usage::of(&pids);
        if !pids.is_empty() {
            thread::sleep(MEASURED);
        }
        let after = usage::of(&pids);
        Self {
            before,
            after,
            took: begun.elapsed(),
        }
    }

    /// In percent of one CPU.
    pub(super) fn cpu(&self, worker: &ListedWorker) -> f64 {
        let at = |usages: &BTreeMap<u32, Usage>| {
            let usage = worker.pid.and_then(|pid| usages.get(&pid));
            usage.map_or(Duration::ZERO, |usage| usage.cpu)
        };
        let spent = at(&self.after).saturating_sub(at(&self.before));
        100.0 * spent.as_secs_f64() / self.took.as_secs_f64().max(0.001)
    }

    /// In bytes.
    pub(super) fn memory(&self, worker: &ListedWorker) -> u64 {
        let usage = worker.pid.and_then(|pid| self.after.get(&pid));
        usage.map_or(0, |usage| usage.memory)
    }
}

/// `mainstay ls`.
pub(crate) fn list() -> Outcome {
    let instances = gather(None);
    for known in &instances {
        if let Some(Err(failure)) = &known.record {
            say::warning(&failure.message);
        }
    }
    let others = others();
    if instances.is_empty() {
        let hint = if others.is_empty() {
            "nothing runs; `mainstay start` starts something"
        } else {
            "nothing of yours runs"
        };
        say::note(hint);
    } else {
        let measured = Measured::of(&instances);
        super::print(table(&instances, &measured, terminal_width()).as_bytes())?;
    }
    for (user, name, pid) in others {
        say::note(&format!("user `{user}` runs `{name}` (process {pid})"));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(instances: &[Known], measured: &Measured, width: usize) -> String {
    let column = |heading, side, leave_out| Column {
        heading,
        side,
        leave_out,
    };
    let apps = || instances.iter().flat_map(|known| &known.apps);
    let has_namespaces = apps().any(|app| app.namespace != "default");
    let are_several = instances
        .iter()
        .any(|known| known.apps.len() != 1 || known.apps[0].name != known.name);
    let columns = [
        column("id", Side::Left, 0),
        column("name", Side::Left, 0),
        column("instance", Side::Left, if are_several { 4 } else { 9 }),
        column("namespace", Side::Left, if has_namespaces { 3 } else { 9 }),
        column("mode", Side::Left, 5),
        column("workers", Side::Right, 0),
        column("status", Side::Left, 0),
        column("restarts", Side::Right, 2),
        column("uptime", Side::Right, 1),
        column("cpu", Side::Right, 0),
        column("memory", Side::Right, 0),
        column("address", Side::Left, 1),
    ];
    let rows: Vec<Vec<Cell>> = instances
        .iter()
        .flat_map(|known| {
            let apps = known.apps.iter().map(|app| row(known, app, measured));
            let none = known.apps.is_empty().then(|| bare_row(known));
            apps.chain(none)
        })
        .collect();
    // those that say nothing here are left out however wide the terminal is
    let kept: Vec<usize> = (0..columns.len())
        .filter(|index| columns[*index].leave_out != 9)
        .collect();
    let columns: Vec<Column> = kept.iter().map(|index| columns[*index]).collect();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| kept.iter().map(|index| row[*index].clone()).collect())
        .collect();
    render(&columns, &rows, width)
}

fn row(known: &Known, app: &ListedApp, measured: &Measured) -> Vec<Cell> {
    let runs = !app.workers.is_empty();
    let restarts: u64 = app.workers.iter().map(|worker| worker.restarts).sum();
    let cpu: f64 = app.workers.iter().map(|worker| measured.cpu(worker)).sum();
    let memory: u64 = app
        .workers
        .iter()
        .map(|worker| measured.memory(worker))
        .sum();
    let living = app.workers.iter().filter(|worker| worker.pid.is_some());
    let oldest = living.map(|worker| worker.started_at_ms).min();
    let or_dash = |text: String| if runs { text } else { "-".to_owned() };
    vec![
        Cell::new(ids(&app.ids)),
        Cell::new(&app.name),
        Cell::new(&known.name),
        Cell::new(&app.namespace),
        Cell::new(mode(app)),
        Cell::new(format!("{}/{}", app.ready, app.wanted)),
        status(app),
        Cell::new(restarts.to_string()),
        Cell::new(oldest.map_or("-".to_owned(), uptime)),
        Cell::new(or_dash(format!("{cpu:.0}%"))),
        Cell::new(or_dash(bytes(memory))),
        Cell::new(app.address.clone().unwrap_or_default()),
    ]
}

/// An instance that only serves servers that run elsewhere, or whose record cannot be read.
fn bare_row(known: &Known) -> Vec<Cell> {
    let (status, address) = match &known.running {
        Some((_, listing)) => (Cell::good("ready"), listing.addresses.first().cloned()),
        None => (Cell::bad("unreadable"), None),
    };
    let dash = || Cell::new("-");
    vec![
        dash(),
        Cell::new(&known.name),
        Cell::new(&known.name),
        dash(),
        dash(),
        dash(),
        status,
        dash(),
        dash(),
        dash(),
        dash(),
        Cell::new(address.unwrap_or_default()),
    ]
}

/// `0`, `0-3`, `0,2-4`.
fn ids(ids: &[u32]) -> String {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for id in sorted {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => spans.push((id, id)),
        }
    }
    let words = spans.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

/// PM2's words for it: one process, or several that share an address.
pub(super) fn mode(app: &ListedApp) -> &'static str {
    if app.wanted > 1 { "cluster" } else { "fork" }
}

fn status(app: &ListedApp) -> Cell {
    let has = |state| app.workers.iter().any(|worker| worker.state == state);
    if app.workers.iter().any(|worker| worker.crash_loop) {
        Cell::bad("crash loop")
    } else if app.is_stopped && app.workers.is_empty() {
        Cell::bad("stopped")
    } else if app.is_stopped {
        Cell::pending("stopping")
    } else if has(WorkerState::GivenUp) {
        Cell::bad("given up")
    } else if let Some(first) = app.waits_for.first() {
        Cell::pending(format!("waits for {first}"))
    } else if app.ready >= app.wanted {
        Cell::good("ready")
    } else if has(WorkerState::Finished) {
        Cell::new("finished")
    } else if has(WorkerState::Waiting) {
        Cell::bad("waiting")
    } else {
        Cell::pending("starting")
    }
}

/// Of something that began at this millisecond since 1970, in its largest unit.
pub(super) fn uptime(since_ms: u64) -> String {
    let seconds = clock::milliseconds().saturating_sub(since_ms) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// In the unit that leaves one to three digits before the point.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1_000.0 {
            return match unit {
                "GiB" => format!("{value:.1} {unit}"),
                _ => format!("{value:.0} {unit}"),
            };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} TiB")
}

/// Instances of other users, by what `ps` shows of them: user, name, process.
fn others() -> Vec<(String, String, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let uid = entry.metadata().ok()?.uid();
            if uid == own {
                return None;
            }
            let words = std::fs::read(entry.path().join("cmdline")).ok()?;
            let mut words = words.split(|byte| *byte == 0);
            let is_ours = words.next()? == b"mainstay" && words.next()? == b"control";
            let name = String::from_utf8_lossy(words.next()?).into_owned();
            // a name is shown as it is typed, whatever somebody else called a process
            let is_plain = name.chars().all(|letter| !letter.is_control());
            (is_ours && is_plain).then(|| (user_name(uid), name, pid))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_as_spans() {
        for (given, expected) in [
            (&[0][..], "0"),
            (&[0, 1], "0,1"),
            (&[3, 1, 2], "1-3"),
            (&[0, 2, 3, 4, 9], "0,2-4,9"),
            (&[], ""),
        ] {
            assert_eq!(ids(given), expected);
        }
    }

    #[test]
    fn memory_is_told_in_its_largest_unit() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_023 * 1_024, "1 MiB"),
            (42 * 1_024 * 1_024, "42 MiB"),
            (1_300 * 1_024 * 1_024, "1.3 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}
