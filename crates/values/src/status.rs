//! Statuses of errors to match answers by: one, or all of a class. Knows no meaning of any.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::BadValue;

/// Statuses of errors: `404`, or `4xx` and `5xx` for all of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusPattern {
    /// This one, from 400 to 599.
    Exactly(u16),
    /// All whose first digit is this: 4 or 5.
    Class(u8),
}

impl StatusPattern {
    /// Whether `status` is meant.
    pub fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(code) => code == status,
            Self::Class(digit) => status / 100 == u16::from(digit),
        }
    }
}

impl FromStr for StatusPattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "4xx" | "4XX" => return Ok(Self::Class(4)),
            "5xx" | "5XX" => return Ok(Self::Class(5)),
            _ => {}
        }
        let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(code @ 400..=599) if is_code => Ok(Self::Exactly(code)),
            _ => Err(BadValue::new(
                "the status of an error",
                "`400` to `599`, or `4xx` or `5xx` for all of a class",
            )),
        }
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(code) => write!(f, "{code}"),
            Self::Class(digit) => write!(f, "{digit}xx"),
        }
    }
}

impl Serialize for StatusPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_a_class() {
        for (text, matches, others) in [
            ("404", &[404][..], &[400, 405, 504][..]),
            ("4xx", &[400, 404, 499], &[399, 500]),
            ("5xx", &[500, 503, 599], &[499, 600]),
        ] {
            let pattern: StatusPattern = text.parse().expect(text);
            assert_eq!(pattern.to_string(), text);
            assert!(
                matches.iter().all(|status| pattern.matches(*status)),
                "{text}"
            );
            assert!(
                !others.iter().any(|status| pattern.matches(*status)),
                "{text}"
            );
        }
        for wrong in ["", "200", "3xx", "600", "0404", "+404", "4x", "all", "404 "] {
            assert!(wrong.parse::<StatusPattern>().is_err(), "{wrong}");
        }
    }
}
