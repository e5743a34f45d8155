//! The signals an operator may choose between, by name. Sending them is the business of `process`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A signal that can ask a worker to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// `SIGTERM`, what most programs expect.
    #[serde(rename = "SIGTERM")]
    Terminate,
    /// `SIGINT`, as if a person had pressed Ctrl-C.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// `SIGQUIT`, the graceful end of some servers.
    #[serde(rename = "SIGQUIT")]
    Quit,
    /// `SIGHUP`.
    #[serde(rename = "SIGHUP")]
    HangUp,
    /// `SIGUSR1`.
    #[serde(rename = "SIGUSR1")]
    User1,
    /// `SIGUSR2`.
    #[serde(rename = "SIGUSR2")]
    User2,
    /// `SIGKILL`; leaves the worker no time to finish.
    #[serde(rename = "SIGKILL")]
    Kill,
}

impl Signal {
    /// Every signal, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Terminate,
        Self::Interrupt,
        Self::Quit,
        Self::HangUp,
        Self::User1,
        Self::User2,
        Self::Kill,
    ];

    /// The name as `kill -l` knows it, with its `SIG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::HangUp => "SIGHUP",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Kill => "SIGKILL",
        }
    }

    /// Reads `SIGTERM`, `TERM` or `term`.
    pub fn parse(text: &str) -> Option<Self> {
        let wanted = text.to_ascii_uppercase();
        let wanted = wanted.strip_prefix("SIG").unwrap_or(&wanted);
        Self::ALL
            .into_iter()
            .find(|signal| &signal.name()[3..] == wanted)
    }

    pub(crate) fn raw(self) -> rustix::process::Signal {
        match self {
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::HangUp => rustix::process::Signal::HUP,
            Self::User1 => rustix::process::Signal::USR1,
            Self::User2 => rustix::process::Signal::USR2,
            Self::Kill => rustix::process::Signal::KILL,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The usual name of any signal number, for messages: `SIGSEGV`, or `signal 64`.
pub fn name_of(number: i32) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    usize::try_from(number - 1)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| format!("signal {number}"), |name| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_in_every_usual_spelling() {
        for signal in Signal::ALL {
            assert_eq!(Signal::parse(signal.name()), Some(signal));
            assert_eq!(Signal::parse(&signal.name()[3..]), Some(signal));
            assert_eq!(Signal::parse(&signal.name().to_lowercase()), Some(signal));
            assert_eq!(name_of(signal.raw().as_raw()), signal.name());
        }
        assert_eq!(Signal::parse("SIGSIGTERM"), None);
        assert_eq!(Signal::parse(""), None);
    }

    #[test]
    fn unknown_numbers_keep_their_number() {
        assert_eq!(name_of(11), "SIGSEGV");
        assert_eq!(name_of(0), "signal 0");
        assert_eq!(name_of(64), "signal 64");
    }
}
