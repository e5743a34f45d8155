//! What follows `mainstay csp`.

use clap::Args;

use super::Which;

/// `mainstay csp`.
#[derive(Args)]
pub(crate) struct Csp {
    /// `suggest` a policy as a block for mainstay.toml, or list the `reports`
    #[arg(
        value_enum,
        value_name = "suggest|reports",
        hide_possible_values = true
    )]
    pub(crate) wish: CspWish,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// What is to be told of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CspWish {
    /// A policy.
    Suggest,
    /// Each kind of violation.
    Reports,
}
