//! `mainstay save` and `resurrect`, `flush` and `ping`: what is said to all instances at once, or to what they left.

use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

use super::instance::Instance;
use super::landscape::{Known, gather};
use super::start::start_recorded;
use super::targets::{Chosen, Part, choose};
use crate::arguments::{Targets, Which};
use crate::control::log_files;
use crate::failure::Failure;
use crate::{Outcome, say};

/// `mainstay save`: what runs now is what `resurrect` starts.
pub(crate) fn save() -> Outcome {
    let mut saved = Vec::new();
    for known in gather(None) {
        match (known.record, &known.running) {
            (Some(Ok(mut record)), running) => {
                record.saved = running.is_some();
                record.write()?;
                if record.saved {
                    saved.push(format!("`{}`", record.name));
                }
            }
            (Some(Err(failure)), _) => say::warning(&failure.message),
            (None, Some(_)) => say::warning(&format!(
                "`{}` runs in the foreground, where somebody else starts it: it is not saved",
                known.name
            )),
            (None, None) => {}
        }
    }
    if saved.is_empty() {
        say::note("nothing runs in the background: `mainstay resurrect` will start nothing");
    } else {
        say::note(&format!(
            "`mainstay resurrect` will start {}; `mainstay startup NAME` has systemd do it with the machine",
            saved.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// `mainstay resurrect`: one that does not come up keeps no other from it.
pub(crate) fn resurrect() -> Outcome {
    let mut failed: Option<Failure> = None;
    let mut started = 0;
    for known in gather(None) {
        let result = match known.record {
            Some(Ok(record)) if record.saved && known.running.is_none() => {
                started += 1;
                start_recorded(&record, &record.environment)
            }
            // whether it was saved cannot be known
            Some(Err(failure)) => Err(failure),
            _ => Ok(()),
        };
        if let Err(failure) = result {
            let failure = failure.within(&format!("`{}`", known.name));
            if let Some(before) = failed.replace(failure) {
                say::warning(&before.message);
            }
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None if started == 0 => {
            say::note("nothing that was saved is missing; `mainstay save` saves what runs");
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// `mainstay flush`: files are emptied, and go on being written.
pub(crate) fn flush(flush: &Targets) -> Outcome {
    let instances = gather(flush.name.as_deref());
    let meant = if flush.targets.is_empty() {
        let whole = |known| Chosen {
            known,
            part: Part::Whole,
        };
        instances.iter().map(whole).collect()
    } else {
        choose(&flush.targets, &instances)?
    };
    let mut emptied = 0;
    for Chosen { known, part } in meant {
        emptied += flush_one(known, &part)?;
    }
    say::note(&match emptied {
        0 => "there are no log files; `run` writes none".to_owned(),
        1 => "emptied 1 log file".to_owned(),
        several => format!("emptied {several} log files"),
    });
    Ok(ExitCode::SUCCESS)
}

fn flush_one(known: &Known, part: &Part) -> Result<usize, Failure> {
    let Some(logs) = known.logs() else {
        return Ok(0);
    };
    let apps = part.apps(known);
    let meant = known.apps.iter().filter(|app| apps.contains(&app.name));
    let of_apps = meant.flat_map(|app| known.files(app));
    let of_apps = of_apps.map(|file| file.path).filter(|path| path.is_file());
    let mut files: Vec<_> = match part {
        Part::Whole => log_files(logs).into_iter().chain(of_apps).collect(),
        _ => of_apps.collect(),
    };
    files.sort();
    files.dedup();
    for file in &files {
        // whoever writes to it writes to its end, wherever that is
        File::options()
            .write(true)
            .truncate(true)
            .open(file)
            .map_err(|error| Failure::machine(format!("`{}`: {error}", file.display())))?;
    }
    Ok(files.len())
}

/// `mainstay ping`.
pub(crate) fn ping(which: &Which) -> Outcome {
    let mut instances = Instance::all();
    if let Some(name) = &which.name {
        instances.retain(|instance| instance.name == *name);
    }
    if instances.is_empty() {
        // with the complaint that says what to do
        Instance::find(which.name.as_deref())?;
    }
    for instance in instances {
        let begun = Instant::now();
        let listing = instance.listing()?;
        let took = begun.elapsed().as_secs_f64() * 1_000.0;
        let line = format!(
            "`{}` answers: process {}, mainstay {}, {took:.1} ms\n",
            instance.name, listing.pid, listing.version
        );
        super::print(line.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
