//! Paths to match requests by: prefixes that end where a segment ends. Touches no file system.

use std::fmt;
use std::str::FromStr;

use crate::BadValue;
use crate::text::travels_as_text;

/// A path prefix that ends on a segment's border: `/api` matches `/api` and `/api/users`, not
/// `/apix`. `/api/` and `/api/*` are the same as `/api`; `/` matches everything.
///
/// Held in the form of RFC 3986 6.2.2: escapes of unreserved characters decoded, others in upper
/// case. Compare it with paths in the same form, dot segments removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// Without the final slash: empty for `/`.
    prefix: String,
    /// The same with every escape decoded.
    decoded: Vec<u8>,
}

impl PathPattern {
    /// Whether a normalised path (no query) is meant. Does not allocate.
    pub fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.prefix.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// Whether a path is meant by somebody who reads loosely: `path` is decoded already, empty segments do not count, nor
    /// does the case of ASCII letters. Matches whatever [`Self::matches`] does, and more. Does not allocate.
    pub fn covers(&self, path: &[u8]) -> bool {
        let segments = |text| <[u8]>::split(text, |byte| *byte == b'/').filter(|s| !s.is_empty());
        let mut own = segments(path);
        segments(&self.decoded).all(|segment| {
            own.next()
                .is_some_and(|own| own.eq_ignore_ascii_case(segment))
        })
    }

    /// What the first segment of every path that it [covers](Self::covers) begins with, in lower case. None: it covers all
    /// paths.
    pub fn initial(&self) -> Option<u8> {
        let initial = self.decoded.iter().find(|byte| **byte != b'/')?;
        Some(initial.to_ascii_lowercase())
    }

    /// How many bytes of a path it fixes: the longer of two that match is the more specific.
    pub fn specificity(&self) -> usize {
        self.prefix.len()
    }
}

impl FromStr for PathPattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if !text.starts_with('/') {
            let hint = format!("begin with a slash: `/{text}`");
            return Err(if text.is_empty() || text.contains("://") {
                not_a_path()
            } else {
                not_a_path().hint(hint)
            });
        }
        let prefix = text.strip_suffix("/*").unwrap_or(text);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.contains('*') {
            return Err(not_a_path().hint("`*` may only stand at the end, after a slash"));
        }
        if prefix.contains(['?', '#']) {
            return Err(not_a_path().hint("leave the query out: only paths are matched"));
        }
        if prefix
            .split('/')
            .skip(1)
            .any(|s| matches!(s, "" | "." | ".."))
        {
            return Err(not_a_path().hint("write it without empty, `.` and `..` segments"));
        }
        if prefix.contains(|c: char| c.is_control() || c == ' ' || c == '\\') {
            return Err(
                not_a_path().hint("escape spaces, backslashes and control characters: `%20`")
            );
        }
        let prefix = normalise(prefix)
            .ok_or_else(|| not_a_path().hint("`%` is followed by two hexadecimal digits"))?;
        let decoded = decode(&prefix);
        Ok(Self { prefix, decoded })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.prefix.is_empty() {
            "/"
        } else {
            &self.prefix
        })
    }
}

travels_as_text!(PathPattern);

/// `None` if an escape is broken.
fn normalise(path: &str) -> Option<String> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, escaped) = if byte == b'%' {
            (digit(bytes.next())? << 4 | digit(bytes.next())?, true)
        } else {
            (byte, !byte.is_ascii())
        };
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if escaped && !unreserved {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        } else {
            out.push(char::from(byte));
        }
    }
    Some(out)
}

/// Every escape as the byte it stands for. The path is normalised: no escape is broken.
fn decode(path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => digit(bytes.next()).unwrap_or(0) << 4 | digit(bytes.next()).unwrap_or(0),
            _ => byte,
        });
    }
    out
}

fn digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).map(|digit| digit as u8)
}

fn not_a_path() -> BadValue {
    BadValue::new("a path", "a path that begins with `/`, such as `/api`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches() {
        for (pattern, path, expected) in [
            ("/", "/", true),
            ("/", "/x/y", true),
            ("/*", "/x", true),
            ("/api", "/api", true),
            ("/api", "/api/", true),
            ("/api", "/api/x", true),
            ("/api", "/apix", false),
            ("/api", "/API", false),
            ("/api/", "/api", true),
            ("/api/*", "/api", true),
            ("/api/*", "/apix", false),
            ("/a%7eb", "/a~b", true),
            ("/a%2fb", "/a%2Fb", true),
            ("/a%2fb", "/a/b", false),
            ("/café", "/caf%C3%A9/x", true),
        ] {
            let pattern: PathPattern = pattern.parse().expect(pattern);
            assert_eq!(pattern.matches(path), expected, "{pattern} {path}");
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn covers_what_loose_readers_take_for_it() {
        for (pattern, path, expected) in [
            ("/", "/", true),
            ("/api", "/API/x", true),
            ("/api", "//api", true),
            ("/api", "/a//pi", false),
            ("/api/v1", "/api//v1/x", true),
            ("/api", "/apix", false),
            ("/a%20b", "/A B/c", true),
            ("/a%2fb", "/a/b", true),
            ("/a%25", "/a%", true),
        ] {
            let pattern: PathPattern = pattern.parse().expect(pattern);
            assert_eq!(
                pattern.covers(path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in [
            "",
            "api",
            "*",
            "/a*",
            "/a/*/b",
            "/a?b",
            "/a#b",
            "/a//b",
            "/a/../b",
            "/./a",
            "/a b",
            "/a%2",
            "/a%zz",
            "http://x/y",
            "/a\\b",
        ] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
    }
}
