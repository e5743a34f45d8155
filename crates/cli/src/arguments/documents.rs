//! The words of `mainstay help` and `mainstay completions`.

use std::path::PathBuf;

use clap::Args;

/// `mainstay help`.
#[derive(Args)]
pub(crate) struct Help {
    /// The command to explain
    #[arg(value_name = "COMMAND", conflicts_with = "all")]
    pub(crate) command: Option<String>,
    /// Name every command, those too that are seldom needed
    #[arg(long, conflicts_with = "man")]
    pub(crate) all: bool,
    /// Write a page for `man` to standard output; given a folder, a page for every command into it
    #[arg(
        long,
        value_name = "FOLDER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-"
    )]
    pub(crate) man: Option<PathBuf>,
}

/// `mainstay completions`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "bash|zsh|fish|elvish|powershell")]
    pub(crate) shell: clap_complete::Shell,
}
