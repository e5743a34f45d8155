//! Versions and ranges of versions as `package.json` and `.nvmrc` spell them (semver.org 2.0.0, and npm's grammar of ranges).
//! What is not understood is no range, and nothing follows from it. Reads no file.

use std::fmt;

/// Longer texts are not read.
const LONGEST: usize = 256;

/// `MAJOR.MINOR.PATCH`, of which a prerelease comes before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: (u64, u64, u64),
    stage: Stage,
}

/// How far a version is. The order is that of semver: `-rc.2` before `-rc.10` before the release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Before it; with nothing named, before all that could be.
    Before(Vec<Part>),
    Release,
}

/// One part of a prerelease: numbers before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Version {
    /// Reads `v22.4.1` and `24.0.0-nightly20250101`, also without the letter. What follows `+` says nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        let partial = Partial::parse(text)?;
        partial.is_whole().then(|| partial.least())
    }

    /// The least of all that begin with these numbers, its prereleases among them.
    fn before(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            numbers: (major, minor, patch),
            stage: Stage::Before(Vec::new()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.numbers;
        write!(formatter, "{major}.{minor}.{patch}")?;
        let parts = match &self.stage {
            Stage::Before(parts) => parts.as_slice(),
            Stage::Release => &[],
        };
        for (index, part) in parts.iter().enumerate() {
            formatter.write_str(if index == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(formatter, "{number}")?,
                Part::Word(word) => formatter.write_str(word)?,
            }
        }
        Ok(())
    }
}

/// Versions that are meant: any of several spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range(Vec<Span>);

/// From a version on, and below another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    from: Version,
    below: Option<Version>,
}

impl Range {
    /// Reads `>=18 <23`, `^20.1 || 22.x`, `18 - 20`, `*` and the like. `None` for names such as `lts/*`, and for nonsense.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let spans = text.split("||").map(Span::parse);
        spans.collect::<Option<_>>().map(Self)
    }

    /// Whether this version is meant. Prereleases count like any version, as npm counts them for `engines`.
    pub(crate) fn has(&self, version: &Version) -> bool {
        self.0.iter().any(|span| span.has(version))
    }
}

impl Span {
    fn all() -> Self {
        Self {
            from: Version::before(0, 0, 0),
            below: None,
        }
    }

    fn has(&self, version: &Version) -> bool {
        self.from <= *version && self.below.as_ref().is_none_or(|below| version < below)
    }

    fn and(self, other: Self) -> Self {
        let below = match (self.below, other.below) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            from: self.from.max(other.from),
            below,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some((from, to)) = text.split_once(" - ") {
            let from = Partial::parse(from.trim())?.least();
            let below = Partial::parse(to.trim())?.next();
            return Some(Self { from, below });
        }
        // an operator may stand apart from its version
        let mut words = text.split_whitespace();
        let mut span = Self::all();
        while let Some(word) = words.next() {
            let (operator, rest) = Operator::split(word);
            let version = if rest.is_empty() { words.next()? } else { rest };
            span = span.and(operator.span(&Partial::parse(version)?));
        }
        Some(span)
    }
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Plain,
    Caret,
    Tilde,
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl Operator {
    fn split(word: &str) -> (Self, &str) {
        const ALL: [(&str, Operator); 8] = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            ("~>", Operator::Tilde),
            (">", Operator::Above),
            ("<", Operator::Below),
            ("^", Operator::Caret),
            ("~", Operator::Tilde),
            ("=", Operator::Plain),
        ];
        let mut all = ALL.iter();
        let found = all.find_map(|(sign, operator)| Some((*operator, word.strip_prefix(sign)?)));
        found.unwrap_or((Self::Plain, word))
    }

    fn span(self, version: &Partial) -> Span {
        let least = version.least();
        let (from, below) = match self {
            Self::Plain => (least, version.next()),
            Self::Caret => (least, version.next_breaking()),
            Self::Tilde => (least, version.next_minor()),
            Self::AtLeast => (least, None),
            // above all that the partial version stands for
            Self::Above => match version.next() {
                Some(next) => (next, None),
                None => (least.clone(), Some(least)),
            },
            Self::AtMost => (Version::before(0, 0, 0), version.next()),
            Self::Below => (Version::before(0, 0, 0), Some(least)),
        };
        Span { from, below }
    }
}

/// A version of which the end may be missing.
#[derive(Debug, Clone)]
struct Partial {
    numbers: [Option<u64>; 3],
    /// Of one that is whole.
    stage: Stage,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', '=']);
        let text = text.split('+').next()?;
        let (text, stage) = match text.split_once('-') {
            Some((text, stage)) => (text, Stage::Before(parts(stage)?)),
            None => (text, Stage::Release),
        };
        let mut numbers = [None; 3];
        let mut written = text.split('.');
        let mut is_open = false;
        for number in &mut numbers {
            match written.next() {
                None => break,
                Some("x" | "X" | "*") => is_open = true,
                Some(part)
                    if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    let read = part.parse().ok()?;
                    // behind an `x` a number says nothing
                    *number = (!is_open).then_some(read);
                }
                Some(_) => return None,
            }
        }
        written.next().is_none().then_some(Self { numbers, stage })
    }

    fn is_whole(&self) -> bool {
        self.numbers.iter().all(Option::is_some)
    }

    fn least(&self) -> Version {
        let [major, minor, patch] = self.numbers.map(Option::unwrap_or_default);
        if !self.is_whole() {
            return Version::before(major, minor, patch);
        }
        Version {
            numbers: (major, minor, patch),
            stage: self.stage.clone(),
        }
    }

    /// The first behind all that it stands for; none: it stands for all.
    fn next(&self) -> Option<Version> {
        match self.numbers {
            [None, ..] => None,
            [Some(major), None, _] => Some(Version::before(major.saturating_add(1), 0, 0)),
            [Some(major), Some(minor), None] => {
                Some(Version::before(major, minor.saturating_add(1), 0))
            }
            [Some(major), Some(minor), Some(patch)] => Some(match &self.stage {
                Stage::Release => Version::before(major, minor, patch.saturating_add(1)),
                // nothing comes between it and the same with one more part, which is the least there is
                Stage::Before(parts) => {
                    let mut parts = parts.clone();
                    parts.push(Part::Number(0));
                    Version {
                        numbers: (major, minor, patch),
                        stage: Stage::Before(parts),
                    }
                }
            }),
        }
    }

    /// `~`: patches may come.
    fn next_minor(&self) -> Option<Version> {
        match self.numbers {
            [Some(major), Some(minor), _] => {
                Some(Version::before(major, minor.saturating_add(1), 0))
            }
            _ => self.next(),
        }
    }

    /// `^`: the first number that is not 0 stays.
    fn next_breaking(&self) -> Option<Version> {
        match self.numbers {
            [Some(0), Some(0), Some(patch)] => Some(Version::before(0, 0, patch.saturating_add(1))),
            [Some(0), Some(_), _] => self.next_minor(),
            [Some(major), ..] => Some(Version::before(major.saturating_add(1), 0, 0)),
            [None, ..] => None,
        }
    }
}

/// `rc.1`: parts of letters, digits and hyphens.
fn parts(text: &str) -> Option<Vec<Part>> {
    let part = |part: &str| {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if part.is_empty() || !part.bytes().all(usual) {
            return None;
        }
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        Some(match part.parse() {
            Ok(read) if number => Part::Number(read),
            _ => Part::Word(part.to_owned()),
        })
    };
    text.split('.').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect(text)
    }

    #[test]
    fn ranges_mean_what_npm_means() {
        for (range, inside, outside) in [
            ("20", "20.0.0", "21.0.0"),
            ("v20.11.1", "20.11.1", "20.11.2"),
            ("20.x", "20.99.0", "19.9.9"),
            ("20.x.1", "20.3.0", "21.0.1"),
            (">=18", "24.1.0", "17.9.9"),
            (">= 18 < 23", "22.99.0", "23.0.0"),
            (">18", "19.0.0", "18.5.0"),
            (">18.1.2", "18.1.3", "18.1.2"),
            ("<=20", "20.9.0", "21.0.0"),
            ("<20.1", "20.0.9", "20.1.0"),
            ("^18.12.0 || >=20.9", "20.9.0", "19.0.0"),
            ("^18.12.0 || >=20.9", "18.20.0", "18.11.0"),
            ("^18||^20", "20.1.0", "19.0.0"),
            ("~20.1.2", "20.1.9", "20.2.0"),
            ("~20", "20.9.0", "21.0.0"),
            ("~>20.1", "20.1.9", "20.2.0"),
            ("^0.3.1", "0.3.9", "0.4.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("18 - 20", "20.5.0", "21.0.0"),
            ("18.1.0 - 20.1.0", "20.1.0", "20.1.1"),
            ("=22.1.0", "22.1.0", "22.1.1"),
            (">=20.0.0-rc.2", "20.0.0-rc.10", "20.0.0-rc.1"),
            (">=20.0.0-rc.2", "20.0.0", "20.0.0-beta"),
            ("20.0.0-rc.1", "20.0.0-rc.1", "20.0.0"),
            ("20.0.0-rc.1", "20.0.0-rc.1+5", "20.0.0-rc.1.0"),
            ("<=20.0.0-rc.1", "20.0.0-rc.1", "20.0.0-rc.2"),
            (">=24", "25.0.0-nightly20250101abc", "24.0.0-"),
            ("22.x", "22.0.0-rc.1", "23.0.0-rc.1"),
        ] {
            let parsed = Range::parse(range).expect(range);
            let is_in = |text: &str| Version::parse(text).is_some_and(|found| parsed.has(&found));
            assert!(is_in(inside) && !is_in(outside), "{range}");
        }
        for all in ["*", "", "x", "0.x || *", ">=0"] {
            assert!(
                Range::parse(all).expect(all).has(&version("22.0.0")),
                "{all}"
            );
        }
        for none in ["<0", ">*", ">20 <19"] {
            assert!(
                !Range::parse(none).expect(none).has(&version("22.0.0")),
                "{none}"
            );
        }
    }

    #[test]
    fn names_and_nonsense_are_no_ranges() {
        for text in [
            "lts/*",
            "lts/iron",
            "node",
            "stable",
            ">=",
            "18.a",
            "1.2.3.4",
            "^",
            "18,20",
            "18..1",
            "^>=18",
            "99999999999999999999",
            "18 - ",
            "18.0.0-!",
        ] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
        assert_eq!(Range::parse(&"1 ".repeat(LONGEST)), None);
        assert_eq!(Version::parse("20.1"), None);
    }

    #[test]
    fn versions_are_printed_as_they_are_written() {
        for text in ["20.11.1", "25.0.0-nightly20250101.7.x-y"] {
            assert_eq!(version(&format!("v{text}")).to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9.xX*v=<>^~| +-]{0,24}|([<>=^~]{0,2}[0-9]{1,21}[.x-]?){0,6}") {
            if let Some(range) = Range::parse(&text) {
                range.has(&Version::before(20, 1, 2));
            }
        }

        #[test]
        fn a_version_is_in_its_own_ranges(
            major in 0_u64..99, minor in 0_u64..99, patch in 0_u64..99, stage in "(-(rc|[0-9]{1,3})(\\.[0-9]{1,2})?)?"
        ) {
            let text = format!("{major}.{minor}.{patch}{stage}");
            let found = Version::parse(&text).expect("a version");
            for sign in ["", "=", "^", "~", ">=", "<=", "v"] {
                let range = Range::parse(&format!("{sign}{text}")).expect("a range");
                proptest::prop_assert!(range.has(&found), "{sign}{text}");
            }
            for sign in ["<", ">"] {
                let range = Range::parse(&format!("{sign}{text}")).expect("a range");
                proptest::prop_assert!(!range.has(&found), "{sign}{text}");
            }
        }
    }
}
