//! How two sets of settings differ and what follows from it, as lines for people and as JSON for programs. Compares
//! nothing.

use std::fmt::Write as _;

use mainstay_config::InForce;
use serde_json::{Value, json};

use super::changes::Change;

/// All that a reload of the settings would change.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// In the order of the file; those that are gone follow. Empty: nothing has changed.
    pub(super) settings: Vec<SettingChange>,
    pub(super) apps: Vec<AppChange>,
    /// None: nothing has changed.
    pub(super) gateway: Option<GatewayChange>,
}

/// One setting that differs.
#[derive(Debug)]
pub(super) struct SettingChange {
    pub(super) path: String,
    /// None: it is new.
    pub(super) before: Option<InForce>,
    /// None: it is gone.
    pub(super) after: Option<InForce>,
    /// Where it stands; where it stood, if it is gone.
    pub(super) place: String,
}

/// What becomes of an app.
#[derive(Debug)]
pub(super) struct AppChange {
    pub(super) name: String,
    /// How many workers it has then.
    pub(super) workers: u32,
    /// None: it ends.
    pub(super) change: Option<Change>,
}

/// What becomes of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayChange {
    /// The running one takes the settings over.
    Told,
    /// Another takes its place, since it listens elsewhere.
    Moved,
    /// Another takes its place, since it has more or fewer threads.
    Resized,
}

impl Difference {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Some(gateway) = self.gateway else {
            return "nothing has changed".to_owned();
        };
        let mut text = String::new();
        for change in &self.settings {
            let _ = writeln!(text, "{}", change.line());
        }
        text.push_str("\n`mainstay reload --settings` would do this:\n");
        for app in &self.apps {
            let _ = writeln!(text, "  {}", app.line());
        }
        text.push_str("  ");
        text.push_str(gateway.line());
        text
    }

    /// For programs: [the page](../../../../docs/operations/reload.md) says what each field is.
    pub(super) fn json(&self) -> Value {
        json!({
            "changed": self.gateway.is_some(),
            "settings": self.settings.iter().map(SettingChange::json).collect::<Vec<_>>(),
            "apps": self.apps.iter().map(AppChange::json).collect::<Vec<_>>(),
            "gateway": self.gateway.map(GatewayChange::word),
        })
    }
}

impl SettingChange {
    fn line(&self) -> String {
        let Self {
            path,
            before,
            after,
            place,
        } = self;
        match (before, after) {
            (_, Some(InForce::Hidden)) if before.is_some() => {
                format!("~ {path} has another value (not shown)  # {place}")
            }
            (Some(before), Some(after)) => format!("~ {path}: {before} → {after}  # {place}"),
            (None, Some(after)) => format!("+ {path} = {after}  # {place}"),
            (Some(before), None) => format!("- {path} = {before}  # was {place}"),
            (None, None) => String::new(),
        }
    }

    fn json(&self) -> Value {
        let shown = |value: &Option<InForce>| match value {
            Some(InForce::Value(text)) => Some(text.clone()),
            Some(InForce::Unsaid(_) | InForce::Hidden) | None => None,
        };
        let change = match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        let hidden = [&self.before, &self.after].contains(&&Some(InForce::Hidden));
        json!({
            "path": self.path, "change": change, "before": shown(&self.before), "after": shown(&self.after),
            "hidden": hidden, "origin": self.place,
        })
    }
}

impl AppChange {
    fn line(&self) -> String {
        let Self { name, workers, .. } = self;
        match self.change {
            None => format!("app `{name}` ends"),
            Some(Change::Start | Change::Again) => format!("app `{name}` starts"),
            Some(Change::Replace | Change::Restart) => {
                format!("app `{name}` gets a new release: all its workers are replaced")
            }
            Some(Change::Scale) => {
                format!("app `{name}` gets {workers} workers; those that stay are not touched")
            }
            Some(Change::Adopt) => format!("workers of app `{name}` are not touched"),
        }
    }

    fn json(&self) -> Value {
        let change = match self.change {
            None => "end",
            Some(Change::Start | Change::Again) => "start",
            Some(Change::Replace | Change::Restart) => "replace",
            Some(Change::Scale) => "scale",
            Some(Change::Adopt) => "adopt",
        };
        json!({ "name": self.name, "change": change, "workers": self.workers })
    }
}

impl GatewayChange {
    fn line(self) -> &'static str {
        match self {
            Self::Moved => {
                "the gateway is replaced, since it listens elsewhere; connections finish on the old one"
            }
            Self::Resized => {
                "the gateway is replaced, since it gets other threads; connections finish on the old one"
            }
            Self::Told => "the running gateway takes the settings over; connections stay",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Resized => "resized",
            Self::Told => "told",
        }
    }
}
