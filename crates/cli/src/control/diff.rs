//! What a reload would change: settings with where they stand, then what that means for workers and gateway. Changes
//! nothing, and words nothing.

use std::collections::BTreeMap;

use mainstay_config::{Effective, InForce, Settings};
use mainstay_supervisor::count;

use super::changes::Changes;
use super::difference::{AppChange, Difference, GatewayChange, SettingChange};
use super::fronts;
use super::reload::keep_what_was_found;
use super::state::{Control, threads};
use crate::failure::Failure;
use crate::order::{Comparison, Ending, Order};

/// Where each setting that somebody gave came from.
type Places = BTreeMap<String, String>;

impl Control {
    /// Loads the settings as a reload would, and compares.
    pub(super) fn diff(&self) -> Comparison {
        match self.difference() {
            Ok(difference) => Comparison {
                ending: Ending::well(difference.text()),
                difference: difference.json(),
            },
            Err(failure) => Comparison {
                ending: failure.into(),
                difference: serde_json::Value::Null,
            },
        }
    }

    fn difference(&self) -> Result<Difference, Failure> {
        let (mut wanted, places) = self.origin.load()?;
        keep_what_was_found(&mut wanted, &self.settings);
        self.by_hand.over(&mut wanted);
        let settings = settings(&self.settings, &wanted, &self.places, &places);
        if settings.is_empty() {
            return Ok(Difference::default());
        }
        let (present, by_hand) = (&self.settings, &self.by_hand);
        let changes = Changes::between(&self.name, present, &wanted, &Order::Settings, by_hand)?;
        let touched = changes.apps.iter().map(|(app, change)| AppChange {
            name: app.name().to_owned(),
            workers: count::workers(app.options.workers),
            change: Some(*change),
        });
        let gone = changes.gone.iter().map(|app| AppChange {
            name: app.clone(),
            workers: 0,
            change: None,
        });
        let listens = |settings| fronts::written(settings, &self.asked);
        let moves = listens(&self.settings) != listens(&wanted);
        Ok(Difference {
            settings,
            apps: touched.chain(gone).collect(),
            gateway: Some(match (moves, threads(&wanted) != self.threads) {
                (true, _) => GatewayChange::Moved,
                (false, true) => GatewayChange::Resized,
                (false, false) => GatewayChange::Told,
            }),
        })
    }
}

/// Each setting that differs.
fn settings(
    present: &Settings,
    wanted: &Settings,
    before: &Places,
    after: &Places,
) -> Vec<SettingChange> {
    let place = |places: &Places, path: &str| {
        let place = places.get(path).or_else(|| places.get("preset"));
        place.map_or("preset", String::as_str).to_owned()
    };
    let old = by_path(present);
    let new = by_path(wanted);
    let there = wanted.effective().into_iter();
    let differs = there.filter(|line| old.get(&line.path) != new.get(&line.path));
    let changed = differs.map(|Effective { path, value }| SettingChange {
        before: old.get(&path).map(|(value, _)| value.clone()),
        after: Some(value),
        place: place(after, &path),
        path,
    });
    let gone = present.effective().into_iter();
    let gone = gone.filter(|line| !new.contains_key(&line.path));
    let gone = gone.map(|Effective { path, value }| SettingChange {
        before: Some(value),
        after: None,
        place: place(before, &path),
        path,
    });
    changed.chain(gone).collect()
}

/// What holds, with what is only compared and never shown.
type Held = (InForce, Option<String>);

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
        let difference = Difference {
            settings: settings(&present, &wanted, &before, &after),
            gateway: Some(GatewayChange::Told),
            ..Difference::default()
        };
        let text = difference.text();
        let (text, _) = text.split_once("\n\n").expect("settings and what follows");
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
        let json = difference.json().to_string();
        assert!(
            json.contains(r#""hidden":true"#) && !json.contains("hunter"),
            "{json}"
        );
        assert!(settings(&present, &present, &before, &before).is_empty());
    }
}
