//! What is written about requests. Writes nothing.

use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// What is written about requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Whether each request leaves a line.
    pub access: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { access: true }
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[log]",
    doc: "What is written about requests.",
    keys: &[Key {
        name: "access",
        kind: "`true` or `false`",
        default: "true",
        doc: "One JSON line for each request.",
    }],
    aliases: &[],
    example: "",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut LogSettings) {
    section.set("access", &mut slot.access);
    section.finish();
}
