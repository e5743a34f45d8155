//! Why a task did not succeed, for a person to read.
//!
//! What may not be here: kinds. Nobody branches on the failure of a task; everybody reads it.

use std::{fmt, io};

/// A sentence that says what was found, what was expected and what to do next.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure with this text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Many complaints as one failure, or none at all.
    pub(crate) fn unless_empty(what: &str, complaints: &[String]) -> Result<(), Self> {
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Self(format!("{what}\n  {}", complaints.join("\n  "))))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}
