//! The words of commands that ask a running instance how it stands, or order a reload.

use std::path::PathBuf;

use clap::Args;

use super::Which;

/// `mainstay reload`.
#[derive(Args)]
pub(crate) struct Reload {
    /// Apps that get a new release, by name, id, namespace or `/regex/`; all if none is named
    #[arg(value_name = "TARGET")]
    pub(crate) apps: Vec<String>,
    /// Bring in only what changed in the settings
    #[arg(long, conflicts_with_all = ["apps", "gateway"])]
    pub(crate) settings: bool,
    /// Replace the gateway by a new one on the same sockets
    #[arg(long, conflicts_with = "apps")]
    pub(crate) gateway: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay upgrade`.
#[derive(Args)]
pub(crate) struct Upgrade {
    /// The new program; without it, what is now in the file of the one that runs
    #[arg(value_name = "BINARY")]
    pub(crate) binary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay status`.
#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// `mainstay diff`.
#[derive(Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// `mainstay crashes`.
#[derive(Args)]
pub(crate) struct Crashes {
    /// Of this app only
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// For programs, with all lines that are kept
    #[arg(long)]
    pub(crate) json: bool,
}
