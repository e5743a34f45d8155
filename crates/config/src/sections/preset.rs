//! The presets and the layers they switch. What a layer does is not here.

use serde::{Deserialize, Serialize};

use crate::word::Word;

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
    /// The bound on bodies.
    Body,
    /// The security headers.
    Headers,
}

impl Word for Layer {
    const WANTED: &'static str = "a layer";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("health", Self::Health),
        ("body", Self::Body),
        ("headers", Self::Headers),
    ];
}
