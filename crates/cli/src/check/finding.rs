//! One thing that was found. Finds nothing.

use mainstay_config::ecosystem::Note;

use crate::failure::Failure;

/// How much it matters.
#[derive(Debug)]
pub(crate) enum Level {
    /// A start would fail, in this way.
    Error(Failure),
    /// A start would succeed, at a price.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// The setting it is about, by its path; empty for the machine.
    pub(crate) setting: String,
    /// What is so.
    pub(crate) what: String,
    /// What that means in production.
    pub(crate) cost: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Finding {
    pub(crate) fn error(setting: impl Into<String>, failure: Failure) -> Self {
        let what = failure.message.clone();
        Self::new(Level::Error(failure), setting, what)
    }

    pub(crate) fn warning(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, setting, what)
    }

    pub(crate) fn note(setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Note, setting, what)
    }

    fn new(level: Level, setting: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            level,
            setting: setting.into(),
            what: what.into(),
            cost: None,
            hint: None,
        }
    }

    /// With what that means in production.
    pub(crate) fn costs(mut self, cost: impl Into<String>) -> Self {
        self.cost = Some(cost.into());
        self
    }

    /// With what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<&Note> for Finding {
    fn from(note: &Note) -> Self {
        let verb = if note.what.len() == 1 { "is" } else { "are" };
        let what = format!("{} {verb} not taken over", note.what.join(", "));
        Self::warning("", what).costs(note.why.as_str())
    }
}
