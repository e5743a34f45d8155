//! What is run. Starts nothing, and looks at no file of the app.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_supervisor::AppOptions;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{CoreDumps, GiveUp, Liveness, Ready, Workers};
use mainstay_supervisor::signal::Signal;
use mainstay_values::{Address, BadValue, Problem};
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::account;
use super::preset::Preset;
use super::reload::ReloadMode;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};

/// More processes than one machine serves well.
const MOST_WORKERS: u32 = 1_024;

/// One app to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSettings {
    /// What the supervisor needs to know; the name is unique among apps and upstreams.
    pub options: AppOptions,
    /// An address where only this app answers. `None`: it shares the common ones, by routes.
    pub listen: Option<Address>,
    /// How a new release of it comes in.
    pub release: ReleaseSettings,
}

/// How a new release of an app comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSettings {
    /// Whether the releases may run at the same time.
    pub mode: ReloadMode,
    /// What is run once before the new workers. `None`: nothing.
    pub command: Option<Target>,
    /// How long that may take, 10 ms to a day.
    pub timeout: Duration,
}

impl Default for ReleaseSettings {
    fn default() -> Self {
        Self {
            mode: ReloadMode::Overlap,
            command: None,
            // migrations of large tables take minutes
            timeout: Duration::from_mins(10),
        }
    }
}

impl AppSettings {
    /// An app with everything else as the preset says.
    pub fn new(name: String, target: Target, cwd: PathBuf, preset: Preset) -> Self {
        let workers = match preset {
            Preset::Strict => Workers::Auto,
            Preset::Off | Preset::Safe => Workers::Fixed(1),
        };
        Self {
            options: AppOptions {
                name,
                target,
                cwd: Some(cwd),
                workers,
                ..AppOptions::default()
            },
            listen: None,
            release: ReleaseSettings::default(),
        }
    }

    /// The app's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }
}

impl Value for Workers {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "auto" => Ok(Self::Auto),
            "max" => Ok(Self::Max),
            _ => match u32::from_text(text) {
                Ok(count) if (1..=MOST_WORKERS).contains(&count) && !text.is_empty() => {
                    Ok(Self::Fixed(count))
                }
                _ => Err(BadValue::new(
                    "a number of workers",
                    format!("1 to {MOST_WORKERS}, `auto` or `max`"),
                )),
            },
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Fixed(count) => count.to_string(),
            Self::Auto => "auto".to_owned(),
            Self::Max => "max".to_owned(),
        }
    }
}

impl Value for Ready {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        let complaint = || {
            BadValue::new(
                "a sign of readiness",
                "`listen`, `message`, `http:/path` or `log:text`",
            )
        };
        match text.split_once(':') {
            None if text == "listen" => Ok(Self::Listen),
            None if text == "message" => Ok(Self::Message),
            Some(("http", path)) if is_path(path) => Ok(Self::Http(path.to_owned())),
            Some(("http", _)) => Err(complaint().hint("the path begins with `/`: `http:/ready`")),
            Some(("log", part)) if is_part_of_a_line(part) => Ok(Self::Log(part.to_owned())),
            Some(("log", _)) => {
                Err(complaint().hint("part of one line that the app writes: `log:listening on`"))
            }
            _ => Err(complaint()),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Listen => "listen".to_owned(),
            Self::Message => "message".to_owned(),
            Self::Http(path) => format!("http:{path}"),
            Self::Log(part) => format!("log:{part}"),
        }
    }
}

/// What may stand in a request line as it is.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= 1_024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The supervisor keeps this much of a line.
fn is_part_of_a_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 1_024 && !text.contains(['\n', '\r', '\0'])
}

impl Value for Signal {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        Self::parse(text).ok_or_else(|| {
            let names: Vec<String> = Self::ALL.map(|signal| format!("`{signal}`")).into();
            BadValue::new(
                "a signal to stop with",
                format!("one of {}", names.join(", ")),
            )
        })
    }

    fn print(&self) -> String {
        self.name().to_owned()
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[app.NAME]",
    doc: "An app to run. Without any, and without upstreams, it is the app in the folder: what `package.json` starts.",
    keys: &[
        Key {
            name: "command",
            kind: "text, or list of program and arguments",
            default: "(the app in `cwd`)",
            doc: "What is started; as text it is split into words, or given to `sh` when it needs a shell.",
        },
        Key {
            name: "cwd",
            kind: "path",
            default: "(the folder of the settings file, not of one that it includes)",
            doc: "The folder it runs in.",
        },
        Key {
            name: "env",
            kind: "section of texts",
            default: "{}",
            doc: "Added to the environment it inherits.",
        },
        Key {
            name: "workers",
            kind: "1 to 1024, `auto` or `max`",
            default: "(1; `auto` with preset `strict`)",
            doc: "How many processes; `auto` when nothing lives in memory.",
        },
        Key {
            name: "port",
            kind: "1 to 65535",
            default: "(`PORT`, else the first it listens on)",
            doc: "The port the app itself asks for, when it asks for several.",
        },
        Key {
            name: "ready",
            kind: "`listen`, `message`, `http:/path` or `log:text`",
            default: "\"listen\"",
            doc: "What makes a worker that listens ready: nothing more, the word `process.send('ready')`, an answer below 500 on this path, or a line of output with this text.",
        },
        Key {
            name: "start_timeout",
            kind: "duration",
            default: "\"1m\"",
            doc: "How long a worker may take to become ready.",
        },
        Key {
            name: "kill_signal",
            kind: "`SIGTERM`, `SIGINT`, `SIGQUIT`, `SIGHUP`, `SIGUSR1`, `SIGUSR2` or `SIGKILL`",
            default: "\"SIGTERM\"",
            doc: "The signal that asks a worker to stop.",
        },
        Key {
            name: "kill_timeout",
            kind: "duration",
            default: "\"10s\"",
            doc: "How long a worker may take to stop before it is killed.",
        },
        Key {
            name: "drain_timeout",
            kind: "duration",
            default: "\"30s\"",
            doc: "How long a worker that leaves may finish what it has before it is asked to stop; event streams and WebSockets are ended after three quarters of it.",
        },
        Key {
            name: "hang_timeout",
            kind: "duration, `0s` for never",
            default: "\"30s\"",
            doc: "How long a Node worker's event loop may stand still, or the answer to `liveness` be missing, before a worker is replaced; waiting for a CPU does not count.",
        },
        Key {
            name: "liveness",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether the path of `ready = \"http:/path\"` is asked every few seconds as long as a worker runs, and one that answers nothing for `hang_timeout` is replaced. For apps that answer it while they are busy.",
        },
        Key {
            name: "give_up",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether workers whose starts fail again and again stay down until somebody acts, instead of being tried again slowly.",
        },
        Key {
            name: "listen",
            kind: "address",
            default: "(shared with the others, by routes)",
            doc: "An address where only this app answers.",
        },
        Key {
            name: "user",
            kind: "name or number",
            default: "(as `mainstay` was started)",
            doc: "The user its workers and its release command run as; needs root.",
        },
        Key {
            name: "group",
            kind: "name or number",
            default: "(the user's)",
            doc: "The group they run as.",
        },
        Key {
            name: "open_files",
            kind: "16 to 1048576",
            default: "(what the machine gives, at most 65536)",
            doc: "How many files and connections one of its processes may have open.",
        },
        Key {
            name: "processes",
            kind: "16 to 1048576",
            default: "(as `mainstay` was started)",
            doc: "How many processes and threads its user may have on the machine; the system holds only others than root to it.",
        },
        Key {
            name: "core_dumps",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether a crash may leave the process's memory on the disk, where the machine allows it.",
        },
        Key {
            name: "reload",
            kind: "`overlap` or `hold`",
            default: "\"overlap\"",
            doc: "How a new release comes in: beside the old one, or after its end while requests wait, for an app that may not run twice.",
        },
        Key {
            name: "release_command",
            kind: "text, or list of program and arguments",
            default: "(none)",
            doc: "Run once before the workers of a new release, such as migrations; if it fails, the old release stays.",
        },
        Key {
            name: "release_timeout",
            kind: "duration",
            default: "\"10m\"",
            doc: "How long the release command may take.",
        },
    ],
    aliases: &[
        ("script", "command"),
        ("exec", "command"),
        ("run", "command"),
        ("instances", "workers"),
        ("processes", "workers"),
        ("environment", "env"),
        ("wait_ready", "ready"),
        ("listen_timeout", "start_timeout"),
        ("kill_retry_time", "kill_timeout"),
        ("stop_timeout", "kill_timeout"),
        ("max_restarts", "give_up"),
        ("probe", "liveness"),
        ("healthcheck", "liveness"),
        ("uid", "user"),
        ("gid", "group"),
        ("nofile", "open_files"),
        ("stop_signal", "kill_signal"),
        ("pre_deploy", "release_command"),
        ("release", "release_command"),
        ("directory", "cwd"),
        ("name", "[app.NAME]"),
    ],
    example: "\
[app.api]
command = \"node dist/server.js\"
workers = 2
env = { LOG_LEVEL = \"info\" }
",
};

pub(crate) fn read(name: String, section: Reader<'_>, preset: Preset) -> AppSettings {
    let target = section
        .item("command")
        .and_then(|item| command(&item))
        .unwrap_or_else(|| Target::Path(PathBuf::from(".")));
    let mut app = AppSettings::new(name, target, PathBuf::new(), preset);
    app.options.cwd = section.path_behind("cwd");
    app.listen = section.get("listen");
    let options = &mut app.options;
    if let Some(item) = section.item("env") {
        options.env = environment(&item);
    }
    section.set("workers", &mut options.workers);
    options.port = section.get_within("port", &(1..=u16::MAX));
    section.set("ready", &mut options.ready);
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    section.set_within("start_timeout", &bounds, &mut options.start_timeout);
    section.set("kill_signal", &mut options.kill_signal);
    section.set_within("kill_timeout", &bounds, &mut options.kill_timeout);
    section.set_within("drain_timeout", &bounds, &mut options.drain_timeout);
    let or_never = Duration::ZERO..=Duration::from_hours(24);
    section.set_within("hang_timeout", &or_never, &mut options.hang_timeout);
    if let Some(true) = section.get("liveness") {
        options.liveness = Liveness::Asked;
    }
    if let Some(gives_up) = section.get("give_up") {
        options.give_up = if gives_up {
            GiveUp::InCrashLoop
        } else {
            GiveUp::Never
        };
    }
    options.user = account(&section, "user");
    options.group = account(&section, "group");
    let counts = 16..=1_048_576_u32;
    let limits = &mut options.limits;
    limits.open_files = section.get_within("open_files", &counts).map(u64::from);
    limits.processes = section.get_within("processes", &counts).map(u64::from);
    if let Some(true) = section.get("core_dumps") {
        limits.core_dumps = CoreDumps::Inherited;
    }
    let release = &mut app.release;
    section.set("reload", &mut release.mode);
    release.command = section
        .item("release_command")
        .and_then(|item| command(&item));
    section.set_within("release_timeout", &bounds, &mut release.timeout);
    section.finish();
    app
}

fn command(item: &Item<'_>) -> Option<Target> {
    let target = if item.is_list() {
        let elements = item.elements();
        let words: Vec<String> = elements.iter().filter_map(String::read).collect();
        if words.len() < elements.len() {
            return None;
        }
        Target::Arguments(words)
    } else {
        Target::Command(String::read(item)?)
    };
    let is_empty = match &target {
        Target::Command(line) => line.trim().is_empty(),
        Target::Arguments(words) => words.first().is_none_or(String::is_empty),
        Target::Path(_) => false,
    };
    if is_empty {
        item.reject(BadValue::new(
            "a command",
            "what is typed to start the app, such as `\"node server.js\"`",
        ));
        return None;
    }
    Some(target)
}

/// Variables: texts, or numbers and `true`/`false` as they are written.
fn environment(item: &Item<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(table) = item.value.get_ref().as_table() else {
        item.reject(BadValue::new("a section", "`{ NAME = \"text\" }`"));
        return variables;
    };
    for (name, value) in table {
        let path = format!("{}.{}", item.path, name.get_ref());
        if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
            item.report.push_at(
                name.span(),
                Problem::new(format!("`{path}` cannot name a variable"))
                    .expected("a name without `=` and NUL"),
            );
            continue;
        }
        let text = match value.get_ref() {
            DeValue::String(text) if !text.contains('\0') => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            _ => {
                let problem = Problem::new(format!("`{path}` is not a text"))
                    .expected("text in quotes without NUL: `\"…\"`");
                item.report.push_at(value.span(), problem);
                continue;
            }
        };
        item.report.set_place(path, value.span());
        variables.insert(name.get_ref().to_string(), text);
    }
    variables
}
