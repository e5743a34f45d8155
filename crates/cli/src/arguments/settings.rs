//! The words of the commands that look at settings before anything runs: `mainstay init`, `import`, `check` and `explain`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Common;

/// `mainstay init`.
#[derive(Args)]
pub(crate) struct Init {
    /// The folder with the app
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    pub(crate) folder: PathBuf,
    /// Write the file to standard output, and nothing else
    #[arg(long)]
    pub(crate) print: bool,
    /// Write a file with every section and key to standard output, all of it commented out
    #[arg(long, conflicts_with_all = ["folder", "print"])]
    pub(crate) all: bool,
}

/// `mainstay import`.
#[derive(Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) from: ImportFrom,
}

/// Whose file it is.
#[derive(Subcommand)]
pub(crate) enum ImportFrom {
    /// PM2: its ecosystem file, or what it runs now
    Pm2(ImportPm2),
}

/// `mainstay import pm2`.
#[derive(Args)]
pub(crate) struct ImportPm2 {
    /// The ecosystem file; without one `pm2 jlist` is asked what runs
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write to standard output, and nothing else
    #[arg(long)]
    pub(crate) print: bool,
}

/// `mainstay check`.
#[derive(Args)]
pub(crate) struct Check {
    /// The settings file, instead of ./mainstay.toml
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Tell every setting in force, and where it came from
    #[arg(long)]
    pub(crate) explain: bool,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `mainstay explain`.
#[derive(Args)]
pub(crate) struct Explain {
    /// The request, such as `POST http://shop.example/login`, or just `/login`
    #[arg(value_name = "METHOD URL", num_args = 0..=2)]
    pub(crate) request: Vec<String>,
    /// Send it to the running instance, and tell who set each header of the answer
    #[arg(long)]
    pub(crate) send: bool,
    /// A header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// The body that is sent
    #[arg(short, long, value_name = "TEXT", requires = "send")]
    pub(crate) data: Option<String>,
    /// Print the token of the running instance: `curl -H "Mainstay-Debug: TOKEN"` is told the same
    #[arg(long, conflicts_with_all = ["send", "request"])]
    pub(crate) token: bool,
    /// Answer in JSON, for programs
    #[arg(long, conflicts_with = "token")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}
