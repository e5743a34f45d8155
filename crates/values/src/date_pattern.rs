//! How a moment is to be written, as dayjs and PM2 (`log_date_format`) spell it. Reads no clock: whoever asks brings the
//! moment, and with it the time zone.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;
use serde::{Deserialize, Serialize};

use crate::BadValue;

/// Longer texts are none.
const LONGEST: usize = 64;

/// What is written, and what of it stands for a part of the moment, the longest first. On the right as `strftime` spells it.
const PARTS: [(&str, &str); 23] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("d", "%w"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("SSS", "%3f"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("A", "%p"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
];

/// A pattern such as `YYYY-MM-DD HH:mm:ss.SSS Z`: year (`YYYY`, `YY`), month (`MMMM`, `MMM`, `MM`, `M`), day (`DD`, `D`), weekday
/// (`dddd`, `ddd`, `d`), hour (`HH`, `H`, `hh`, `h` with `A`), minute (`mm`, `m`), second (`ss`, `s`), thousandths (`SSS`), offset (`Z`,
/// `ZZ`); what stands in `[…]`, and everything else, is written as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatePattern {
    text: String,
    /// As `strftime` spells it.
    directives: String,
}

impl DatePattern {
    /// PM2's `time`: `YYYY-MM-DDTHH:mm:ss`.
    #[must_use]
    pub fn usual() -> Self {
        Self::of("YYYY-MM-DDTHH:mm:ss")
    }

    /// The moment on the clock of its own time zone.
    #[must_use]
    pub fn render(&self, moment: &Zoned) -> String {
        moment.strftime(&self.directives).to_string()
    }

    fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            directives: directives(text),
        }
    }
}

fn directives(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = rest
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'));
        if let Some((literal, after)) = literal {
            push(&mut out, literal);
            rest = after;
        } else if let Some((part, directive)) =
            PARTS.iter().find(|(part, _)| rest.starts_with(part))
        {
            out.push_str(directive);
            rest = &rest[part.len()..];
        } else {
            push(&mut out, first.encode_utf8(&mut [0; 4]));
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn push(out: &mut String, literal: &str) {
    out.push_str(&literal.replace('%', "%%"));
}

impl FromStr for DatePattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(BadValue::new(
                "a pattern for times",
                "parts such as `YYYY-MM-DD HH:mm:ss.SSS Z`, 64 bytes at most",
            ));
        }
        Ok(Self::of(text))
    }
}

impl TryFrom<String> for DatePattern {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl From<DatePattern> for String {
    fn from(pattern: DatePattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for DatePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::{Offset, TimeZone};
    use proptest::prelude::*;

    use super::*;

    fn moment() -> Zoned {
        let time = Timestamp::from_millisecond(1_795_234_506_789).expect("a time");
        time.to_zoned(TimeZone::fixed(Offset::constant(1)))
    }

    #[test]
    fn a_moment_is_written_as_dayjs_would() {
        for (pattern, expected) in [
            ("YYYY-MM-DDTHH:mm:ss", "2026-11-21T05:15:06"),
            (
                "YYYY-MM-DD HH:mm:ss.SSS Z",
                "2026-11-21 05:15:06.789 +01:00",
            ),
            ("ddd, D MMM YY h:m:s A ZZ", "Sat, 21 Nov 26 5:15:6 AM +0100"),
            ("[on] dddd 100%", "on Saturday 100%"),
        ] {
            let pattern: DatePattern = pattern.parse().expect(pattern);
            assert_eq!(pattern.render(&moment()), expected);
        }
        assert!("".parse::<DatePattern>().is_err());
        assert!("Y".repeat(65).parse::<DatePattern>().is_err());
        assert!("\n".parse::<DatePattern>().is_err());
    }

    proptest! {
        #[test]
        fn every_pattern_can_be_written(text in "\\PC{1,16}") {
            if let Ok(pattern) = text.parse::<DatePattern>() {
                prop_assert!(!pattern.render(&moment()).contains('\n'));
                prop_assert_eq!(pattern.to_string(), text);
            }
        }
    }
}
