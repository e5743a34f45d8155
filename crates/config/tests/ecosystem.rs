//! Every file in `ecosystem` is what an ecosystem file says, as JSON, a line of dashes, and what must come of it: the
//! lines of a settings file, each with the field it came from, and what is lost; or the complaint. `UPDATE=1` writes what
//! came of it.
//!
//! Lines `#$ --flag value` before the JSON are flags, `#$ file NAME BEGINNING` a script that is there.

mod golden;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mainstay_config::ecosystem::{Choice, Ecosystem, Machine, translate};
use mainstay_config::{Flags, Sources, Style, explain, render};
use proptest::prelude::*;
use serde_json::{Map, Value};

const NAME: &str = "ecosystem.config.js";

#[test]
fn every_case_comes_out_as_written() {
    golden::expect_cases("tests/ecosystem", 10, outcome);
}

fn outcome(input: &str) -> String {
    let mut flags = Flags::default();
    let mut scripts = BTreeMap::new();
    let mut json = String::new();
    for line in input.lines() {
        let Some(words) = line.strip_prefix("#$ ") else {
            json.push_str(line);
            json.push('\n');
            continue;
        };
        let (what, text) = words.split_once(' ').expect("a flag and its value");
        match what {
            "--env" => flags.env = Some(text.to_owned()),
            "--only" => flags.only = Some(text.to_owned()),
            "file" => {
                let (name, beginning) = text.split_once(' ').expect("a name and a beginning");
                scripts.insert(
                    Path::new("/srv/shop").join(name),
                    beginning.as_bytes().to_vec(),
                );
            }
            other => panic!("no flag {other}"),
        }
    }
    let value = serde_json::from_str(&json).expect("JSON");
    come_to(value, flags, &scripts)
}

/// What comes of it, in words.
fn come_to(value: Value, flags: Flags, scripts: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    let file = Ecosystem {
        name: NAME.to_owned(),
        folder: "/srv/shop".into(),
        value,
    };
    let choice = Choice {
        env: flags.env.clone(),
        only: flags.only.clone(),
    };
    let beginning = |path: &Path| scripts.get(path).cloned();
    let machine = Machine {
        processors: 4,
        beginning: &beginning,
    };
    let bare = |problems| render(&problems, &Sources::default(), Style::Plain);
    let translation = match translate(&file, &choice, &machine) {
        Ok(translation) => translation,
        Err(problems) => return bare(problems),
    };
    let source = translation.lines.into_file(NAME, &file.folder);
    let sources = Sources::of_ecosystem(source, flags, BTreeMap::new(), "/home/me".into());
    let loaded = match explain(&sources) {
        Ok(loaded) => loaded,
        Err(problems) => return render(&problems, &sources, Style::Plain),
    };
    let places = loaded.origins.places();
    let mut text = String::new();
    for line in loaded.settings.effective() {
        let place = places.get(&line.path).map(String::as_str);
        let Some(place) = place.and_then(|place| place.strip_prefix(NAME)) else {
            continue;
        };
        let shown = match line.path.split_once(".env.") {
            Some((app, name)) => {
                let name_of = |path: &str| path.trim_start_matches("app.").to_owned();
                let mut apps = loaded.settings.apps.iter();
                let app = apps
                    .find(|known| known.name() == name_of(app))
                    .expect("it is there");
                format!("{:?}", app.options.env[name])
            }
            None => line.value.to_string(),
        };
        let _ = writeln!(text, "{} = {shown}  #{place}", line.path);
    }
    for note in translation.notes {
        let _ = writeln!(text, "> {}: {}", note.what.join(", "), note.why);
    }
    text
}

/// Any JSON, with the names of fields among its keys more often than chance would have it.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop_oneof![Just("max"), Just("server.js"), Just("none"), Just("1G")].prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("apps"),
        Just("script"),
        Just("name"),
        Just("instances"),
        Just("env"),
        Just("env_production"),
        Just("args"),
        Just("cwd"),
        Just("kill_timeout"),
        Just("wait_ready"),
        Just("interpreter"),
        Just("uid"),
        Just("watch"),
        Just("port"),
        Just("max_memory_restart"),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        let names = prop_oneof![names.clone().prop_map(str::to_owned), "[ -~]{0,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..8)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    /// Whatever stands there, it comes to settings or to complaints, and never to text that is no settings file.
    #[test]
    fn no_value_makes_it_panic(value in anything()) {
        let text = come_to(value, Flags::default(), &BTreeMap::new());
        prop_assert!(!text.contains("is not TOML"), "{}", text);
        prop_assert!(!text.contains("is not a setting"), "{}", text);
    }
}
