//! One app of an ecosystem file as a section. Which field becomes which key is decided here, and nowhere else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mainstay_values::{Problem, Size};
use serde_json::Value;

use super::entry::{Complaints, Entry, whole};
use super::lines::{Lines, Source, key, list};
use super::order::{self, Others};
use super::{Choice, Machine, command, fields, output, variables};
use crate::reader::is_name;
use crate::value::Value as _;

/// PM2's signal, and how long it waits after that.
const KILL_SIGNAL: &str = "SIGINT";
const KILL_TIMEOUT: &str = "1600ms";

/// Gives each app its name, and leaves those out that are not to be started.
pub(super) fn named<'a>(
    entries: Vec<Entry<'a>>,
    choice: &Choice,
    complaints: &Complaints,
) -> Vec<Entry<'a>> {
    let mut taken = BTreeSet::new();
    let mut named = Vec::new();
    for mut entry in entries {
        entry.given = given_name(&entry);
        if let Some((true, _)) = entry.switch("append_env_to_name")
            && let Some(env) = &choice.env
        {
            entry.given = format!("{}-{env}", entry.given);
        }
        if let Some((false, _)) = entry.switch("autostart") {
            complaints.note(
                format!("app `{}`", entry.given),
                "`autostart` is off: it is not started".to_owned(),
            );
            continue;
        }
        entry.name = unused(&plain(&entry.given), &mut taken);
        if entry.name != entry.given {
            complaints.note(
                format!("the name `{}`", entry.given),
                format!("it is called `{}` here", entry.name),
            );
        }
        named.push(entry);
    }
    named
}

/// Its `name`, else what its script is called without the extension.
fn given_name(entry: &Entry<'_>) -> String {
    if let Some((name, _)) = entry.text("name") {
        return name;
    }
    let script = entry.find("script").and_then(|found| found.value.as_str());
    let stem = script.and_then(|script| Path::new(script.trim()).file_stem());
    stem.map_or_else(
        || "app".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// As names of sections may be.
fn plain(name: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || letter == '_' => letter,
        _ => '-',
    };
    let name: String = name.chars().map(plain).take(32).collect();
    let name = name.trim_matches(['-', '_']);
    if is_name(name) {
        name.to_owned()
    } else {
        "app".to_owned()
    }
}

/// With a number behind it where another app is called so.
fn unused(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut number = 1;
    let mut found = name.to_owned();
    while !taken.insert(found.clone()) {
        number += 1;
        let end = format!("-{number}");
        let room = 32 - end.len();
        found = format!("{}{end}", &name[..name.len().min(room)]);
    }
    found
}

/// Writes the sections of an app.
pub(super) fn translate(
    entry: &Entry<'_>,
    others: &Others<'_>,
    folder: &Path,
    machine: &Machine<'_>,
    lines: &mut Lines,
) {
    let named = match entry.find("name") {
        Some(found) => found.place,
        None => entry.place(""),
    };
    lines.section(format!("app.{}", key(&entry.name)), named);
    let cwd = cwd(entry, folder, lines);
    if let Some((command, place)) = command::command(entry, &cwd, machine) {
        lines.push("command", command, Source::Field(place));
    }
    lines.text("http", "auto", Source::Unknown(entry.place("")));
    workers(entry, machine, lines);
    if others.are_several() {
        lines.text("listen", "own", Source::Several(entry.place("")));
    }
    order::translate(entry, others, lines);
    life(entry, lines);
    ends(entry, lines);
    upkeep(entry, lines);
    output::translate(entry, lines);
    told(entry, lines);
    account(entry, "uid", "user", lines);
    account(entry, "gid", "group", lines);
    variables::translate(entry, lines);
    fields::note_what_is_lost(entry);
}

/// The folder it runs in.
fn cwd(entry: &Entry<'_>, folder: &Path, lines: &mut Lines) -> PathBuf {
    match entry.text("cwd") {
        Some((cwd, place)) => {
            lines.text("cwd", &cwd, Source::Field(place));
            folder.join(cwd)
        }
        None => folder.to_owned(),
    }
}

fn workers(entry: &Entry<'_>, machine: &Machine<'_>, lines: &mut Lines) {
    let mode = entry.text("exec_mode").map(|(mode, _)| mode);
    if let Some(mode) = &mode
        && !["fork", "fork_mode", "cluster", "cluster_mode"].contains(&mode.as_str())
        && let Some(found) = entry.find("exec_mode")
    {
        let _: Option<()> = entry.reject(&found, "a mode", "`fork` or `cluster`");
    }
    let Some(found) = entry.find("instances") else {
        return;
    };
    let processors = i64::from(machine.processors.max(1));
    let number = match found.value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let workers = match (number, found.value.as_str()) {
        (None, Some("max")) | (Some(0), _) => "\"max\"".to_owned(),
        (Some(number @ 1..), _) => number.to_string(),
        (Some(number), _) => processors.saturating_add(number).max(1).to_string(),
        (None, _) => {
            let _: Option<()> =
                entry.reject(&found, "a number of workers", "a whole number, or `max`");
            return;
        }
    };
    lines.push("workers", workers, Source::Field(found.place));
}

/// How a worker becomes ready, and how it ends.
fn life(entry: &Entry<'_>, lines: &mut Lines) {
    if let Some((true, place)) = entry.switch("wait_ready") {
        lines.text("ready", "message", Source::Field(place));
    }
    if let Some((time, place)) = entry.time("listen_timeout") {
        lines.push("start_timeout", time.toml(), Source::Field(place));
    }
    lines.text("kill_signal", KILL_SIGNAL, Source::Usual(entry.place("")));
    match entry.time("kill_timeout") {
        Some((time, place)) => lines.push("kill_timeout", time.toml(), Source::Field(place)),
        None => lines.text("kill_timeout", KILL_TIMEOUT, Source::Usual(entry.place(""))),
    }
}

/// What follows when a worker ends by itself.
fn ends(entry: &Entry<'_>, lines: &mut Lines) {
    if let Some((true, place)) = entry.switch("shutdown_with_message") {
        lines.push("shutdown_message", "true".to_owned(), Source::Field(place));
    }
    if let Some((false, place)) = entry.switch("autorestart") {
        lines.push("autorestart", "false".to_owned(), Source::Field(place));
    }
    if let Some(found) = entry.find("stop_exit_codes") {
        let codes = match found.value {
            Value::Array(list) => list.iter().map(whole).collect(),
            value => whole(value).map(|code| vec![code]),
        };
        match codes {
            Some(codes) if codes.is_empty() => {}
            Some(codes) => {
                let codes: Vec<String> = codes.iter().map(u64::to_string).collect();
                let codes = format!("[{}]", codes.join(", "));
                lines.push("stop_exit_codes", codes, Source::Field(found.place));
            }
            None => {
                let _: Option<()> = entry.reject(
                    &found,
                    "a list of exit codes",
                    "numbers, such as `[0, 143]`",
                );
            }
        }
    }
    for (field, key) in [
        ("restart_delay", "restart_delay"),
        ("exp_backoff_restart_delay", "backoff"),
        ("min_uptime", "min_uptime"),
    ] {
        if let Some((time, place)) = entry.time(field)
            && !time.is_zero()
        {
            lines.push(key, time.toml(), Source::Field(place));
        }
    }
    if let Some(found) = entry.find("max_restarts") {
        match whole(found.value) {
            Some(0) => entry.note(
                "max_restarts",
                "with 0 PM2 gives up at the first failed start; write `autorestart: false`",
            ),
            Some(count) => {
                lines.push(
                    "max_restarts",
                    count.to_string(),
                    Source::Field(found.place.clone()),
                );
                lines.push("give_up", "true".to_owned(), Source::Field(found.place));
            }
            None => {
                let _: Option<()> = entry.reject(&found, "a count", "a whole number");
            }
        }
    }
}

/// What is done to workers without anybody asking.
fn upkeep(entry: &Entry<'_>, lines: &mut Lines) {
    if let Some(found) = entry.find("max_memory_restart")
        && whole(found.value) != Some(0)
        && *found.value != Value::Bool(false)
    {
        let text = found.value.as_str().map(str::trim);
        if let Some(bytes) = whole(found.value) {
            lines.push("max_memory", bytes.to_string(), Source::Field(found.place));
        } else if let Some(size) = text.and_then(|text| text.parse::<Size>().ok()) {
            lines.text("max_memory", &size.to_string(), Source::Field(found.place));
        } else {
            let _: Option<()> =
                entry.reject(&found, "a size", "bytes, or a number with `K`, `M` or `G`");
        }
    }
    if let Some((time, place)) = entry.text("cron_restart")
        && time != "0"
        && !time.is_empty()
    {
        lines.text("cron_restart", &time, Source::Field(place));
    }
    if let Some(found) = entry.find("watch") {
        match found.value {
            Value::Bool(false) => return,
            Value::Bool(true) => {
                lines.push("watch", "true".to_owned(), Source::Field(found.place));
            }
            _ => {
                if let Some((paths, place)) = entry.words("watch") {
                    lines.push("watch", list(&paths), Source::Field(place));
                }
            }
        }
    } else {
        return;
    }
    if let Some((names, place)) = entry.words("ignore_watch") {
        let (patterns, names): (Vec<_>, Vec<_>) = names
            .into_iter()
            .partition(|name| name.starts_with('/') && name.contains(['\\', '|', '^', '$']));
        if !patterns.is_empty() {
            entry.note("ignore_watch", "regular expressions are not read; name what shall not be watched in `watch_ignore`");
        }
        if !names.is_empty() {
            lines.push("watch_ignore", list(&names), Source::Field(place));
        }
    }
    if let Some((time, place)) = entry.time("watch_delay")
        && !time.is_zero()
    {
        lines.push("watch_delay", time.toml(), Source::Field(place));
    }
}

/// What a worker is told, and by which name.
fn told(entry: &Entry<'_>, lines: &mut Lines) {
    if let Some((namespace, place)) = entry.text("namespace") {
        let ours = plain(&namespace);
        if ours != namespace {
            entry.note("namespace", &format!("it is called `{ours}` here"));
        }
        lines.text("namespace", &ours, Source::Field(place));
    }
    for field in ["instance_var", "increment_var"] {
        if let Some((name, place)) = entry.text(field)
            && !name.is_empty()
        {
            lines.text(field, &name, Source::Field(place));
        }
    }
    if let Some(found) = entry.find("filter_env") {
        match found.value {
            Value::Bool(false) => {}
            Value::Bool(true) => {
                lines.push("filter_env", "true".to_owned(), Source::Field(found.place));
            }
            Value::Array(list) if list.is_empty() => {}
            _ => {
                if let Some((beginnings, place)) = entry.words("filter_env") {
                    lines.push("filter_env", list(&beginnings), Source::Field(place));
                }
            }
        }
    }
}

/// A user or a group, by name or number.
fn account(entry: &Entry<'_>, field: &str, ours: &str, lines: &mut Lines) {
    let Some(found) = entry.find(field) else {
        return;
    };
    if let Some(name) = found.value.as_str().filter(|name| !name.is_empty()) {
        lines.text(ours, name, Source::Field(found.place));
        return;
    }
    let number = whole(found.value).and_then(|number| u32::try_from(number).ok());
    if let Some(number) = number {
        lines.push(ours, number.to_string(), Source::Field(found.place));
    } else {
        let problem = Problem::new(format!(
            "`{field}` of app `{}` is not an account",
            entry.given
        ));
        entry.complain(&found, problem.expected("a name or a number"));
    }
}
