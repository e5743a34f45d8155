//! What is run. Starts nothing, and looks at no file of the app.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_supervisor::AppOptions;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{Ready, Workers};
use mainstay_values::{Address, BadValue, Problem};
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};
use crate::word::Word;

/// More processes than one machine serves well.
const MOST_WORKERS: u32 = 1_024;

/// One app to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSettings {
    /// What the supervisor needs to know; the name is unique among apps and upstreams.
    pub options: AppOptions,
    /// An address where only this app answers. `None`: it shares the common ones, by routes.
    pub listen: Option<Address>,
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

/// The words that a file may say; the signs that need an argument are read where they work.
#[derive(Clone, Copy, PartialEq)]
enum ReadyWord {
    Listen,
    Message,
}

impl Word for ReadyWord {
    const WANTED: &'static str = "a sign of readiness";
    const WORDS: &'static [(&'static str, Self)] =
        &[("listen", Self::Listen), ("message", Self::Message)];
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
            default: "(the file's folder)",
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
            kind: "`listen` or `message`",
            default: "\"listen\"",
            doc: "When a worker counts as ready: when it listens, or when it says `process.send('ready')`.",
        },
        Key {
            name: "start_timeout",
            kind: "duration",
            default: "\"1m\"",
            doc: "How long a worker may take to become ready.",
        },
        Key {
            name: "kill_timeout",
            kind: "duration",
            default: "\"10s\"",
            doc: "How long a worker may take to stop before it is killed.",
        },
        Key {
            name: "listen",
            kind: "address",
            default: "(shared with the others, by routes)",
            doc: "An address where only this app answers.",
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
    let cwd = section.get::<String>("cwd").unwrap_or_default();
    let mut app = AppSettings::new(name, target, PathBuf::from(cwd), preset);
    app.listen = section.get("listen");
    let options = &mut app.options;
    if let Some(item) = section.item("env") {
        options.env = environment(&item);
    }
    section.set("workers", &mut options.workers);
    options.port = section.get_within("port", &(1..=u16::MAX));
    if let Some(word) = section.get("ready") {
        options.ready = match word {
            ReadyWord::Listen => Ready::Listen,
            ReadyWord::Message => Ready::Message,
        };
    }
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    section.set_within("start_timeout", &bounds, &mut options.start_timeout);
    section.set_within("kill_timeout", &bounds, &mut options.kill_timeout);
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
        variables.insert(name.get_ref().to_string(), text);
    }
    variables
}
