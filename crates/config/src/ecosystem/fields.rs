//! The fields of PM2's apps: every name that each goes by, and why some are not taken over. How the others are is in
//! `app`.

use mainstay_values::nearest;
use serde_json::{Map, Value};

use super::entry::Entry;

/// One field.
struct Field {
    name: &'static str,
    aliases: &'static [&'static str],
    fate: Fate,
}

/// What becomes of a field.
enum Fate {
    /// It is taken over.
    Taken,
    /// It is not, for this reason; `false` and the like would have said nothing either.
    Left(&'static str),
    /// Only switching it off is not, for this reason.
    On(&'static str),
}

use Fate::{Left, On, Taken};

/// Why nothing is read from git.
const ELSEWHERE: &str = "it serves PM2's own services, and nothing here has a use for it";

const fn taken(name: &'static str, aliases: &'static [&'static str]) -> Field {
    Field {
        name,
        aliases,
        fate: Taken,
    }
}

const fn left(name: &'static str, aliases: &'static [&'static str], why: &'static str) -> Field {
    Field {
        name,
        aliases,
        fate: Left(why),
    }
}

/// All that PM2 knows, in the order of its manual.
const FIELDS: &[Field] = &[
    taken("script", &["exec", "cmd", "command"]),
    taken("name", &[]),
    taken("cwd", &[]),
    taken("args", &[]),
    taken("interpreter", &["exec_interpreter"]),
    taken(
        "node_args",
        &["interpreterArgs", "interpreter_args", "nodeArgs"],
    ),
    taken("instances", &[]),
    taken("exec_mode", &[]),
    taken("env", &[]),
    taken("wait_ready", &[]),
    taken("listen_timeout", &[]),
    taken("kill_timeout", &[]),
    taken("port", &[]),
    taken("uid", &["user"]),
    taken("gid", &[]),
    taken("autostart", &[]),
    taken("append_env_to_name", &[]),
    taken("source_map_support", &["sourceMapSupport"]),
    taken("namespace", &[]),
    taken("out_file", &["out", "output", "out_log"]),
    taken("error_file", &["error", "err", "err_file", "err_log"]),
    taken("log_file", &["log"]),
    taken("log_date_format", &[]),
    taken("log_type", &[]),
    taken("time", &[]),
    taken("disable_logs", &[]),
    taken("merge_logs", &["combine_logs"]),
    taken("filter_env", &[]),
    taken("max_memory_restart", &[]),
    Field {
        name: "treekill",
        aliases: &[],
        fate: On("what an app started is always ended with it"),
    },
    taken("shutdown_with_message", &[]),
    taken("autorestart", &["auto_restart"]),
    taken("stop_exit_codes", &["stop_exit_code"]),
    taken("restart_delay", &[]),
    taken("exp_backoff_restart_delay", &[]),
    taken("min_uptime", &[]),
    taken("max_restarts", &[]),
    taken("cron_restart", &["cron"]),
    taken("watch", &[]),
    taken("ignore_watch", &["watch_ignore"]),
    taken("watch_delay", &[]),
    left(
        "watch_options",
        &[],
        "files are watched by the kernel, with nothing to tune",
    ),
    taken("instance_var", &[]),
    taken("increment_var", &[]),
    left(
        "kill_retry_time",
        &[],
        "the end of a process is noticed when it happens, not looked for",
    ),
    left(
        "pid_file",
        &["pid", "pid_path"],
        "`mainstay status --json` tells the processes",
    ),
    taken("vizion", &[]),
    left("pmx", &[], ELSEWHERE),
    left("automation", &[], ELSEWHERE),
    left("trace", &[], ELSEWHERE),
    left("io", &[], ELSEWHERE),
    left("deep_monitoring", &[], ELSEWHERE),
    left(
        "post_update",
        &[],
        "nothing is fetched from git; `release_command` runs before a new release",
    ),
    left(
        "force",
        &[],
        "an app that is in the file twice is started twice",
    ),
    left("windowsHide", &[], "there are no windows"),
    taken("version", &[]),
    // PM2 reads past these two: they are ours
    taken("after", &[]),
    taken("after_timeout", &[]),
];

/// A field's name, then the others that PM2 takes for it.
pub(super) fn names_of(name: &str) -> impl Iterator<Item = &'static str> {
    let field = FIELDS.iter().find(|field| field.name == name);
    debug_assert!(field.is_some(), "`{name}` is read and not among the fields");
    field.into_iter().flat_map(|field| {
        [field.name]
            .into_iter()
            .chain(field.aliases.iter().copied())
    })
}

/// Whether these are the fields of an app.
pub(super) fn says_what_to_run(fields: &Map<String, Value>) -> bool {
    names_of("script").any(|name| fields.contains_key(name))
}

/// Names what is lost of an app.
pub(super) fn note_what_is_lost(entry: &Entry<'_>) {
    for (written, value) in entry.fields() {
        if written.starts_with("env_") {
            continue;
        }
        let known = FIELDS
            .iter()
            .find(|field| field.name == written || field.aliases.contains(&written));
        match known.map(|field| &field.fate) {
            Some(Left(why)) if says_something(value) => entry.note(written, why),
            Some(On(why)) if !says_something(value) => {
                entry.note(&format!("{written}: false"), why);
            }
            Some(_) => {}
            None => {
                let names = FIELDS.iter().flat_map(|field| {
                    [field.name]
                        .into_iter()
                        .chain(field.aliases.iter().copied())
                });
                let why = match nearest(written, names) {
                    Some(near) => format!("PM2 knows no such field; `{near}` was probably meant"),
                    None => "PM2 knows no such field".to_owned(),
                };
                entry.note(written, &why);
            }
        }
    }
}

/// Whether a value is more than another way to leave the field out.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && text != "false",
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_fields() {
        let mut names: Vec<&str> = FIELDS
            .iter()
            .flat_map(|field| {
                [field.name]
                    .into_iter()
                    .chain(field.aliases.iter().copied())
            })
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
