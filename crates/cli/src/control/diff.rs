//! What a reload would change, in words: settings with where they stand, then what that means for workers and gateway.
//! Changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_config::{Effective, InForce, Settings};
use mainstay_supervisor::count;

use super::changes::{Change, Changes};
use super::fronts;
use super::state::{Control, threads};
use crate::failure::Failure;
use crate::order::{Ending, Order};

/// Where each setting that somebody gave came from.
type Places = BTreeMap<String, String>;

impl Control {
    /// Loads the settings as a reload would, and compares.
    pub(super) fn diff(&self) -> Ending {
        let told = self.origin.load().and_then(|(wanted, places)| {
            let changed = settings(&self.settings, &wanted, &self.places, &places);
            if changed.is_empty() {
                return Ok("nothing has changed".to_owned());
            }
            Ok(format!("{changed}\n{}", self.consequences(&wanted)?))
        });
        told.map_or_else(Ending::from, Ending::well)
    }

    /// What `mainstay reload --settings` would do.
    fn consequences(&self, wanted: &Settings) -> Result<String, Failure> {
        let changes = Changes::between(&self.name, &self.settings, wanted, &Order::Settings)?;
        let mut text = String::from("`mainstay reload --settings` would do this:\n");
        for (app, change) in &changes.apps {
            let (name, workers) = (app.name(), count::workers(app.options.workers));
            let _ = match change {
                Change::Start => writeln!(text, "  app `{name}` starts"),
                Change::Replace => writeln!(
                    text,
                    "  app `{name}` gets a new release: all its workers are replaced"
                ),
                Change::Scale => writeln!(
                    text,
                    "  app `{name}` gets {workers} workers; those that stay are not touched"
                ),
                Change::Adopt => writeln!(text, "  workers of app `{name}` are not touched"),
            };
        }
        for app in &changes.gone {
            let _ = writeln!(text, "  app `{app}` ends");
        }
        let listens = |settings| fronts::written(settings, self.asked.as_ref());
        let moves = listens(&self.settings) != listens(wanted);
        text.push_str(match (moves, threads(wanted) != self.threads) {
            (true, _) => "  the gateway is replaced, since it listens elsewhere; connections finish on the old one",
            (false, true) => "  the gateway is replaced, since it gets other threads; connections finish on the old one",
            (false, false) => "  the running gateway takes the settings over; connections stay",
        });
        Ok(text)
    }
}

/// One line for each setting that differs; none if nothing does.
fn settings(present: &Settings, wanted: &Settings, before: &Places, after: &Places) -> String {
    let place = |places: &Places, path: &str| {
        let place = places.get(path).or_else(|| places.get("preset"));
        place.map_or("preset", String::as_str).to_owned()
    };
    let mut text = String::new();
    let old = by_path(present);
    let new = by_path(wanted);
    for Effective { path, value } in wanted.effective() {
        let line = match old.get(&path) {
            None => format!("+ {path} = {value}"),
            Some(known) if *known != new[&path] => match &value {
                InForce::Hidden => format!("~ {path} has another value (not shown)"),
                _ => format!("~ {path}: {} → {value}", shown(known)),
            },
            Some(_) => continue,
        };
        let _ = writeln!(text, "{line}  # {}", place(after, &path));
    }
    for Effective { path, value } in present.effective() {
        if !new.contains_key(&path) {
            let _ = writeln!(text, "- {path} = {value}  # was {}", place(before, &path));
        }
    }
    text
}

/// What holds, with what is only compared and never shown.
type Held = (InForce, Option<String>);

fn shown((value, _): &Held) -> String {
    value.to_string()
}

fn by_path(settings: &Settings) -> BTreeMap<String, Held> {
    let hidden = settings.apps.iter().flat_map(|app| {
        let variables = app.options.env.iter();
        variables.map(|(name, text)| (format!("app.{}.env.{name}", app.name()), text.clone()))
    });
    let hidden: BTreeMap<String, String> = hidden.collect();
    let lines = settings.effective().into_iter();
    lines
        .map(|line| {
            let secret = hidden.get(&line.path).cloned();
            (line.path, (line.value, secret))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use mainstay_config::{SourceFile, Sources, explain};

    use super::*;

    fn load(text: &str) -> (Settings, Places) {
        let sources = Sources {
            file: Some(SourceFile::new("mainstay.toml", "/srv", text.into())),
            folder: "/srv".into(),
            ..Sources::default()
        };
        let loaded = explain(&sources).expect("sound");
        (loaded.settings, loaded.origins.places())
    }

    #[test]
    fn each_difference_is_a_line_with_its_place_and_no_secret() {
        let (present, before) = load(
            "[app.a]\nenv = { KEY = \"hunter2\", OLD = \"x\" }\nworkers = 1\n[limits]\nqueue = 5\n",
        );
        let (wanted, after) = load(
            "[app.a]\nenv = { KEY = \"hunter3\" }\nworkers = 2\n[headers]\nx-frame-options = \"DENY\"\n",
        );
        let text = settings(&present, &wanted, &before, &after);
        for line in [
            "~ app.a.workers: 1 → 2  # mainstay.toml:3:11",
            "~ app.a.env.KEY has another value (not shown)  # mainstay.toml:2:15",
            "~ limits.queue: 5 → 1000  # preset",
            "~ headers.x-frame-options: false → \"DENY\"  # mainstay.toml:5:19",
            "- app.a.env.OLD = (not shown)  # was mainstay.toml:2:32",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(settings(&present, &present, &before, &before), "");
    }
}
