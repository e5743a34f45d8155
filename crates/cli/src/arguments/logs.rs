//! The words of `mainstay logs`.

use clap::Args;

/// `mainstay logs`.
#[derive(Args)]
pub(crate) struct Logs {
    /// An app, an instance, an id, a namespace, `/regex/` or `all`; everything if none is named
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Only of this instance
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Go on with what comes, until it is interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// So many of the last entries of each app; 15 unless `--since` is given. A stack trace is one entry
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    #[command(flatten)]
    pub(crate) form: LogForm,
    /// Only what is not older: `10m`, or a moment such as `2026-11-21T04:05:06Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only entries in which this regular expression matches
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
}

/// Which of the two streams; both, unless one is named.
#[derive(Args)]
pub(crate) struct Streams {
    /// Only what was written to standard error
    #[arg(long)]
    pub(crate) err: bool,
    /// Only what was written to standard output
    #[arg(long)]
    pub(crate) out: bool,
}

/// In which form; for people, unless one is named.
#[derive(Args)]
pub(crate) struct LogForm {
    /// For programs: one object for each entry
    #[arg(long, conflicts_with = "raw")]
    pub(crate) json: bool,
    /// As the app wrote it, without time and name
    #[arg(long)]
    pub(crate) raw: bool,
}
