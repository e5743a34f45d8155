//! Every way in which the program can end, as exit codes. The one table of them.

use std::fmt::Display;
use std::process::ExitCode;

use mainstay_supervisor::StartError;

use crate::order::Ending;

/// Why the program ends without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Said to the operator, without `error:`.
    pub(crate) message: String,
    code: u8,
}

/// The app never came up, or its new release did not.
const APP: u8 = 1;
/// The command line, the environment or the settings are wrong, or mean an instance that cannot be meant.
const USAGE: u8 = 2;
/// The machine does not allow it: an address in use, a missing right, no folder for sockets.
const MACHINE: u8 = 3;
/// The instance ended before it had done what was asked of it.
const CUT_SHORT: u8 = 4;
/// Mainstay itself is at fault.
const INTERNAL: u8 = 70;

impl Failure {
    /// The app did not come up.
    pub(crate) fn app(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: APP,
        }
    }

    /// Something that was typed cannot be meant. The message is complete, with `error:` in it.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: USAGE,
        }
    }

    /// The machine refused.
    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: MACHINE,
        }
    }

    /// The instance ended before it was done.
    pub(crate) fn cut_short(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: CUT_SHORT,
        }
    }

    /// Something that should not be.
    pub(crate) fn internal(what: &str, error: impl Display) -> Self {
        Self {
            message: format!("{what}: {error}; this is a fault of mainstay, please report it"),
            code: INTERNAL,
        }
    }

    /// The same, about something that is named first.
    #[must_use]
    pub(crate) fn within(self, what: &str) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
            code: self.code,
        }
    }

    /// As in the table.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// As the program's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// What an instance says is handed on with its code.
impl From<Ending> for Failure {
    fn from(ending: Ending) -> Self {
        Self {
            message: ending.message,
            code: ending.code,
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Launch { .. }
            | StartError::Identity { .. }
            | StartError::PortForMany { .. } => Self {
                message: error.to_string(),
                code: USAGE,
            },
            StartError::Limit { .. } | StartError::PathTooLong { .. } | StartError::Io { .. } => {
                Self::machine(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_exit_codes_names_exactly_these() {
        let page = include_str!("../../../docs/operations/exit-codes.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
        let codes: Vec<u8> = rows
            .filter_map(|row| row.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!(codes, [0, APP, USAGE, MACHINE, CUT_SHORT, INTERNAL]);
    }

    #[test]
    fn every_failure_has_its_code() {
        for (failure, code) in [
            (Failure::app("x"), APP),
            (Failure::usage("x"), USAGE),
            (Failure::machine("x"), MACHINE),
            (Failure::cut_short("x"), CUT_SHORT),
            (Failure::internal("x", "y"), INTERNAL),
        ] {
            assert_eq!(failure.exit_code(), ExitCode::from(code));
        }
    }
}
