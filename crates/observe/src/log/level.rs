//! How serious a message is, in the words and numbers of the usual loggers. Orders nothing else.

use serde::{Deserialize, Serialize};

/// From the least to the most serious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happened.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
    /// Nothing goes on.
    Fatal,
}

impl Level {
    /// Of pino's and bunyan's numbers: 10 is `trace`, 60 `fatal`; one between two of them is the lower.
    pub fn of_number(number: i64) -> Option<Self> {
        match number {
            10..20 => Some(Self::Trace),
            20..30 => Some(Self::Debug),
            30..40 => Some(Self::Info),
            40..50 => Some(Self::Warn),
            50..60 => Some(Self::Error),
            60..=100 => Some(Self::Fatal),
            _ => None,
        }
    }

    /// Of a word, in any case: those of pino, winston (npm and syslog levels), Python and Java.
    pub fn of_word(word: &str) -> Option<Self> {
        const WORDS: [(&str, Level); 20] = [
            ("trace", Level::Trace),
            ("silly", Level::Trace),
            ("finest", Level::Trace),
            ("debug", Level::Debug),
            ("verbose", Level::Debug),
            ("fine", Level::Debug),
            ("info", Level::Info),
            ("http", Level::Info),
            ("notice", Level::Info),
            ("information", Level::Info),
            ("warn", Level::Warn),
            ("warning", Level::Warn),
            ("error", Level::Error),
            ("err", Level::Error),
            ("severe", Level::Error),
            ("fatal", Level::Fatal),
            ("crit", Level::Fatal),
            ("critical", Level::Fatal),
            ("alert", Level::Fatal),
            ("emerg", Level::Fatal),
        ];
        let found = WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, level)| *level)
    }

    /// Its own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_read_as_their_loggers_mean_them() {
        for (number, expected) in [
            (10, Some(Level::Trace)),
            (30, Some(Level::Info)),
            (35, Some(Level::Info)),
            (60, Some(Level::Fatal)),
            (0, None),
            (101, None),
            (-1, None),
        ] {
            assert_eq!(Level::of_number(number), expected, "{number}");
        }
        for (word, expected) in [
            ("INFO", Some(Level::Info)),
            ("warning", Some(Level::Warn)),
            ("emerg", Some(Level::Fatal)),
            ("loud", None),
        ] {
            assert_eq!(Level::of_word(word), expected, "{word}");
        }
        assert!(Level::Warn < Level::Error);
    }
}
