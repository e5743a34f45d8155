//! The words of `mainstay run`: where ours end and the app's begin.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser};
use mainstay_config::Flags;
use mainstay_supervisor::launch::Target;

use super::Common;
use crate::{commands, ecosystem};

/// `mainstay run`.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A file, a folder, an ecosystem file of PM2, or a command with its arguments; what mainstay.toml says if nothing
    /// is given
    // what follows its first word is the app's; before it stand our flags, and a mistyped one is a mistake
    #[arg(trailing_var_arg = true, value_name = "FILE|FOLDER|COMMAND")]
    pub(crate) words: Vec<String>,
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
    pub(super) fn with_later_flags(self) -> Result<Self, clap::Error> {
        let cwd = commands::here().unwrap_or_default();
        let Some((first, rest)) = self.words.split_first() else {
            return Ok(self);
        };
        let is_ecosystem_file = ecosystem::is_one(Path::new(first));
        if rest.is_empty() || !(is_ecosystem_file || Target::is_named_by(first, &cwd)) {
            return Ok(self);
        }
        let program = "mainstay run".to_owned();
        let later = Later::try_parse_from([&program].into_iter().chain(rest))?;
        if is_ecosystem_file && let Some(word) = later.words.first() {
            let message = format!(
                "`{word}` would be a word for the app, and those of an ecosystem file have theirs in `args`; write it there"
            );
            return Err(Later::command().error(ErrorKind::Io, message));
        }
        let mut words = vec![first.clone()];
        words.extend(later.words);
        Ok(Self {
            common: later.common.or(self.common),
            words,
        })
    }

    /// Whether nothing was said but the words.
    pub(crate) fn has_no_flags(&self) -> bool {
        self.common.flags() == Flags::default()
    }

    /// All that was said, for the settings.
    pub(crate) fn flags(&self) -> Flags {
        let cwd = commands::here().unwrap_or_default();
        let words = &self.words;
        let flags = self.common.flags();
        if let [word] = words.as_slice()
            && ecosystem::is_one(Path::new(word))
        {
            return Flags {
                config: Some(word.into()),
                ..flags
            };
        }
        Flags {
            target: (!words.is_empty()).then(|| Target::from_words(words, &cwd)),
            ..flags
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, CommandLine};
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
