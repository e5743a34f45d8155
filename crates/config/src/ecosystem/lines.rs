//! The lines of a settings file that an ecosystem file becomes, each with the field that it came from. What any of them
//! means is not here.

use std::fmt::Write as _;
use std::path::Path;

use crate::source_file::SourceFile;
use crate::value::quoted;

/// What a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field: `apps[1].kill_timeout`.
    Field(String),
    /// Nobody said it; PM2 does the same.
    Usual(String),
    /// PM2 does not know it, and neither does the file: it is found out.
    Unknown(String),
    /// Nobody said it; several apps in one file need it.
    Several(String),
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its key, as TOML.
    pub key: String,
    /// Its value, as TOML.
    pub value: String,
    /// What it came from.
    pub source: Source,
}

/// Sections with their lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    sections: Vec<(String, String, Vec<Line>)>,
}

impl Source {
    /// For `check --explain` and complaints.
    fn place(&self) -> String {
        match self {
            Self::Field(place) => place.clone(),
            Self::Usual(place) => format!("{place} (as PM2 does)").trim_start().to_owned(),
            Self::Unknown(place) => format!("{place} (it is found out)").trim_start().to_owned(),
            Self::Several(place) => {
                let place = format!("{place} (each app has its own port)");
                place.trim_start().to_owned()
            }
        }
    }
}

impl Lines {
    /// Begins a section that is named at `place`.
    pub(super) fn section(&mut self, heading: String, place: String) {
        self.sections.push((heading, place, Vec::new()));
    }

    /// A profile without a difference.
    pub(super) fn profile(&mut self, name: &str) {
        self.section(format!("profile.{}", key(name)), format!("--env {name}"));
    }

    /// A line of the section that was begun last.
    pub(super) fn push(&mut self, name: &str, value: String, source: Source) {
        let line = Line {
            key: key(name),
            value,
            source,
        };
        if let Some((_, _, lines)) = self.sections.last_mut() {
            lines.push(line);
        }
    }

    /// A line whose value is text.
    pub(super) fn text(&mut self, name: &str, value: &str, source: Source) {
        self.push(name, quoted(value), source);
    }

    pub(super) fn has_profiles(&self) -> bool {
        let mut headings = self.sections.iter().map(|(heading, _, _)| heading);
        headings.any(|heading| heading.starts_with("profile."))
    }

    /// Sections by their heading, each with its lines.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &[Line])> {
        let sections = self.sections.iter();
        sections.map(|(heading, _, lines)| (heading.as_str(), lines.as_slice()))
    }

    /// As a settings file in which every line knows the field that it came from.
    #[must_use]
    pub fn into_file(self, name: &str, folder: &Path) -> SourceFile {
        let mut text = String::new();
        let mut fields = Vec::new();
        for (heading, place, lines) in self.sections {
            let _ = writeln!(text, "[{heading}]");
            fields.push(place);
            for line in lines {
                let _ = writeln!(text, "{} = {}", line.key, line.value);
                fields.push(line.source.place());
            }
        }
        SourceFile::translated(name, folder, text, fields)
    }
}

/// A key as TOML spells it.
pub(super) fn key(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A list as TOML spells it.
pub(super) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}
