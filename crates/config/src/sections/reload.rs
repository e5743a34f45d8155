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
    /// How much of the requests new workers get while they settle. `None`: what falls to them.
    pub share: Option<Percent>,
    /// How many of a new release's answers may be errors while it settles.
    pub max_errors: Percent,
    /// How long 19 of 20 answers of a new release may take at most while it settles, 1 ms to an hour. `None`: as long as
    /// they like.
    pub max_latency: Option<Duration>,
}

impl Default for ReloadSettings {
    fn default() -> Self {
        Self {
            // most of what is wrong with a release shows with its first requests
            settle: Duration::from_secs(1),
            max_surge: Surge::Percent(25),
            share: None,
            // more than a page or two that is broken
            max_errors: Percent(20),
            max_latency: None,
        }
    }
}

/// A part of a whole, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// Nothing beyond 100.
    #[must_use]
    pub const fn new(part: u8) -> Option<Self> {
        if part <= 100 { Some(Self(part)) } else { None }
    }

    /// Of a hundred.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Value for Percent {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.strip_suffix('%')
            .and_then(|part| part.parse().ok())
            .and_then(Self::new)
            .ok_or_else(|| BadValue::new("a part of a hundred", "`0%` to `100%`"))
    }

    fn print(&self) -> String {
        self.to_string()
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
        Key {
            name: "share",
            kind: "`1%` to `100%`",
            default: "(what falls to them as to any other)",
            doc: "About how much of the requests new workers get together while they settle.",
        },
        Key {
            name: "max_errors",
            kind: "`0%` to `100%`",
            default: "\"20%\"",
            doc: "How many of the new workers' answers may be errors (500 and above, or broken off) while they settle; more, at least five, and more than twice the part the old workers have meanwhile, and the old release stays. `100%` for never.",
        },
        Key {
            name: "max_latency",
            kind: "duration, 1ms to 1h",
            default: "(as long as they take)",
            doc: "How long the new workers may take to begin 19 of 20 answers while they settle; longer, and for more than twice the part of answers for which the old workers take as long meanwhile, and the old release stays.",
        },
    ],
    aliases: &[
        ("batch", "max_surge"),
        ("batch_size", "max_surge"),
        ("surge", "max_surge"),
        ("min_uptime", "settle"),
        ("canary", "share"),
        ("error_rate", "max_errors"),
        ("latency", "max_latency"),
        ("max_response_time", "max_latency"),
    ],
    example: "\
[reload]
settle = \"10s\"              # failures that take a while to show
max_surge = 1               # little memory to spare
share = \"10%\"               # not many shall meet it before it has shown itself
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut ReloadSettings) {
    let bounds = Duration::ZERO..=Duration::from_hours(1);
    section.set_within("settle", &bounds, &mut slot.settle);
    section.set("max_surge", &mut slot.max_surge);
    let something = Percent(1)..=Percent(100);
    slot.share = section.get_within("share", &something);
    section.set("max_errors", &mut slot.max_errors);
    let times = Duration::from_millis(1)..=Duration::from_hours(1);
    slot.max_latency = section.get_within("max_latency", &times);
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
