//! A program that has ended: its status and all it wrote.
//!
//! What may not be here: running anything.

use std::fmt::Write as _;
use std::process::ExitStatus;

/// What a program left behind that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote.
    pub output: String,
}

impl Ended {
    /// Expects this exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(
            self.status.code() == Some(code),
            "expected exit code {code}, got {}\n{}",
            self.status,
            self.output
        );
        self
    }

    /// Expects a failure, whatever its code.
    #[track_caller]
    pub fn expect_failure(self) -> Self {
        assert!(
            !self.status.success(),
            "expected a failure, but it went well\n{}",
            self.output
        );
        self
    }

    /// Expects the output to contain all of these.
    #[track_caller]
    pub fn says<const N: usize>(self, parts: [&str; N]) -> Self {
        let mut missing = String::new();
        for part in parts.iter().filter(|part| !self.output.contains(**part)) {
            let _ = write!(missing, " `{part}`");
        }
        assert!(
            missing.is_empty(),
            "expected to read{missing}, got\n{}",
            self.output
        );
        self
    }
}
