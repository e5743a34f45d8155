//! `mainstay describe`: everything that is known of apps, for people. Programs read `jlist` and `status --json`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::crashes::{self, headline};
use super::landscape::{Known, gather};
use super::list::{Measured, bytes, mode, uptime};
use super::order::chosen;
use crate::Outcome;
use crate::arguments::Targets;
use crate::crash::Crash;
use crate::listing::{Bounds, ListedApp, ListedWorker};
use crate::say;
use crate::state::CrashStore;

pub(crate) fn execute(targets: &Targets) -> Outcome {
    let instances = gather(targets.name.as_deref());
    let measured = Measured::of(&instances);
    let mut text = String::new();
    for chosen in chosen(targets, &instances)? {
        let apps = chosen.part.apps(chosen.known);
        let meant = chosen.known.apps.iter();
        for app in meant.filter(|app| apps.contains(&app.name)) {
            describe(&mut text, chosen.known, app, &measured);
        }
    }
    super::print(text.as_bytes())
}

fn describe(text: &mut String, known: &Known, app: &ListedApp, measured: &Measured) {
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:11}{value}");
        }
    };
    let state = if app.is_stopped { " · stopped" } else { "" };
    line("app", &format!("{}{state}", say::strong(&app.name)));
    line("instance", &known.name);
    line("namespace", &app.namespace);
    line("mode", mode(app));
    line("program", &app.program);
    line("folder", &app.folder.display().to_string());
    line("address", app.address.as_deref().unwrap_or_default());
    if let Some((_, listing)) = &known.running {
        let version = format!("{} (process {})", listing.version, listing.pid);
        line("mainstay", &version);
        line(
            "settings",
            listing
                .file
                .as_deref()
                .unwrap_or("none but flags and what the app says"),
        );
        line("up for", &uptime(listing.started_at_ms));
    }
    for file in known.files(app) {
        line("log", &file.path.display().to_string());
    }
    if let Some(Ok(record)) = &known.record {
        line("saved", if record.saved { "yes" } else { "no" });
    }
    let scaled = app.scaled.map(Bounds::words).unwrap_or_default();
    line(
        "workers",
        &format!("{} of {} ready{scaled}", app.ready, app.wanted),
    );
    line("waits for", &app.waits_for.join(", "));
    for worker in &app.workers {
        let _ = writeln!(text, "    {}", describe_worker(app, worker, measured));
    }
    if let Some(crash) = last_crash(known, app) {
        let _ = writeln!(
            text,
            "  last death {}\n             `mainstay crashes {}` tells what it wrote, and of those before",
            headline(&crash, &TimeZone::system()),
            app.name
        );
    }
    text.push('\n');
}

/// The last of its workers that ended though nobody asked it to.
fn last_crash(known: &Known, app: &ListedApp) -> Option<Crash> {
    let crashes = match &known.running {
        Some((instance, _)) => crashes::of(instance).ok()?,
        None => CrashStore::read(&known.name),
    };
    crashes.into_iter().rfind(|crash| crash.app == app.name)
}

fn describe_worker(app: &ListedApp, worker: &ListedWorker, measured: &Measured) -> String {
    let mut line = format!("{}:{}", app.name, worker.index);
    if let Some(id) = worker.id {
        let _ = write!(line, " · id {id}");
    }
    let _ = write!(
        line,
        " · {} · release {}",
        worker.state.word(),
        worker.release
    );
    if let Some(pid) = worker.pid {
        let _ = write!(
            line,
            " · pid {pid} · up {} · cpu {:.0}% · {}",
            uptime(worker.started_at_ms),
            measured.cpu(worker),
            bytes(measured.memory(worker))
        );
    }
    if worker.restarts > 0 {
        let _ = write!(line, " · restarts {}", worker.restarts);
    }
    if let Some(exit) = &worker.last_exit {
        let _ = write!(line, " · last {exit}");
    }
    if worker.crash_loop {
        line.push_str(" · CRASH LOOP");
    }
    line
}
