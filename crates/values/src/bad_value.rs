//! Why a text is not the value it should be. No place, no file name: those belong to `Problem`.

use std::fmt;

/// A text that is not what it should be, in the words a person needs to correct it.
///
/// Shown alone it reads as `wanted: expected (hint)`; a configuration reader puts the name of
/// the setting in front and the place beneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// The noun with its article: `a duration`.
    pub wanted: &'static str,
    /// What would have been right, with an example.
    pub expected: String,
    /// The cure, when it can be guessed from what was written.
    pub hint: Option<String>,
}

impl BadValue {
    /// A complaint without a hint.
    pub fn new(wanted: &'static str, expected: impl Into<String>) -> Self {
        Self {
            wanted,
            expected: expected.into(),
            hint: None,
        }
    }

    /// The same complaint with the cure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}: expected {}", self.wanted, self.expected)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BadValue {}
