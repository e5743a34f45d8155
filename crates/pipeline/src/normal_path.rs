//! A path in one spelling, for matching only. What is forwarded stays as the client wrote it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::readings::escape;

/// A path normalised by RFC 3986, 6.2.2, and a little more: escapes of unreserved characters are
/// decoded, other escapes are in upper case, `.` and `..` segments are gone, repeated slashes are
/// one. `%2F` stays what it is: not a separator.
pub struct NormalPath<'a>(Cow<'a, str>);

impl<'a> NormalPath<'a> {
    /// Whether `path` can have a normal form at all: each `%` begins an escape, none stands for NUL, and none writes an ASCII
    /// character in more bytes than one, which no encoder does (RFC 3629, 3). Text that is not UTF-8 otherwise is sound.
    pub fn is_sound(path: &str) -> bool {
        let path = path.as_bytes();
        memchr::memchr_iter(b'%', path).all(|at| match escape(&path[at..]) {
            None | Some(0) => false,
            Some(0xC0 | 0xC1) => !follows(path, at, 0x80..=0xBF),
            Some(0xE0) => !follows(path, at, 0x80..=0x9F),
            Some(0xF0) => !follows(path, at, 0x80..=0x8F),
            Some(_) => true,
        })
    }

    /// Normalises `path` (no query). Allocates only if there is something to change.
    pub fn new(path: &'a str) -> Self {
        if is_normal(path.as_bytes()) {
            return Self(Cow::Borrowed(path));
        }
        Self(Cow::Owned(without_dots(&decoded(path.as_bytes()))))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the escape `at` is followed by another of these bytes.
fn follows(path: &[u8], at: usize, bytes: RangeInclusive<u8>) -> bool {
    let next = path.get(at + 3..).and_then(escape);
    next.is_some_and(|next| bytes.contains(&next))
}

/// No escape, no empty segment and no segment that begins with a dot: nothing to do.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    for byte in path {
        match byte {
            b'%' => return false,
            b'/' | b'.' if previous == b'/' => return false,
            _ => previous = *byte,
        }
    }
    true
}

fn decoded(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    let mut index = 0;
    while let Some(byte) = path.get(index) {
        let Some(value) = escape(&path[index..]) else {
            out.push(char::from(*byte));
            index += 1;
            continue;
        };
        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
            out.push(char::from(value));
        } else {
            let digits = path[index + 1..index + 3].iter();
            out.push('%');
            out.extend(digits.map(|digit| char::from(digit.to_ascii_uppercase())));
        }
        index += 3;
    }
    out
}

fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() || ends_open {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_meets() {
        for (path, normal) in [
            ("/", "/"),
            ("/api/users", "/api/users"),
            ("//api///users", "/api/users"),
            ("/api/./users/../admin", "/api/admin"),
            ("/api/%2e%2E/admin", "/admin"),
            ("/../../etc", "/etc"),
            ("/%61pi", "/api"),
            ("/a%2fb", "/a%2Fb"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a//", "/a/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a%zz", "/a%zz"),
            ("/a%2", "/a%2"),
        ] {
            assert_eq!(NormalPath::new(path).as_str(), normal, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_normal_is_not_sound() {
        for path in [
            "*",
            "/",
            "/a%20b",
            "/caf%C3%A9",
            "/%ff",
            "/%C0",
            "/%C0/%80",
            "/%E0%A4%A0",
            "/%2500",
        ] {
            assert!(NormalPath::is_sound(path), "{path}");
        }
        for path in [
            "/%",
            "/a%2",
            "/%zz",
            "/%u002e",
            "/%00",
            "/a%00.png",
            "/%C0%AE",
            "/%c1%9c",
            "/%E0%80%AF",
            "/%F0%80%80%AF",
        ] {
            assert!(!NormalPath::is_sound(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(path in "/[a-c./%2eE~F]{0,24}") {
            let once = NormalPath::new(&path).as_str().to_owned();
            prop_assert!(once.starts_with('/'));
            // a decoded escape may spell a new escape, never a new dot segment
            prop_assert!(!once.split('/').any(|segment| segment == ".." || segment == "."), "{}", once);
        }
    }
}
