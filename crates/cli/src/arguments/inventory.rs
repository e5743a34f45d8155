//! The words of the commands for what runs in the background: one app changed, everything listed, a unit made.

use clap::Args;

use super::Which;

/// `mainstay scale`.
#[derive(Args)]
pub(crate) struct Scale {
    /// The app
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// How many workers, how many more or fewer, or `auto` for what the settings say
    #[arg(value_name = "N|+N|-N|auto", allow_hyphen_values = true)]
    pub(crate) count: String,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay signal`.
#[derive(Args)]
pub(crate) struct Signal {
    /// An app, an instance, an id, a namespace, `/regex/` or `all`
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Such as `SIGUSR2`
    #[arg(value_name = "SIGNAL")]
    pub(crate) spelled: String,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay startup`.
#[derive(Args)]
pub(crate) struct Startup {
    /// An instance that was started in the background; that of ./mainstay.toml if none is named
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print the unit and what would be done with it, and do nothing
    #[arg(long)]
    pub(crate) print: bool,
}

/// `mainstay unstartup`.
#[derive(Args)]
pub(crate) struct Unstartup {
    /// The instance
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub(crate) print: bool,
}

/// `mainstay uninstall`.
#[derive(Args)]
pub(crate) struct Uninstall {
    /// Remove log files too
    #[arg(long)]
    pub(crate) purge: bool,
    /// Only list what would be removed
    #[arg(long)]
    pub(crate) print: bool,
}
