//! Durations as people write them: `10s`, `1m30s`, `250ms`. No clock.

use std::time::Duration;

use crate::BadValue;

/// Units from large to small with their length in milliseconds; a text uses each at most once, in this order.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Ten years. Longer is surely a mistake, and adding it to a clock could overflow.
const LONGEST: u64 = 3_650 * 86_400_000;

/// Other spellings that people try, each with ours.
const SYNONYMS: [(&str, &str); 18] = [
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("S", "s"),
];

/// Reads a duration: whole numbers, each with a unit (`d`, `h`, `m`, `s`, `ms`), large before
/// small, without spaces. A single number may have decimals down to the millisecond: `1.5s`.
/// From 0 (`0s`) to ten years.
pub fn parse_duration(text: &str) -> Result<Duration, BadValue> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut largest_left = 0; // index into UNITS
    while !rest.is_empty() || text.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(not_a_duration());
        }
        if unit.is_empty() {
            return Err(not_a_duration().hint(format!("add the unit: `{text}s`, `{text}ms`")));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(unknown_unit(number, unit));
        };
        if index < largest_left {
            return Err(not_a_duration().hint("write large units before small ones, each once"));
        }
        largest_left = index + 1;
        let alone = number.len() + unit.len() == text.len();
        total = milliseconds(number, UNITS[index].1, if alone { 3 } else { 0 })
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| {
                not_a_duration().hint("at most ten years (`3650d`), no finer than `1ms`")
            })?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// Prints a duration so that [`parse_duration`] reads the same: `1m30s`. Less than a millisecond is dropped.
pub fn format_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, length) in UNITS {
        if left >= length {
            text.push_str(&(left / length).to_string());
            text.push_str(name);
            left %= length;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// `number` × `unit` without rounding; `None` if it overflows, has too many decimals or is not a number.
fn milliseconds(number: &str, unit: u64, decimals: usize) -> Option<u64> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => {
            if whole.is_empty() || fraction.is_empty() || fraction.len() > decimals {
                return None;
            }
            (whole, fraction)
        }
        None => (number, ""),
    };
    let mut total = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut weight = unit;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() || !weight.is_multiple_of(10) {
            return None;
        }
        weight /= 10;
        total = total.checked_add(weight * u64::from(digit - b'0'))?;
    }
    Some(total)
}

fn not_a_duration() -> BadValue {
    BadValue::new(
        "a duration",
        "a number with a unit, such as `10s`, `1m30s` or `250ms`",
    )
}

fn unknown_unit(number: &str, unit: &str) -> BadValue {
    let trimmed = unit.trim();
    let ours = SYNONYMS
        .iter()
        .find(|(theirs, _)| theirs.eq_ignore_ascii_case(trimmed))
        .map(|(_, ours)| *ours)
        .or_else(|| {
            UNITS
                .iter()
                .map(|(name, _)| *name)
                .find(|name| name.eq_ignore_ascii_case(trimmed))
        });
    match ours {
        Some(ours) => not_a_duration().hint(format!("write `{number}{ours}`")),
        None => not_a_duration().hint("the units are `d`, `h`, `m`, `s` and `ms`"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("250ms", 250),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            ("0.25s", 250),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("3650d", LONGEST),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest_and_says_how() {
        for (text, hint) in [
            ("", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("ten", None),
            ("10", Some("add the unit: `10s`, `10ms`")),
            ("15min", Some("write `15m`")),
            ("10 sec", Some("write `10s`")),
            ("10S", Some("write `10s`")),
            (
                "30s1m",
                Some("write large units before small ones, each once"),
            ),
            (
                "1s1s",
                Some("write large units before small ones, each once"),
            ),
            ("3w", Some("the units are `d`, `h`, `m`, `s` and `ms`")),
        ] {
            let complaint = parse_duration(text).expect_err(text);
            assert_eq!(complaint.hint.as_deref(), hint, "{text}");
        }
        for text in [
            "1.5ms",
            "1.s",
            ".5s",
            "1.1.1s",
            "3651d",
            "1m1.5s",
            "99999999999999999999s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(milliseconds in 0..=LONGEST) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}|[0-9.]{0,25}[dhms ]{0,4}[0-9]{0,3}") {
            let _ = parse_duration(&text);
        }
    }
}
