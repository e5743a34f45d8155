//! `mainstay start`: as `run`, in the background; and the verbs by which what was started once is started again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::ExitCode;

use super::landscape::{Known, gather};
use super::order::{chosen, give};
use super::run::{Read, here, name_of, read_in};
use super::targets::{self, Part};
use crate::arguments::{Run, Targets};
use crate::control::{Background, Greeting, Invocation, Origin, runtime_dir, start_control};
use crate::failure::Failure;
use crate::order::{Order, Told};
use crate::state::{Record, log_folder};
use crate::{Outcome, say};

/// Returns when what was started serves, or has failed.
pub(crate) fn execute(start: &Run) -> Outcome {
    let words = &start.words;
    let instances = gather(None);
    let are_known = |word: &String| targets::is_known(word, &instances);
    if !words.is_empty() && words.iter().all(are_known) && start.has_no_flags() {
        return again(words, &instances);
    }
    let origin = Origin::new(start.flags(), here()?, Greeting::Usual);
    launch(origin, &BTreeMap::new())?;
    Ok(ExitCode::SUCCESS)
}

/// Starts what was stopped.
fn again(words: &[String], instances: &[Known]) -> Outcome {
    for chosen in targets::choose(words, instances)? {
        let known = chosen.known;
        match &known.running {
            None => from_record(known)?,
            Some((instance, _)) => {
                let apps = chosen.part.apps(known);
                let stopped = known.apps.iter().filter(|app| app.is_stopped);
                let stopped: Vec<String> = stopped
                    .map(|app| app.name.clone())
                    .filter(|app| apps.contains(app))
                    .collect();
                if stopped.is_empty() {
                    let what = named(&chosen.part, known);
                    say::note(&format!(
                        "{what} runs already; `mainstay restart` and `mainstay reload` start it anew"
                    ));
                } else {
                    give(instance, &Order::Start(stopped))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(part: &Part, known: &Known) -> String {
    match part {
        Part::Whole => format!("`{}`", known.name),
        part => format!("`{}`", part.apps(known).join("`, `")),
    }
}

/// Starts an instance as it was started the last time.
pub(super) fn from_record(known: &Known) -> Result<(), Failure> {
    let record = match &known.record {
        Some(Ok(record)) => record,
        Some(Err(failure)) => return Err(Failure::machine(failure.message.clone())),
        None => {
            return Err(Failure::usage(format!(
                "nothing is on record of `{}`",
                known.name
            )));
        }
    };
    if !record.folder.is_dir() {
        return Err(Failure::usage(format!(
            "`{}` was started in `{}`, which is no folder any more",
            record.name,
            record.folder.display()
        )));
    }
    // of what the present environment does not say, what was true then
    let unset = |(name, _): &(&String, &String)| std::env::var_os(name).is_none();
    let kept = record.environment.iter().filter(unset);
    let environment = kept.map(|(name, value)| (name.clone(), value.clone()));
    start_recorded(record, &environment.collect())
}

/// As it was started the last time, with these variables over the present ones.
pub(super) fn start_recorded(
    record: &Record,
    environment: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let mut flags = record.flags.clone();
    // what it was called after may be called otherwise by now
    flags.name.get_or_insert_with(|| record.name.clone());
    let origin = Origin::new(flags, record.folder.clone(), Greeting::Usual);
    launch(origin, environment)
}

fn launch(origin: Origin, environment: &BTreeMap<String, String>) -> Result<(), Failure> {
    let folder = origin.folder.clone();
    let read = read_in(origin, environment)?;
    if let Some(warning) = read.what_is_lost() {
        say::warning(&warning);
    }
    let Read { loaded, origin, .. } = read;
    let name = name_of(&loaded.settings, &origin.folder);
    nobody_runs(&name)?;
    let logs = log_folder(&name)?;
    let invocation = Invocation {
        settings: loaded.settings,
        places: loaded.origins.places(),
        origin,
        background: Some(Background { logs: logs.clone() }),
        name,
    };
    let (child, pipe) = start_control(&invocation, &folder, environment)?;
    wait(&invocation.name, child, pipe, &logs)
}

fn nobody_runs(name: &str) -> Result<(), Failure> {
    let instances = runtime_dir::instances();
    if instances.iter().all(|(known, _)| known != name) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "an instance `{name}` runs already; `mainstay reload --name {name}` brings in a new release, `mainstay restart {name}` \
         starts it anew, and another `--name` starts one beside it"
    )))
}

/// Hands on what the instance says until it is ready, or has failed.
fn wait(
    name: &str,
    mut child: std::process::Child,
    pipe: std::io::PipeReader,
    logs: &Path,
) -> Result<(), Failure> {
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Told::Progress(sentence)) => say::line(&sentence),
            Ok(Told::Done(ending)) if ending.code == 0 => {
                say::line(&format!("  logs: {}", logs.display()));
                say::note(&format!(
                    "`{name}` runs in the background; `mainstay ls` shows it, `mainstay stop {name}` ends it"
                ));
                return Ok(());
            }
            Ok(Told::Done(ending)) => return Err(ending.into()),
            Err(error) => return Err(Failure::internal("the word of the instance", error)),
        }
    }
    let end = child.wait().map(|status| format!(" ({status})"));
    Err(Failure::cut_short(format!(
        "instance `{name}` ended before it was ready{}; its last words are in `{}`",
        end.unwrap_or_default(),
        logs.join("mainstay.log").display()
    )))
}

/// `mainstay restart`: of running apps the workers end before new ones start; what does not run is started.
pub(crate) fn restart(restart: &Targets) -> Outcome {
    let instances = gather(restart.name.as_deref());
    let mut has_restarted = false;
    for chosen in chosen(restart, &instances)? {
        let known = chosen.known;
        let Some((instance, _)) = &known.running else {
            from_record(known)?;
            continue;
        };
        let order = match &chosen.part {
            Part::Worker { app, index, .. } => Order::Worker {
                app: app.clone(),
                index: *index,
            },
            part => Order::Restart(part.apps(known)),
        };
        give(instance, &order)?;
        has_restarted = true;
    }
    if has_restarted {
        say::note("`mainstay reload` does it without a moment in which nobody answers");
    }
    Ok(ExitCode::SUCCESS)
}
