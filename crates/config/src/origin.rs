//! Where a value came from. Nothing about what it is.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything: the preset, or the default.
    Preset,
    /// A place in the file.
    File {
        /// The file's name.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// Bytes from the file's beginning.
        span: Range<usize>,
        /// What stands there, where that says more than a line: the field of an ecosystem file.
        field: Option<String>,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: &'static str,
        /// What it holds.
        text: String,
    },
    /// The command line.
    Flag {
        /// The flag's long form, or what stands in its place.
        name: &'static str,
        /// What was typed.
        text: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset => f.write_str("preset"),
            Self::File {
                file,
                field: Some(field),
                ..
            } => write!(f, "{file} {field}"),
            Self::File {
                file, line, column, ..
            } => write!(f, "{file}:{line}:{column}"),
            Self::Environment { name, .. } | Self::Flag { name, .. } => f.write_str(name),
        }
    }
}

/// The origin of every value that somebody gave, by its path: `app.api.workers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value at `path` came from. What a route does not say itself holds from the top of the file.
    pub fn of(&self, path: &str) -> &Origin {
        let general = || path.strip_prefix("route.")?.split_once('.');
        self.0
            .get(path)
            .or_else(|| self.0.get(general()?.1))
            .unwrap_or(&Origin::Preset)
    }

    /// All values that somebody gave, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.0.iter().map(|(path, origin)| (path.as_str(), origin))
    }

    /// The same as texts.
    #[must_use]
    pub fn places(&self) -> BTreeMap<String, String> {
        self.iter()
            .map(|(path, origin)| (path.to_owned(), origin.to_string()))
            .collect()
    }

    /// The later layer wins.
    pub(crate) fn set(&mut self, path: impl Into<String>, origin: Origin) {
        self.0.insert(path.into(), origin);
    }
}
