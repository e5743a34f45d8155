//! Every file in `cases` is a settings file, a line of dashes, and what must come of it: the
//! settings that differ from the defaults, or the complaint. `UPDATE=1` writes what came of it.
//!
//! Lines `#$ NAME=value` set the environment, `#$ --flag value` a flag, `#$ run WORDS` the target. What stands below
//! `#$ file NAME` is another file, beside `/srv/shop/mainstay.toml`.

mod golden;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mainstay_config::{
    Flags, InForce, Included, Preset, Reachable, Settings, SourceFile, Sources, Style, load, render,
};
use mainstay_supervisor::launch::Target;
use serde_json::Value;

/// Stands for a key's hash that is not shown.
const KEY: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// Stands for a password's.
const PASSWORD: &str = "$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS";

#[test]
fn every_case_comes_out_as_written() {
    golden::expect_cases("tests/cases", 20, outcome);
}

fn outcome(input: &str) -> String {
    let sources = sources(input);
    match load(&sources) {
        Ok(settings) => {
            can_be_written_down(&settings, &sources);
            dump(&settings)
        }
        Err(problems) => render(&problems, &sources, Style::Plain),
    }
}

fn sources(input: &str) -> Sources {
    let mut parts = input.split("#$ file ");
    let input = parts.next().unwrap_or_default();
    let others: BTreeMap<PathBuf, Vec<u8>> = parts
        .map(|part| part.split_once('\n').expect("a line of its own"))
        .map(|(name, text)| (Path::new("/srv/shop").join(name), text.into()))
        .collect();
    let mut flags = Flags::default();
    let mut environment = BTreeMap::new();
    for line in input.lines().filter_map(|line| line.strip_prefix("#$ ")) {
        if let Some(words) = line.strip_prefix("run ") {
            flags.target = Some(if words.contains(' ') {
                Target::Arguments(words.split(' ').map(str::to_owned).collect())
            } else {
                Target::Path(words.into())
            });
        } else if let Some((flag, text)) = line.strip_prefix("--").and_then(|f| f.split_once(' ')) {
            let slot = match flag {
                "listen" => &mut flags.listen,
                "observe" => &mut flags.observe,
                "workers" => &mut flags.workers,
                "preset" => &mut flags.preset,
                "without" => &mut flags.without,
                "env" => &mut flags.env,
                "name" => &mut flags.name,
                "upstream" => &mut flags.upstream,
                other => panic!("no flag --{other}"),
            };
            *slot = Some(text.to_owned());
        } else {
            let (name, text) = line.split_once('=').expect("NAME=value");
            environment.insert(name.to_owned(), text.to_owned());
        }
    }
    let file = SourceFile::new("mainstay.toml", "/srv/shop", input.into());
    Sources {
        included: Included::by(&file, &others),
        reachable: Reachable::Memory(others),
        file: Some(file),
        environment,
        flags,
        folder: "/srv/shop".into(),
    }
}

/// What is in force, written as a file, is in force again.
fn can_be_written_down(settings: &Settings, sources: &Sources) {
    let mut text = String::new();
    for line in settings.effective() {
        let path = &line.path;
        if let InForce::Value(value) = line.value {
            let _ = writeln!(text, "{path} = {value}");
        } else if line.value == InForce::Hidden && path.contains("auth.") {
            // somebody must be named, and any hash does
            let hash = if path.contains(".key.") {
                KEY
            } else {
                PASSWORD
            };
            let _ = writeln!(text, "{path} = \"{hash}\"");
        } else if line.value == InForce::Hidden && path == "store" {
            let _ = writeln!(text, "{path} = \"rediss://elsewhere\"");
        }
    }
    let again = load(&Sources {
        file: Some(SourceFile::new(
            "mainstay.toml",
            "/srv/shop",
            text.clone().into(),
        )),
        folder: "/srv/shop".into(),
        reachable: sources.reachable.clone(),
        environment: others_environment(sources),
        ..Sources::default()
    });
    let again = again.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let values = |settings: &Settings| {
        let lines = settings.effective().into_iter();
        let shown = lines.filter(|line| line.value != InForce::Hidden);
        shown.collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(settings), "{text}");
}

/// The environment without what says settings itself.
fn others_environment(sources: &Sources) -> BTreeMap<String, String> {
    let all = sources.environment.clone().into_iter();
    all.filter(|(name, _)| !name.starts_with("MAINSTAY_"))
        .collect()
}

/// One line for each value that differs from what an empty file gives. Apps and the like are
/// listed by name, each with what differs from the app that an empty file gives.
fn dump(settings: &Settings) -> String {
    let empty = load(&Sources {
        folder: "/srv/shop".into(),
        ..Sources::default()
    });
    let empty = empty.expect("an empty file is sound");
    assert_eq!(empty.preset, Preset::Safe);
    let json = |settings: &Settings| serde_json::to_value(settings).expect("serialisable");
    let again: Settings = serde_json::from_value(json(settings)).expect("what was written");
    assert_eq!(again, *settings, "settings survive the way to the gateway");

    let (plain, found) = (flat(&json(&empty)), flat(&json(settings)));
    let default_of = |path: &str| match path.split_once(':') {
        // `apps.0:api.port` is compared with the port of the default app
        Some((kind, rest)) => {
            let (kind, field) = (kind.split('.').next(), rest.split_once('.').map(|(_, f)| f));
            let (kind, field) = (kind.unwrap_or_default(), field.unwrap_or_default());
            let known = plain.iter().find(|(path, _)| {
                path.starts_with(kind) && path.contains(':') && path.ends_with(&format!(".{field}"))
            });
            known.map(|(_, value)| value)
        }
        None => plain.get(path),
    };
    let mut text = String::new();
    for (path, value) in &found {
        if default_of(path) != Some(value) && (!path.contains(':') || value != "null") {
            let _ = writeln!(text, "{path} = {value}");
        }
    }
    for path in plain.keys().filter(|path| !path.contains(':')) {
        if !found.contains_key(path) && !found.keys().any(|other| other.starts_with(path)) {
            let _ = writeln!(text, "{path} is gone");
        }
    }
    if text.is_empty() {
        text.push_str("the defaults\n");
    }
    text
}

fn name_of(element: &Value) -> Option<&str> {
    let options = element.get("options").unwrap_or(element);
    options.get("name")?.as_str()
}

fn flat(value: &Value) -> BTreeMap<String, String> {
    fn walk(path: String, value: &Value, out: &mut BTreeMap<String, String>) {
        let join = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            }
        };
        match value {
            // A duration: seconds and nanoseconds.
            Value::Object(map) if map.contains_key("nanos") => {
                let part = |name: &str| map[name].as_u64().unwrap_or_default();
                let seconds = part("secs");
                let milliseconds = part("nanos") / 1_000_000;
                let text = match milliseconds {
                    0 => format!("{seconds}s"),
                    _ => format!("{seconds}s{milliseconds}ms"),
                };
                out.insert(path, text);
            }
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    walk(join(name), value, out);
                }
            }
            Value::Array(list) if list.iter().any(Value::is_object) => {
                for (index, value) in list.iter().enumerate() {
                    let index = match name_of(value) {
                        Some(name) => format!("{index}:{name}"),
                        None => index.to_string(),
                    };
                    walk(join(&index), value, out);
                }
            }
            value => {
                out.insert(path, value.to_string());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(String::new(), value, &mut out);
    out
}
