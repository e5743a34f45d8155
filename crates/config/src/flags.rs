//! What was said on the command line, as it was typed. Parsing the command line is not here;
//! checking what the flags say is, so that all complaints look alike.

use std::path::PathBuf;

use mainstay_supervisor::launch::Target;
use serde::{Deserialize, Serialize};

/// The flags that change settings. Each holds the text as typed. A running instance keeps them: they are in force
/// whenever the settings are read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// `-c`, `--config FILE`: the file to read instead of `mainstay.toml`.
    pub config: Option<PathBuf>,
    /// `--listen ADDR`, or several with commas.
    pub listen: Option<String>,
    /// `--observe ADDR`.
    pub observe: Option<String>,
    /// `-n`, `--workers N|auto|max`.
    pub workers: Option<String>,
    /// `--preset off|safe|strict`.
    pub preset: Option<String>,
    /// `--without LAYER,…`.
    pub without: Option<String>,
    /// `--env NAME`: the profile that is laid over the file.
    #[serde(default)]
    pub env: Option<String>,
    /// `--only NAME,…`: the apps of an ecosystem file that are meant.
    #[serde(default)]
    pub only: Option<String>,
    /// `--name NAME` of the instance.
    pub name: Option<String>,
    /// `--upstream ADDR`, or several with commas.
    pub upstream: Option<String>,
    /// What to run, when it was named.
    pub target: Option<Target>,
}
