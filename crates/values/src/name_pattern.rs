//! Names of files and folders to match segments of paths by. Touches no file system.

use std::fmt;
use std::str::FromStr;

use crate::BadValue;
use crate::text::travels_as_text;

/// The name of a file or folder, whole or with `*` at its ends: `.env*`, `*.bak`, `*~`, `*.sql*`, `id_rsa`. The case of ASCII
/// letters does not matter: some file systems do not tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern {
    /// Without the stars, in lower case; never empty.
    name: String,
    before: Rest,
    after: Rest,
}

/// Whether more may stand at one end of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rest {
    Nothing,
    Anything,
}

impl NamePattern {
    /// Whether a segment of a path, decoded, is meant. Does not allocate.
    pub fn matches(&self, segment: &[u8]) -> bool {
        let name = self.name.as_bytes();
        let Some(spare) = segment.len().checked_sub(name.len()) else {
            return false;
        };
        match (self.before, self.after) {
            (Rest::Nothing, Rest::Nothing) => segment.eq_ignore_ascii_case(name),
            (Rest::Nothing, Rest::Anything) => segment[..name.len()].eq_ignore_ascii_case(name),
            (Rest::Anything, Rest::Nothing) => segment[spare..].eq_ignore_ascii_case(name),
            (Rest::Anything, Rest::Anything) => segment
                .windows(name.len())
                .any(|window| window.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether every name it means begins with a dot.
    pub fn begins_with_dot(&self) -> bool {
        self.before == Rest::Nothing && self.name.starts_with('.')
    }
}

impl FromStr for NamePattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Some(inner) = text.strip_prefix('/') {
            let name = inner.rsplit('/').next().unwrap_or_default();
            return Err(not_a_name().hint(format!(
                "it is meant in every folder: write `{name}` without the path"
            )));
        }
        let (before, name) = match text.strip_prefix('*') {
            Some(name) => (Rest::Anything, name),
            None => (Rest::Nothing, text),
        };
        let (after, name) = match name.strip_suffix('*') {
            Some(name) => (Rest::Anything, name),
            None => (Rest::Nothing, name),
        };
        if name.contains('*') {
            return Err(not_a_name().hint("`*` may only stand at the ends"));
        }
        let is_odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%');
        if name.is_empty() || matches!(name, "." | "..") && after == Rest::Nothing {
            return Err(not_a_name());
        }
        if name.contains(is_odd) {
            return Err(not_a_name().hint("write it decoded, without slashes"));
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            before,
            after,
        })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |rest| if rest == Rest::Anything { "*" } else { "" };
        write!(f, "{}{}{}", star(self.before), self.name, star(self.after))
    }
}

travels_as_text!(NamePattern);

fn not_a_name() -> BadValue {
    BadValue::new(
        "a file's name",
        "a name, or the end or beginning of one, such as `.env*` or `*.bak`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches() {
        for (pattern, name, expected) in [
            (".env*", ".env", true),
            (".env*", ".ENV.local", true),
            (".env*", "x.env", false),
            ("*.bak", "index.php.BAK", true),
            ("*.bak", "x.bake", false),
            ("*~", "a~", true),
            ("*.sql*", "dump.sql.gz", true),
            ("*.sql*", "sql", false),
            ("id_rsa", "id_rsa", true),
            ("id_rsa", "id_rsa.pub", false),
            (".*", ".x", true),
            (".*", "x", false),
        ] {
            let pattern: NamePattern = pattern.parse().expect(pattern);
            assert_eq!(
                pattern.matches(name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in [
            "", "*", "**", ".", "..", "a*b", "/.git", "a/b", "%2egit", "a\\b", "a\0",
        ] {
            assert!(text.parse::<NamePattern>().is_err(), "{text}");
        }
    }
}
