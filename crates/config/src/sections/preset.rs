//! The presets and the layers they switch. What a layer does is not here.

use std::fmt;
use std::str::FromStr;

use mainstay_values::BadValue;
use serde::{Deserialize, Serialize};

use crate::word::{self, Word};

/// How much protection is on when nothing more is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Nothing is added to what the app sends.
    Off,
    /// What breaks no correct app.
    #[default]
    Safe,
    /// What a careful team would set by hand; may need exceptions.
    Strict,
}

impl Word for Preset {
    const WANTED: &'static str = "a preset";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("safe", Self::Safe),
        ("strict", Self::Strict),
    ];
}

/// A layer that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The health endpoints; their paths reach the app like any other.
    Health,
    /// What is kept of answers.
    Cache,
    /// Content codings of answers.
    Compress,
    /// The bounds on what is under way.
    Overload,
    /// Which other sites' pages may read answers.
    Cors,
    /// Networks, hosts, methods, hidden files and traps.
    Filter,
    /// Who may come: without it everybody may.
    Auth,
    /// The limits on rates.
    RateLimit,
    /// The bound on bodies.
    Body,
    /// The security headers.
    Headers,
    /// What is done about errors of apps, and the own pages.
    Errors,
}

impl Word for Layer {
    const WANTED: &'static str = "a layer";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("health", Self::Health),
        ("cache", Self::Cache),
        ("compress", Self::Compress),
        ("overload", Self::Overload),
        ("cors", Self::Cors),
        ("filter", Self::Filter),
        ("auth", Self::Auth),
        ("rate_limit", Self::RateLimit),
        ("body", Self::Body),
        ("headers", Self::Headers),
        ("errors", Self::Errors),
    ];
}

/// By its word, as settings and commands name it.
impl FromStr for Layer {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        word::read(text)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word::print(*self))
    }
}
