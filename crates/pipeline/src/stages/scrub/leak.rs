//! Whether a body shows an app's insides, and which. Changes nothing.

use super::{forms, paths, sql, traces};

/// What a body shows that is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Where in the program it happened.
    Trace,
    /// A statement, or what the database said.
    Sql,
    /// Where files lie on the machine.
    Path,
    /// It cannot be said: its coding is not known or broken, or it unpacks to far more than it is.
    Unreadable,
}

impl Leak {
    /// In a word, for logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Sql => "sql",
            Self::Path => "path",
            Self::Unreadable => "unreadable",
        }
    }

    /// The first that is found in a body without its codings. `asked`: the path the client asked for, which tells it
    /// nothing when it comes back.
    pub(super) fn find(body: &[u8], asked: &str) -> Option<Self> {
        if traces::has_key(body) {
            return Some(Self::Trace);
        }
        if sql::has_key(body) {
            return Some(Self::Sql);
        }
        let (text, plain) = forms::of(body);
        let of = |text: &[u8]| {
            if traces::is_there(text) {
                Some(Self::Trace)
            } else if sql::is_there(text) {
                Some(Self::Sql)
            } else if paths::is_there(text, asked.as_bytes()) {
                Some(Self::Path)
            } else {
                None
            }
        };
        of(&text).or_else(|| of(&plain?))
    }
}
