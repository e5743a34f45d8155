//! Whose tokens are believed, and which of them. Verifies nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Algorithm;
use crate::Sealed;

/// Where the keys come from that tokens are verified with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A secret shared with the issuer, for HS256 and its kin.
    Secret(Sealed),
    /// Public keys in PEM.
    Public(String),
    /// What the issuer publishes (RFC 7517, 5), fetched now and again.
    Fetched {
        /// Where.
        url: String,
        /// The authorities that are believed over https, in PEM; those of the machine if there are none.
        authorities: Option<String>,
    },
}

/// Whose tokens are believed, and which of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenOptions {
    /// Its name in the settings.
    pub name: String,
    /// What verifies.
    pub keys: KeySource,
    /// The setting that says so and what it says, for whoever explains settings.
    pub source: (String, String),
    /// The file that [`KeySource::Fetched`]'s authorities were read from, for the same.
    pub authorities_file: Option<String>,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// One of these must be among `aud`.
    pub audience: Vec<String>,
    /// The signatures that count; whichever the keys are for if none is named.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// Claims that must be there.
    pub required: Vec<String>,
    /// What claims must be, or hold.
    pub matching: BTreeMap<String, String>,
    /// Claims that the app is told, each with its field.
    pub claims: BTreeMap<String, String>,
    /// A cookie in which the token comes too.
    pub cookie: Option<String>,
}
