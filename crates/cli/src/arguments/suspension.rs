//! The words of `mainstay pause` and `mainstay maintenance`.

use clap::{Args, ValueEnum};

use super::Which;

/// `mainstay pause`.
#[derive(Args)]
pub(crate) struct Pause {
    /// How long, from 1s to 1h; `mainstay resume` ends it sooner
    #[arg(long = "for", value_name = "TIME", default_value = "30s")]
    pub(crate) time: String,
    /// How long one request waits before it is answered with 503, from 100ms to 5m
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) deadline: String,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay maintenance`.
#[derive(Args)]
pub(crate) struct Maintenance {
    /// Begin or end it
    #[arg(value_enum, value_name = "on|off", hide_possible_values = true)]
    pub(crate) switch: Switch,
    /// How long, such as `30m`, from 1s to 30d; until `off` or the instance's end if not given
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// Whether something shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}
