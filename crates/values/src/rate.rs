//! Rates as people write them: `100/s`, `5/15m`. Counting is not here.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::text::travels_as_text;
use crate::{BadValue, format_duration, parse_duration};

/// So many in so long: `100/s`, `1000/15m`, `5/30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many are allowed in one window.
    pub count: NonZeroU32,
    /// The window; never zero.
    pub window: Duration,
}

impl FromStr for Rate {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (count, window) = text.split_once('/').ok_or_else(not_a_rate)?;
        let count = count.trim().parse().map_err(|_| not_a_rate())?;
        let window = window.trim();
        let parsed = if window.starts_with(|c: char| c.is_ascii_digit()) {
            parse_duration(window)
        } else {
            parse_duration(&format!("1{window}"))
        };
        let window = parsed.map_err(|cause| BadValue {
            hint: cause.hint,
            ..not_a_rate()
        })?;
        if window.is_zero() {
            return Err(not_a_rate().hint("the window must be longer than nothing"));
        }
        Ok(Self { count, window })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = format_duration(self.window);
        let short = window
            .strip_prefix('1')
            .filter(|unit| unit.bytes().all(|b| b.is_ascii_alphabetic()));
        write!(f, "{}/{}", self.count, short.unwrap_or(&window))
    }
}

travels_as_text!(Rate);

fn not_a_rate() -> BadValue {
    BadValue::new("a rate", "a count per unit, such as `100/s` or `6000/m`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, count, seconds, printed) in [
            ("100/s", 100, 1, "100/s"),
            ("5/15m", 5, 900, "5/15m"),
            ("6000 / 1m", 6000, 60, "6000/m"),
            ("10/10s", 10, 10, "10/10s"),
            ("1/1m30s", 1, 90, "1/1m30s"),
        ] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!(rate.count.get(), count, "{text}");
            assert_eq!(rate.window.as_secs(), seconds, "{text}");
            assert_eq!(rate.to_string(), printed);
        }
        for text in [
            "",
            "100",
            "0/s",
            "-1/s",
            "1/0s",
            "100 per sec",
            "1/",
            "/s",
            "5/15min",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
