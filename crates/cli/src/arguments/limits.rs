//! The words of `mainstay limits` and `mainstay unban`.

use clap::Args;

use super::Which;

/// `mainstay limits`.
#[derive(Args)]
pub(crate) struct Limits {
    #[command(flatten)]
    pub(crate) which: Which,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// `mainstay unban`.
#[derive(Args)]
pub(crate) struct Unban {
    /// The client's address, or the key that the policy counts by
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// This policy only, such as `login`
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
}
