//! The command line as it is typed: every command, in the order of the help. The words of each stand below, one file
//! for each group of commands. Checks nothing that `config` checks.

mod cache;
mod common;
mod csp;
mod documents;
mod instance;
mod inventory;
mod layers;
mod limits;
mod logs;
mod run;
mod settings;
mod suspension;

use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use self::cache::{Cache, CacheExplain, CacheList, CachePurge, CacheStats, CacheWish};
pub(crate) use self::common::{Common, Targets, Which};
pub(crate) use self::csp::{Csp, CspWish};
pub(crate) use self::documents::{Completions, Help};
pub(crate) use self::instance::{Crashes, Diff, Reload, Status, Upgrade};
pub(crate) use self::inventory::{Scale, Signal, Startup, Uninstall, Unstartup};
pub(crate) use self::layers::{Disable, Enable};
pub(crate) use self::limits::{Limits, Unban};
pub(crate) use self::logs::Logs;
pub(crate) use self::run::Run;
pub(crate) use self::settings::{Check, Explain, Import, ImportFrom, ImportPm2, Init};
pub(crate) use self::suspension::{Maintenance, Pause, Switch};
use crate::commands;
use crate::complaint::complaint;
use crate::failure::Failure;

#[derive(Parser)]
#[command(
    name = "mainstay",
    version,
    about = "Takes any HTTP app to production: runs it, fronts it, protects it, watches it.",
    disable_help_subcommand = true,
    after_help = "`mainstay help --all` names the others, `mainstay COMMAND --help` explains one."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

impl CommandLine {
    fn with_later_flags(self) -> Result<Self, clap::Error> {
        Ok(Self {
            command: match self.command {
                Some(Command::Run(run)) => Some(Command::Run(run.with_later_flags()?)),
                Some(Command::Start(run)) => Some(Command::Start(run.with_later_flags()?)),
                command => command,
            },
        })
    }
}

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run an app behind the gateway, in the foreground
    Run(Run),
    /// Start an app in the background, or again what was stopped: by name, id or `all`
    Start(Run),
    /// End an instance or an app of it: what has begun is finished; given twice, it hurries
    Stop(Targets),
    /// Bring in a new release, without losing a request
    Reload(Reload),
    /// Tell how a running instance stands
    Status(Status),
    /// Show what apps wrote last, and with `-f` what they write now
    Logs(Logs),
    /// Check settings and machine as a start would meet them, without starting
    Check(Check),
    /// Tell what happens to a request, step by step, and which setting decides it
    Explain(Explain),
    /// Look at a folder and write a short mainstay.toml for it
    Init(Init),
    /// Write a mainstay.toml from what another program was told
    Import(Import),
    /// List apps: what runs, and what is stopped
    #[command(hide = true, visible_aliases = ["list", "l", "ps"])]
    Ls,
    /// List workers as JSON, in the form of `pm2 jlist`
    #[command(hide = true)]
    Jlist,
    /// Watch apps and workers in the terminal, with keys to reload, scale and stop them
    #[command(hide = true, visible_alias = "monit")]
    Top(Which),
    /// Tell everything about apps
    #[command(hide = true, visible_aliases = ["show", "info"])]
    Describe(Targets),
    /// End the workers of apps and start them anew, with the settings read again
    #[command(hide = true)]
    Restart(Targets),
    /// Give an app another number of workers: `3`, `+1` or `-1`
    #[command(hide = true)]
    Scale(Scale),
    /// End instances and apps, and forget how they were started
    #[command(hide = true, visible_alias = "del")]
    Delete(Targets),
    /// Send a signal to workers
    #[command(hide = true)]
    Signal(Signal),
    /// Empty log files
    #[command(hide = true)]
    Flush(Targets),
    /// Ask every instance whether it is there
    #[command(hide = true)]
    Ping(Which),
    /// Remember what runs in the background now, for `resurrect`
    #[command(hide = true)]
    Save,
    /// Start what `save` remembered
    #[command(hide = true)]
    Resurrect,
    /// Have systemd start an instance with the machine
    #[command(hide = true)]
    Startup(Startup),
    /// End what `startup` began
    #[command(hide = true)]
    Unstartup(Unstartup),
    /// List and remove what was made on this machine: units, records, and with `--purge` log files
    #[command(hide = true)]
    Uninstall(Uninstall),
    /// Put another program in the place of the one that runs an instance, without losing a request or a worker
    #[command(hide = true)]
    Upgrade(Upgrade),
    /// Tell what a reload would change
    #[command(hide = true)]
    Diff(Diff),
    /// Take a layer out of the way of a running instance, for a while or until it is enabled again
    #[command(hide = true)]
    Disable(Disable),
    /// End what `disable` began
    #[command(hide = true)]
    Enable(Enable),
    /// Tell which workers died, and what is known of it
    #[command(hide = true)]
    Crashes(Crashes),
    /// Tell what browsers reported against the content security policy, or the policy that suggests
    #[command(hide = true)]
    Csp(Csp),
    /// Hold new requests while something is changed that the app needs; they go on when it is over
    #[command(hide = true)]
    Pause(Pause),
    /// End what `pause` began
    #[command(hide = true)]
    Resume(Which),
    /// Answer everything but health with 503, for a while or until it is switched off
    #[command(hide = true)]
    Maintenance(Maintenance),
    /// Hash a password for `[auth]`, typed or from standard input
    #[command(hide = true)]
    Hash(commands::Hash),
    /// Tell how the rate limits of a running instance stand
    #[command(hide = true)]
    Limits(Limits),
    /// Forget what somebody has used of the rate limits, and lift the ban
    #[command(hide = true)]
    Unban(Unban),
    /// Tell what the cache keeps, how it stands, and why; or have it forget
    #[command(hide = true)]
    Cache(Cache),
    /// Run the bundled sample app behind the gateway
    #[command(hide = true)]
    Demo(Common),
    /// Explain a command; with `--all` name every one; with `--man` write pages for `man`
    #[command(hide = true)]
    Help(Help),
    /// Write what a shell completes commands with
    #[command(hide = true)]
    Completions(Completions),
}

/// Reads the command line. Help and version are printed here, since they end the program well: then there is
/// nothing to do.
pub(crate) fn parse() -> Result<Option<Command>, Failure> {
    match CommandLine::try_parse().and_then(CommandLine::with_later_flags) {
        Ok(CommandLine {
            command: Some(command),
        }) => Ok(Some(command)),
        Ok(CommandLine { command: None }) if is_cargo_run() => {
            Ok(Some(Command::Demo(Common::none())))
        }
        Ok(CommandLine { command: None }) => Err(Failure::usage(format!(
            "nothing to do\n\n{}",
            CommandLine::command().render_help()
        ))),
        Err(error) if error.use_stderr() => Err(Failure::usage(complaint(&error))),
        Err(help) => {
            let _ = help.print();
            Ok(None)
        }
    }
}

/// The commands that most people need.
pub(crate) fn usual() -> clap::Command {
    CommandLine::command()
}

/// Every command, hidden ones shown.
pub(crate) fn whole() -> clap::Command {
    CommandLine::command()
        .after_help("`mainstay COMMAND --help` explains one.")
        .mut_subcommands(|command| command.hide(false))
}

/// `cargo run` in a checkout, without a word: somebody wants to see what this is.
fn is_cargo_run() -> bool {
    std::env::var("CARGO_PKG_NAME").is_ok_and(|package| package == env!("CARGO_PKG_NAME"))
}
