//! PM2's ecosystem files as settings: each app of one becomes an `[app.NAME]`, each `env_NAME` a profile, as the text of a
//! settings file whose every line knows the field that it came from.
//!
//! Judges values, not files: who evaluates a file that is a program, and looks at scripts, hands both in. What may not be
//! here: starting anything, and the rules of settings, which hold for these as for any others.

mod app;
mod command;
mod entry;
mod fields;
mod lines;
mod order;
mod output;
mod variables;

use std::path::{Path, PathBuf};

use mainstay_values::{Problem, Problems, nearest};
use serde_json::{Map, Value};

pub use self::entry::Note;
use self::entry::{Complaints, Entry};
pub use self::lines::{Line, Lines, Source};
use self::order::Others;

/// Nobody runs more on one machine.
const MOST_APPS: usize = 1_000;

/// An ecosystem file that was evaluated.
#[derive(Clone, Debug)]
pub struct Ecosystem {
    /// Its name for people, as they gave it.
    pub name: String,
    /// The folder it lies in, absolute; its paths are relative to it.
    pub folder: PathBuf,
    /// What it says.
    pub value: Value,
}

/// What is wanted of the file.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// `--env NAME`: apps get their `env_NAME` as well.
    pub env: Option<String>,
    /// `--only NAME,…`: no other apps.
    pub only: Option<String>,
}

/// What the meaning of some fields depends on.
pub struct Machine<'a> {
    /// The CPUs that `instances: -1` leaves one of, at least 1.
    pub processors: u32,
    /// The beginning of a file, if there is a regular one of this path.
    pub beginning: &'a dyn Fn(&Path) -> Option<Vec<u8>>,
}

/// An ecosystem file in our words.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// The settings.
    pub lines: Lines,
    /// What was not taken over, each with the reason.
    pub notes: Vec<Note>,
}

/// Finds out what an ecosystem file means.
///
/// # Errors
/// Every value that means nothing, with its app and its field.
pub fn translate(
    file: &Ecosystem,
    choice: &Choice,
    machine: &Machine<'_>,
) -> Result<Translation, Problems> {
    let complaints = Complaints::new(&file.name);
    let mut out = Translation::default();
    let entries = entries(file, &complaints);
    let entries = app::named(entries, choice, &complaints);
    let all: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let chosen = chosen(entries, choice, &complaints);
    for entry in &chosen {
        let others = Others {
            all: &all,
            chosen: &chosen,
        };
        app::translate(entry, &others, &file.folder, machine, &mut out.lines);
    }
    if let Some(env) = &choice.env
        && !out.lines.has_profiles()
    {
        // nobody says what is different there
        out.lines.profile(env);
        complaints.note(format!("`--env {env}`"), format!("no app has `env_{env}`"));
    }
    if file.value.get("deploy").is_some() {
        let reason = "it is for `pm2 deploy`; what fetches and builds a release goes on as it is, and ends with \
                      `mainstay reload`";
        complaints.note("`deploy`".to_owned(), reason.to_owned());
    }
    out.notes = complaints.finish()?;
    Ok(out)
}

/// The apps as they stand there, each with its place.
fn entries<'a>(file: &'a Ecosystem, complaints: &'a Complaints) -> Vec<Entry<'a>> {
    let list = |list: &'a [Value], at: &str| -> Vec<Entry<'a>> {
        if list.len() > MOST_APPS {
            let problem = Problem::new(format!("`{at}` has {} apps", list.len()));
            complaints.push(problem.expected(format!("at most {MOST_APPS}")));
        }
        let each = list.iter().take(MOST_APPS).enumerate();
        let each = each.filter_map(|(index, value)| {
            let at = format!("{at}[{index}]");
            let Some(fields) = value.as_object() else {
                let problem = Problem::new(format!("`{at}` is not an app"));
                complaints.push(problem.expected("fields such as `{ script: \"server.js\" }`"));
                return None;
            };
            Some(Entry::new(at, fields, complaints))
        });
        each.collect()
    };
    let one = |fields: &'a Map<String, Value>, at: &str| {
        vec![Entry::new(at.to_owned(), fields, complaints)]
    };
    let found = match &file.value {
        Value::Array(apps) => list(apps, "apps"),
        Value::Object(fields) => {
            let apps = ["apps", "pm2"]
                .into_iter()
                .find_map(|key| Some((key, fields.get(key)?)));
            match apps {
                Some((key, Value::Array(apps))) => list(apps, key),
                Some((key, Value::Object(app))) => one(app, key),
                None if fields::says_what_to_run(fields) => one(fields, ""),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    };
    if found.is_empty() && complaints.is_empty() {
        let problem = Problem::new(format!("`{}` tells no apps", file.name));
        complaints.push(
            problem
                .expected("`apps`, a list with `name` and `script` for each, as PM2 reads it")
                .hint("settings of Mainstay's own are TOML: `mainstay init` writes such a file"),
        );
    }
    found
}

/// Those that `--only` names.
fn chosen<'a>(
    mut entries: Vec<Entry<'a>>,
    choice: &Choice,
    complaints: &Complaints,
) -> Vec<Entry<'a>> {
    let Some(only) = &choice.only else {
        return entries;
    };
    let wanted: Vec<&str> = only.split(',').map(str::trim).collect();
    for name in wanted.iter().filter(|name| !name.is_empty()) {
        if entries.iter().any(|entry| entry.is_called(name)) {
            continue;
        }
        let names = || entries.iter().map(|entry| entry.name.as_str());
        let problem = Problem::new(format!("there is no app `{name}` in the file"))
            .found(format!("--only {only}"));
        complaints.push(if let Some(near) = nearest(name, names()) {
            problem.hint(format!("did you mean `{near}`?"))
        } else {
            let names: Vec<String> = names().take(10).map(|name| format!("`{name}`")).collect();
            problem.expected(format!("one of {}", names.join(", ")))
        });
    }
    entries.retain(|entry| wanted.iter().any(|name| entry.is_called(name)));
    if entries.is_empty() && complaints.is_empty() {
        let problem = Problem::new("`--only` names no app").found(format!("--only {only}"));
        complaints.push(problem.expected("names of apps, with commas between them"));
    }
    entries
}
