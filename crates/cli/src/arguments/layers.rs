//! The words of `mainstay disable` and `mainstay enable`.

use clap::Args;

use super::Which;

/// `mainstay disable`.
#[derive(Args)]
pub(crate) struct Disable {
    /// The layer, such as `headers`: those that `--without` knows
    #[arg(value_name = "LAYER")]
    pub(crate) layer: String,
    /// How long, such as `30m`, from 1s to 30d; until `mainstay enable` or the instance's end if not given
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay enable`.
#[derive(Args)]
pub(crate) struct Enable {
    /// The layer, such as `headers`
    #[arg(value_name = "LAYER")]
    pub(crate) layer: String,
    #[command(flatten)]
    pub(crate) which: Which,
}
