//! `mainstay logs`: what workers wrote last, and what they write now. The running instance remembers the last lines of
//! each; what is older, and what instances wrote that do not run, is read from their files.

mod follow;
mod wanted;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use jiff::tz::TimeZone;

use self::follow::Followed;
use self::wanted::Wanted;
use super::instance::Instance;
use super::landscape::{Known, gather};
use super::targets::{Chosen, Part, choose};
use crate::arguments::Logs;
use crate::failure::Failure;
use crate::listing::LogFile;
use crate::logs::{Assembly, Entry, Form, Printer, shown_time, tail};
use crate::said::{LogWish, Memory, Said};
use crate::{Outcome, say};

pub(crate) fn execute(logs: &Logs) -> Outcome {
    let zone = TimeZone::system();
    let wanted = Wanted::of(logs, &zone)?;
    let printer = Printer {
        form: match (logs.form.json, logs.form.raw) {
            (true, _) => Form::Json,
            (_, true) => Form::Raw,
            _ => Form::Text,
        },
        is_terminal: io::stdout().is_terminal(),
        zone,
    };
    let instances = gather(logs.name.as_deref());
    let mut entries = Vec::new();
    let mut followed = Vec::new();
    for chosen in meant(logs, &instances)? {
        let mut one = Followed::begin(&chosen, logs.follow)?;
        let (memory, said) = one.remembered()?;
        entries.extend(history(&chosen, &wanted, &memory, &said, &printer.zone)?);
        followed.push(one);
    }
    if entries.iter().all(|entry| entry.at_ms.is_some()) {
        entries.sort_by_key(|entry| entry.at_ms);
    }
    let mut outcome = entries.iter().try_for_each(|entry| printer.print(entry));
    if logs.follow && outcome.is_ok() {
        outcome = follow::follow(followed, &wanted, &printer);
    }
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // whoever read it has what he wanted
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::machine(format!(
            "cannot write to standard output: {error}"
        ))),
    }
}

/// Without a word, everything.
fn meant<'a>(logs: &Logs, instances: &'a [Known]) -> Result<Vec<Chosen<'a>>, Failure> {
    if !logs.targets.is_empty() {
        return choose(&logs.targets, instances);
    }
    if instances.is_empty() {
        // its complaint says what to do
        Instance::find(logs.name.as_deref())?;
    }
    let whole = |known| Chosen {
        known,
        part: Part::Whole,
    };
    Ok(instances.iter().map(whole).collect())
}

/// What is asked of the instance.
fn wish(chosen: &Chosen<'_>, follow: bool) -> LogWish {
    LogWish {
        apps: match &chosen.part {
            Part::Whole => Vec::new(),
            part => part.apps(chosen.known),
        },
        follow,
    }
}

/// The last entries of each app that is meant.
fn history(
    chosen: &Chosen<'_>,
    wanted: &Wanted,
    memory: &Memory,
    said: &[Said],
    zone: &TimeZone,
) -> Result<Vec<Entry>, Failure> {
    let mut found = Vec::new();
    for app in chosen.part.apps(chosen.known) {
        let files = files(chosen.known, &app, &chosen.part);
        let said = said.iter().filter(|said| said.app == app);
        let said = said.filter(|said| wanted.is_of(&chosen.part, said.worker, said.stream));
        let mut entries = Assembly::all(said.cloned());
        entries.retain(|entry| wanted.has(entry));
        let remembered = memory.apps.iter().find(|known| known.app == app);
        let since = remembered.map_or(memory.began_ms, |known| known.since_ms);
        let is_enough = wanted.are_enough(&entries, i64::try_from(since).unwrap_or(0));
        let is_running = chosen.known.running.is_some();
        if is_running && (is_enough || files.is_empty()) {
            if !is_enough && wanted.since.is_some() {
                let zone = zone.clone();
                let since = shown_time(i64::try_from(since).unwrap_or(0), &zone);
                say::note(&format!("what `{app}` wrote is remembered since {since}"));
            }
            found.extend(wanted.last(entries));
            continue;
        }
        for file in files {
            found.extend(of_file(&file, &app, wanted, memory, zone)?);
        }
    }
    Ok(found)
}

/// The files that hold what is meant of an app.
fn files(known: &Known, app: &str, part: &Part) -> Vec<LogFile> {
    let mut apps = known.apps.iter();
    let listed = apps.find(|listed| listed.name == app);
    let files = listed.map_or_else(Vec::new, |listed| known.files(listed));
    let is_meant = |file: &&LogFile| match part {
        // what several workers wrote into one file cannot be told apart
        Part::Worker { index, .. } => file.worker == Some(*index),
        _ => true,
    };
    files.iter().filter(is_meant).cloned().collect()
}

fn of_file(
    file: &LogFile,
    app: &str,
    wanted: &Wanted,
    memory: &Memory,
    zone: &TimeZone,
) -> Result<Vec<Entry>, Failure> {
    // what both streams share, the files of each hold as well, and say which it was
    let Some(stream) = file.stream else {
        return Ok(Vec::new());
    };
    if wanted.stream.is_some_and(|wanted| wanted != stream) {
        return Ok(Vec::new());
    }
    let form = Entry {
        at_ms: None,
        app: app.to_owned(),
        worker: file.worker,
        stream,
        text: String::new(),
    };
    let mut lengths = memory.files.iter();
    let length = lengths.find(|known| known.path == file.path);
    let length = length.map(|known| known.length);
    let is_enough = |entries: &[Entry]| wanted.is_file_enough(entries);
    let tail = tail(&file.path, length, &form, zone, is_enough)
        .map_err(|error| Failure::machine(format!("`{}`: {error}", file.path.display())))?;
    if tail.is_cut && !wanted.is_file_enough(&tail.entries) {
        say::note(&format!(
            "only the end of `{}` was looked at",
            file.path.display()
        ));
    }
    if wanted.since.is_some() && tail.entries.iter().any(|entry| entry.at_ms.is_none()) {
        say::note(&format!(
            "`{}` has lines without a time, which are left out; `time = true` below `[app.{app}]` writes one",
            file.path.display()
        ));
    }
    let mut entries = tail.entries;
    entries.retain(|entry| wanted.has(entry));
    Ok(wanted.last(entries))
}
