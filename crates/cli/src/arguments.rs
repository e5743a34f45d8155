//! The command line as it is typed. Checks nothing that `config` checks.

mod csp;
mod layers;
mod limits;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use mainstay_config::Flags;
use mainstay_supervisor::launch::Target;

pub(crate) use self::csp::{Csp, CspWish};
use crate::commands;
use crate::complaint::complaint;
use crate::failure::Failure;

pub(crate) use layers::{Disable, Enable};
pub(crate) use limits::{Limits, Unban};

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
    /// End a running instance: what has begun is finished; given twice, it hurries
    Stop(Which),
    /// Bring in a new release, without losing a request
    Reload(Reload),
    /// Tell how a running instance stands
    Status(Status),
    /// Check settings and machine as a start would meet them, without starting
    Check(Check),
    /// Tell what happens to a request, step by step, and which setting decides it
    Explain(Explain),
    /// Look at a folder and write a short mainstay.toml for it
    Init(Init),
    /// Tell what a reload would change
    #[command(hide = true)]
    Diff(Diff),
    /// Take a layer out of the way of a running instance, for a while or until it is enabled again
    #[command(hide = true)]
    Disable(Disable),
    /// End what `disable` began
    #[command(hide = true)]
    Enable(Enable),
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

/// `mainstay run`.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A file, a folder, or a command with its arguments; what mainstay.toml says if nothing is given
    // what follows its first word is the app's; before it stand our flags, and a mistyped one is a mistake
    #[arg(trailing_var_arg = true, value_name = "FILE|FOLDER|COMMAND")]
    words: Vec<String>,
}

/// Flags of every verb that starts something.
#[derive(Args)]
pub(crate) struct Common {
    /// Read this file instead of ./mainstay.toml
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen here, such as `:3000`, `127.0.0.1:8080` or `unix:/run/shop.sock`
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Serve health and metrics here, read-only
    #[arg(long, value_name = "ADDR")]
    observe: Option<String>,
    /// Workers: a number, `auto` or `max`
    #[arg(short = 'n', long, value_name = "N|max|auto")]
    workers: Option<String>,
    /// How much protection is on when nothing more is said; `safe` if none is named
    #[arg(long, value_name = "off|safe|strict")]
    preset: Option<String>,
    /// Leave layers out, such as `headers`
    #[arg(long, value_name = "LAYER,…")]
    without: Option<String>,
    /// Lay `[profile.NAME]` of the settings file over the rest of it
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// The instance's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Front servers that run already, such as `127.0.0.1:9000` or `unix:/run/app.sock`
    #[arg(long, value_name = "ADDR")]
    upstream: Option<String>,
}

/// Which running instance is meant.
#[derive(Args)]
pub(crate) struct Which {
    /// The instance's name; not needed when only one runs
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// `mainstay reload`.
#[derive(Args)]
pub(crate) struct Reload {
    /// Apps that get a new release; all if none is named
    #[arg(value_name = "APP")]
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

/// What may follow a file or folder: flags of ours, and behind `--` words for the app.
#[derive(Parser)]
#[command(
    name = "mainstay run FILE|FOLDER",
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Later {
    #[command(flatten)]
    common: Common,
    #[arg(last = true)]
    words: Vec<String>,
}

impl Run {
    /// A file takes no flags of its own: those behind it are ours, as those before it. What follows a program's name
    /// is the program's.
    fn with_later_flags(self) -> Result<Self, clap::Error> {
        let cwd = commands::here().unwrap_or_default();
        let Some((first, rest)) = self.words.split_first() else {
            return Ok(self);
        };
        if rest.is_empty() || !Target::is_named_by(first, &cwd) {
            return Ok(self);
        }
        let program = "mainstay run".to_owned();
        let later = Later::try_parse_from([&program].into_iter().chain(rest))?;
        let mut words = vec![first.clone()];
        words.extend(later.words);
        Ok(Self {
            common: later.common.or(self.common),
            words,
        })
    }

    /// All that was said, for the settings.
    pub(crate) fn flags(&self) -> Flags {
        let cwd = commands::here().unwrap_or_default();
        let words = &self.words;
        Flags {
            target: (!words.is_empty()).then(|| Target::from_words(words, &cwd)),
            ..self.common.flags()
        }
    }
}

impl Common {
    /// These, and where nothing is said, those.
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            listen: self.listen.or(other.listen),
            observe: self.observe.or(other.observe),
            workers: self.workers.or(other.workers),
            preset: self.preset.or(other.preset),
            without: self.without.or(other.without),
            env: self.env.or(other.env),
            name: self.name.or(other.name),
            upstream: self.upstream.or(other.upstream),
        }
    }

    /// As the settings take them.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            observe: self.observe.clone(),
            workers: self.workers.clone(),
            preset: self.preset.clone(),
            without: self.without.clone(),
            env: self.env.clone(),
            name: self.name.clone(),
            upstream: self.upstream.clone(),
            target: None,
        }
    }
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

impl Common {
    fn none() -> Self {
        Self {
            config: None,
            listen: None,
            observe: None,
            workers: None,
            preset: None,
            without: None,
            env: None,
            name: None,
            upstream: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(typed: &str) -> Result<Vec<String>, String> {
        let typed = ["mainstay", "run"].into_iter().chain(typed.split(' '));
        match CommandLine::try_parse_from(typed).and_then(CommandLine::with_later_flags) {
            Ok(CommandLine {
                command: Some(Command::Run(run)),
            }) => {
                let workers = run.common.workers.map(|workers| format!("-n {workers}"));
                Ok(workers.into_iter().chain(run.words).collect())
            }
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn our_flags_end_where_the_app_begins() {
        for (typed, expected) in [
            ("server.js", "server.js"),
            ("-n 2 server.js", "-n 2 server.js"),
            ("server.js -n 2", "-n 2 server.js"),
            ("-n 2 server.js -n 3", "-n 3 server.js"),
            ("server.js -n 2 -- --port 3", "-n 2 server.js --port 3"),
            ("src --workers 2", "-n 2 src"),
            ("-n 2 app -n 3", "-n 2 app -n 3"),
            ("node --inspect server.js", "node --inspect server.js"),
            ("-- node --inspect server.js", "node --inspect server.js"),
            ("-n 2 -- node -r x server.js", "-n 2 node -r x server.js"),
            ("npm run dev -- --port 3", "npm run dev -- --port 3"),
            ("-- --strange", "--strange"),
        ] {
            let words = words(typed).map(|words| words.join(" "));
            assert_eq!(words.as_deref(), Ok(expected), "{typed}");
        }
        for typed in [
            "--lisen :80 server.js",
            "-x server.js",
            "--inspect",
            "server.js --port 3",
            "server.js 3",
        ] {
            assert!(words(typed).is_err(), "{typed}");
        }
    }
}
