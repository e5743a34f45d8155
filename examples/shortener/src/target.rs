//! Where a short link may lead.
//!
//! What may not be here: looking the place up. Text is judged as text.

use std::fmt;

/// Longest URL taken, in bytes: longer ones break in mail programs and proxies anyway.
const LONGEST: usize = 2048;

/// An absolute `http` or `https` URL that is safe to send in `Location` and to show in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(String);

/// Why a text is no [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// Nothing was given.
    Missing,
    /// More than 2,048 bytes.
    TooLong,
    /// Neither `http://` nor `https://`.
    Scheme,
    /// No host after the scheme.
    Host,
    /// A user name or password before the host: those links are made to deceive.
    Credentials,
    /// A byte that must be percent-encoded.
    Character,
}

impl Target {
    /// Checks a text.
    ///
    /// # Errors
    /// The first of [`TargetError`] that applies, in the order of its variants.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TargetError::Missing);
        }
        if text.len() > LONGEST {
            return Err(TargetError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(TargetError::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority.starts_with(':') {
            return Err(TargetError::Host);
        }
        if authority.contains('@') {
            return Err(TargetError::Credentials);
        }
        let fits = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
        if !text.bytes().all(fits) {
            return Err(TargetError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "`url` is missing; send JSON such as {\"url\": \"https://example.com/\"} or a form"
            }
            Self::TooLong => "`url` is longer than 2048 bytes",
            Self::Scheme => "`url` must begin with http:// or https://",
            Self::Host => "`url` names no host",
            Self::Credentials => "`url` carries a user name; leave it out",
            Self::Character => "`url` contains a character that must be percent-encoded",
        })
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_judged() {
        let long = format!("https://a.example/{}", "x".repeat(LONGEST));
        for (text, expected) in [
            ("https://example.com/a?b=c#d", Ok(())),
            ("HTTP://[2001:db8::1]:8080", Ok(())),
            ("http://example.com:8080", Ok(())),
            (" https://example.com ", Ok(())),
            ("", Err(TargetError::Missing)),
            (&long, Err(TargetError::TooLong)),
            ("javascript:alert(1)", Err(TargetError::Scheme)),
            ("ftp://example.com/", Err(TargetError::Scheme)),
            ("https:///path", Err(TargetError::Host)),
            ("https://:80/", Err(TargetError::Host)),
            (
                "https://bank.example@evil.example/",
                Err(TargetError::Credentials),
            ),
            ("https://example.com/a b", Err(TargetError::Character)),
            (
                "https://example.com/\r\nSet-Cookie: a=b",
                Err(TargetError::Character),
            ),
            (
                "https://example.com/\"><script>",
                Err(TargetError::Character),
            ),
            ("https://exämple.com/", Err(TargetError::Character)),
        ] {
            assert_eq!(Target::parse(text).map(|_| ()), expected, "{text}");
        }
    }
}
