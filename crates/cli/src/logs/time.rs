//! Times of log lines: those they begin with, those that are asked for, those that are shown. Reads no clock.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mainstay_values::parse_duration;

/// From when on lines are wanted, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) i64);

impl Since {
    /// `10m` before now, or a moment: RFC 3339, or without a zone in the machine's.
    pub(crate) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Self> {
        if let Ok(ago) = parse_duration(text) {
            let ago = SignedDuration::try_from(ago).ok()?;
            return Some(Self(now.checked_sub(ago).ok()?.as_millisecond()));
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Some(Self(moment.as_millisecond()));
        }
        let moment: DateTime = text.parse().ok()?;
        Some(Self(in_zone(moment, zone)?))
    }
}

/// What a line begins with, if it is a time: RFC 3339, or a date and a time with a blank or `T` between them; in
/// brackets too.
pub(crate) fn own_time(line: &str, zone: &TimeZone) -> Option<i64> {
    /// The longest that is read: with nine digits behind the second, and an offset.
    const LONGEST: usize = 36;
    /// `2026-11-21T04:05:06`.
    const SHORTEST: usize = 19;
    let line = line.strip_prefix('[').unwrap_or(line);
    if !line.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let is_part = |byte: u8| byte.is_ascii_digit() || b"-:.+TZ ,".contains(&byte);
    let end = line.bytes().take(LONGEST).take_while(|byte| is_part(*byte));
    let text = &line[..end.count()];
    if text.len() < SHORTEST {
        return None;
    }
    let text = text.replace(',', ".");
    let text = text.trim_end_matches([' ', ':', '-', '.']);
    let mut words = text.split(' ');
    let date = words.next()?;
    let text = match words.next() {
        Some(clock) if !date.contains('T') => format!("{date}T{clock}"),
        _ => date.to_owned(),
    };
    let text = text.trim_end_matches(':');
    match text.parse::<Timestamp>() {
        Ok(time) => Some(time.as_millisecond()),
        Err(_) => in_zone(text.parse().ok()?, zone),
    }
}

fn in_zone(moment: DateTime, zone: &TimeZone) -> Option<i64> {
    let zoned = moment.to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// As people read it, on the clock of their machine.
pub(crate) fn shown_time(milliseconds: i64, zone: &TimeZone) -> String {
    let time = Timestamp::from_millisecond(milliseconds);
    let shown = time.map(|time| {
        let zoned = time.to_zoned(zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
    });
    shown.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_234_506_000; // 2026-11-21T04:15:06Z

    #[test]
    fn times_at_the_beginning_of_a_line_are_read() {
        for (line, expected) in [
            ("2026-11-21T04:15:06Z hello", Some(AT)),
            ("2026-11-21T04:15:06.000+00:00: hello", Some(AT)),
            ("2026-11-21T04:15:06: hello", Some(AT)),
            ("2026-11-21 04:15:06: hello", Some(AT)),
            ("2026-11-21 04:15:06,000 INFO hello", Some(AT)),
            ("[2026-11-21 04:15:06] hello", Some(AT)),
            ("2026-11-21T05:15:06+01:00 hello", Some(AT)),
            ("hello 2026-11-21T04:15:06Z", None),
            ("20261121", None),
            ("9999-99-99 99:99:99 x", None),
            ("", None),
        ] {
            assert_eq!(own_time(line, &TimeZone::UTC), expected, "{line}");
        }
    }

    #[test]
    fn since_is_a_time_ago_or_a_moment() {
        let now = Timestamp::from_millisecond(AT + 600_000).unwrap();
        for (text, expected) in [
            ("10m", Some(Since(AT))),
            ("2026-11-21T04:15:06Z", Some(Since(AT))),
            ("2026-11-21T05:15:06+01:00", Some(Since(AT))),
            ("2026-11-21 04:15:06", Some(Since(AT))),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(Since::parse(text, now, &TimeZone::UTC), expected, "{text}");
        }
        assert_eq!(shown_time(AT, &TimeZone::UTC), "2026-11-21 04:15:06");
    }
}
