//! A complaint about a setting: where, what was found, what was expected, what to do. Rendering
//! it with the line underlined is the configuration's job.

use std::fmt;
use std::ops::Range;

use crate::BadValue;

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Bytes from the file's beginning.
    pub span: Range<usize>,
}

/// One complaint. All parts are lower-case fragments; what the user wrote stands in backticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The headline: `` `listen` is not an address ``.
    pub what: String,
    /// What was written, when it is not in a file: `MAINSTAY_LISTEN=x`, `--listen x`.
    pub found: Option<String>,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Where it is, when it is in a file.
    pub place: Option<Box<Place>>,
    /// Whether the line is kept back, since a password or a key may stand there.
    pub keeps_line_back: bool,
}

impl Problem {
    /// A complaint with only its headline.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// A complaint about the value of `name`.
    pub fn bad_value(name: &str, cause: BadValue) -> Self {
        Self {
            what: format!("`{name}` is not {}", cause.wanted),
            expected: Some(cause.expected),
            hint: cause.hint,
            ..Self::default()
        }
    }

    /// With what was written outside of files.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// With what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// With what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Without the line it is about: what is wrong there may be a password or a key.
    #[must_use]
    pub fn keep_line_back(mut self) -> Self {
        self.keeps_line_back = true;
        self
    }

    /// With its place.
    #[must_use]
    pub fn at(mut self, file: &str, span: Range<usize>) -> Self {
        self.place = Some(Box::new(Place {
            file: file.to_owned(),
            span,
        }));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(expected) = &self.expected {
            write!(f, ": expected {expected}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// All complaints at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Nothing to complain about yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order they were sorted or found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// In file order; those outside of files last.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|problem| {
            problem
                .place
                .as_ref()
                .map_or((true, 0), |place| (false, place.span.start))
        });
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_place_and_reads_as_a_sentence() {
        let mut problems = Problems::new();
        problems.push(Problem::new("outside").found("--listen x"));
        problems.push(Problem::new("second").at("f", 9..10));
        problems.push(
            Problem::new("first")
                .at("f", 1..2)
                .expected("a port")
                .hint("write `:80`"),
        );
        problems.sort();
        assert_eq!(
            problems.to_string(),
            "first: expected a port (write `:80`)\nsecond\noutside"
        );
    }
}
