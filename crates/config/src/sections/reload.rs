//! How a release takes the place of another. Replaces nothing.

use std::time::Duration;

use mainstay_values::BadValue;
use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::Value;
use crate::word::Word;

/// How a release takes the place of another, in every app alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSettings {
    /// How long new workers must stay up with real requests before old ones leave, 0 to an hour.
    pub settle: Duration,
    /// How many new workers may run beside the old ones at once.
    pub max_surge: Surge,
}

impl Default for ReloadSettings {
    fn default() -> Self {
        Self {
            // most of what is wrong with a release shows with its first requests
            settle: Duration::from_secs(1),
            max_surge: Surge::Percent(25),
        }
    }
}

/// So many workers at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Surge {
    /// Exactly so many, 1 to 1024.
    Workers(u32),
    /// This part of the app's workers, rounded up, 1 to 100.
    Percent(u32),
}

impl Surge {
    /// How many of `workers` that is, at least one.
    #[must_use]
    pub fn of(self, workers: u32) -> u32 {
        match self {
            Self::Workers(count) => count.max(1),
            Self::Percent(part) => workers.saturating_mul(part).div_ceil(100).max(1),
        }
    }
}

impl Value for Surge {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        let (number, most, of) = match text.strip_suffix('%') {
            Some(part) => (part, 100, Self::Percent as fn(u32) -> Self),
            None => (text, 1_024, Self::Workers as fn(u32) -> Self),
        };
        match number.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(of(number)),
            _ => Err(BadValue::new(
                "a number of workers",
                "1 to 1024, or `1%` to `100%` of the app's",
            )),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Workers(count) => count.to_string(),
            Self::Percent(part) => format!("{part}%"),
        }
    }
}

/// Whether two releases of an app may run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadMode {
    /// New workers come up beside the old ones.
    #[default]
    Overlap,
    /// The old ones end first; requests wait meanwhile.
    Hold,
}

impl Word for ReloadMode {
    const WANTED: &'static str = "a way to reload";
    const WORDS: &'static [(&'static str, Self)] =
        &[("overlap", Self::Overlap), ("hold", Self::Hold)];
}

pub(crate) const SECTION: Section = Section {
    heading: "[reload]",
    doc: "How a new release takes the place of the old one: see [releases](operations/reload.md).",
    keys: &[
        Key {
            name: "settle",
            kind: "duration, up to 1h",
            default: "\"1s\"",
            doc: "How long new workers must stay up with real requests before old ones leave.",
        },
        Key {
            name: "max_surge",
            kind: "1 to 1024, or `1%` to `100%`",
            default: "\"25%\"",
            doc: "How many new workers run beside the old ones at once, at least one: what memory must be there for.",
        },
    ],
    aliases: &[
        ("batch", "max_surge"),
        ("batch_size", "max_surge"),
        ("surge", "max_surge"),
        ("min_uptime", "settle"),
    ],
    example: "\
[reload]
settle = \"10s\"              # failures that take a while to show
max_surge = 1               # little memory to spare
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut ReloadSettings) {
    let bounds = Duration::ZERO..=Duration::from_hours(1);
    section.set_within("settle", &bounds, &mut slot.settle);
    section.set("max_surge", &mut slot.max_surge);
    section.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surge_is_at_least_one_worker() {
        for (surge, workers, expected) in [
            (Surge::Percent(25), 1, 1),
            (Surge::Percent(25), 4, 1),
            (Surge::Percent(25), 5, 2),
            (Surge::Percent(100), 8, 8),
            (Surge::Workers(3), 1, 3),
            (Surge::Percent(1), 0, 1),
        ] {
            assert_eq!(surge.of(workers), expected, "{surge:?} of {workers}");
        }
    }
}
