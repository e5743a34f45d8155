//! What the gateway tells of an answer in `Mainstay-Debug`. Reads it; prints nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How an answer came about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) trail: Vec<String>,
    pub(crate) route: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) origin_us: Option<u64>,
    pub(crate) client: String,
    pub(crate) resends: u8,
    pub(crate) refusal: Option<String>,
    pub(crate) scrubbed: Option<String>,
    /// The step that set each field.
    pub(crate) set: BTreeMap<String, String>,
    /// The step that took out what the app had set.
    pub(crate) removed: BTreeMap<String, String>,
}
