//! The systemd unit of an instance, as text. Writes and enables nothing.
//!
//! One unit for each instance, which runs it in the foreground: systemd supervises what it starts, so that its limits,
//! its journal and its restarts are the instance's own (docs/decisions/0009-one-unit-for-each-instance.md).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;

/// Whose systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The machine's.
    System,
    /// This user's own.
    User,
}

/// What goes into it.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub(super) scope: Scope,
    /// The instance's name.
    pub(super) name: &'a str,
    /// This program.
    pub(super) program: &'a Path,
    /// The words behind `mainstay run`.
    pub(super) words: Vec<String>,
    pub(super) folder: &'a Path,
    pub(super) environment: &'a BTreeMap<String, String>,
    /// How long an orderly end may take.
    pub(super) end: Duration,
}

impl Unit<'_> {
    /// The name of its file.
    pub(super) fn file_name(instance: &str) -> String {
        // what systemd takes in names without escapes
        let usual = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let name = instance
            .chars()
            .map(|letter| if usual(letter) { letter } else { '-' });
        format!("mainstay-{}.service", name.collect::<String>())
    }

    /// The whole file.
    ///
    /// # Errors
    /// When something cannot be written into a unit.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let mut command = vec![quoted(&self.program.display().to_string())?];
        command.push("run".to_owned());
        for word in &self.words {
            command.push(quoted(word)?);
        }
        let program = &command[0];
        let name = quoted(self.name)?;
        let mut environment = String::new();
        for (variable, value) in self.environment {
            // systemd knows whose they are better than the record
            if !["HOME", "USER", "SHELL"].contains(&variable.as_str()) {
                let pair = quoted(&format!("{variable}={value}"))?;
                environment.extend(["Environment=", &pair, "\n"]);
            }
        }
        let folder = setting(&self.folder.display().to_string())?;
        let description = setting(&format!("{} (mainstay)", self.name))?;
        let end = self.end.as_secs();
        let command = command.join(" ");
        let (wanted_by, after, sandbox) = match self.scope {
            Scope::System => ("multi-user.target", NETWORK, SANDBOX),
            Scope::User => ("default.target", "", USER_SANDBOX),
        };
        let start = START_LIMIT.as_secs();
        Ok(format!(
            "# Made by `mainstay startup`; `mainstay unstartup {plain}` takes it back.\n\
             [Unit]\n\
             Description={description}\n\
             {after}\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=notify\n\
             NotifyAccess=main\n\
             ExecStart={command}\n\
             ExecReload={program} reload --name {name}\n\
             WorkingDirectory={folder}\n\
             {environment}\
             # the app and the gateway together\n\
             LimitNOFILE=1048576\n\
             Restart=always\n\
             RestartSec=1\n\
             # the wrong command line or settings: a new start would change nothing\n\
             RestartPreventExitStatus=2\n\
             TimeoutStartSec={start}\n\
             # workers are ended by mainstay, in order; systemd ends what is left\n\
             KillMode=mixed\n\
             TimeoutStopSec={end}\n\
             WatchdogSec=30\n\
             # the apps' limits are held in control groups below the unit's\n\
             Delegate=yes\n\
             {sandbox}\
             \n\
             [Install]\n\
             WantedBy={wanted_by}\n",
            plain = self.name,
        ))
    }
}

/// Apps may take long to come up, release commands longer; each has a limit of its own.
const START_LIMIT: Duration = Duration::from_mins(15);

const NETWORK: &str = "Wants=network-online.target\nAfter=network-online.target\n";

/// What neither the gateway nor an app needs; what an app writes to is its own business, so the file system stays open
/// but for the system's own parts.
const SANDBOX: &str = "\
ProtectSystem=full\n\
ProtectKernelTunables=yes\n\
ProtectKernelModules=yes\n\
ProtectKernelLogs=yes\n\
ProtectClock=yes\n\
ProtectHostname=yes\n\
RestrictRealtime=yes\n\
RestrictSUIDSGID=yes\n\
LockPersonality=yes\n\
";

/// What a user's own systemd can do without being root.
const USER_SANDBOX: &str = "\
RestrictRealtime=yes\n\
RestrictSUIDSGID=yes\n\
LockPersonality=yes\n\
";

/// A word as systemd reads it: quotes, backslashes, `%` and `$` mean themselves (systemd.syntax(7), systemd.service(5)).
fn quoted(word: &str) -> Result<String, Failure> {
    let word = plain(word)?;
    let is_simple = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@+".contains(letter);
    if !word.is_empty() && word.chars().all(is_simple) {
        return Ok(word.to_owned());
    }
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// The rest of a line, where only `%` means something.
fn setting(text: &str) -> Result<String, Failure> {
    Ok(plain(text)?.replace('%', "%%"))
}

fn plain(text: &str) -> Result<&str, Failure> {
    if text.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "{text:?} has a line break or a control character in it, which a unit cannot hold"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_in_a_unit_what_they_meant_when_they_were_typed() {
        for (word, expected) in [
            ("server.js", "server.js"),
            ("--listen=:80", "--listen=:80"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("100%", "\"100%%\""),
            ("$HOME", "\"$$HOME\""),
            ("say \"\\o\"", "\"say \\\"\\\\o\\\"\""),
        ] {
            assert_eq!(quoted(word).unwrap(), expected);
        }
        assert!(quoted("a\nExecStart=/bin/sh").is_err());
    }

    #[test]
    fn a_unit_names_what_is_run_where_and_how_it_ends() {
        let environment = [("PATH", "/opt/node/bin:/bin"), ("HOME", "/home/x")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let unit = Unit {
            scope: Scope::System,
            name: "shop",
            program: Path::new("/usr/bin/mainstay"),
            words: ["-c", "mainstay.toml"].map(str::to_owned).to_vec(),
            folder: Path::new("/srv/my shop"),
            environment: &environment.into(),
            end: Duration::from_secs(40),
        };
        let text = unit.text().unwrap();
        for line in [
            "Type=notify",
            "ExecStart=/usr/bin/mainstay run -c mainstay.toml",
            "ExecReload=/usr/bin/mainstay reload --name shop",
            "WorkingDirectory=/srv/my shop",
            "Environment=PATH=/opt/node/bin:/bin",
            "KillMode=mixed",
            "TimeoutStopSec=40",
            "WantedBy=multi-user.target",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("HOME"), "{text}");
        assert_eq!(Unit::file_name("my shop"), "mainstay-my-shop.service");
    }
}
