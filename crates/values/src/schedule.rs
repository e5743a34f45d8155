//! A timetable as cron spells it: five fields, or six with seconds in front. Reads no clock: whoever asks brings the
//! moment, and with it the time zone.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use jiff::Zoned;
use jiff::civil::{DateTime, date};
use serde::{Deserialize, Serialize};

use crate::BadValue;

/// Longer texts are none.
const LONGEST: usize = 128;

/// When something is due, again and again: `0 3 * * *`, `*/10 * * * * *`, `@daily`.
///
/// Where clocks are put forward, what would fall into the gap is due right behind it; where they are put back, a fixed
/// hour is due once (Vixie's rules).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    cron: Box<Cron>,
}

impl Schedule {
    /// The first moment after this one, in its time zone. `None`: there is none.
    #[must_use]
    pub fn next_after(&self, moment: &Zoned) -> Option<Zoned> {
        self.cron.find_next_occurrence(moment, false).ok()
    }
}

impl FromStr for Schedule {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let complaint = || {
            BadValue::new(
                "a timetable",
                "five fields as in crontab (minute, hour, day, month, weekday), such as `0 3 * * *`, or six with \
                 seconds in front",
            )
        };
        let fields = text.split_whitespace().count();
        let is_word = text.starts_with('@') && fields == 1;
        if text.len() > LONGEST || !(is_word || (5..=6).contains(&fields)) {
            return Err(complaint());
        }
        let cron = Cron::from_str(text).map_err(|error| complaint().hint(error.to_string()))?;
        // any day does to see that there is one
        let day: DateTime = date(2024, 1, 1).at(0, 0, 0, 0);
        if cron.find_next_occurrence(&day, false).is_err() {
            return Err(complaint().hint("there is no such moment"));
        }
        Ok(Self {
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            cron: Box::new(cron),
        })
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for Schedule {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// Moments in a time zone that puts its clocks forward and back as Berlin does.
    fn next(schedule: &str, moment: &str) -> String {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let moment: DateTime = moment.parse().expect("a moment");
        let moment = moment.to_zoned(zone).expect("it exists");
        let schedule: Schedule = schedule.parse().expect("a timetable");
        let next = schedule.next_after(&moment).expect("there is one");
        next.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    #[test]
    fn the_next_moment_is_found_in_its_time_zone() {
        for (schedule, moment, expected) in [
            (
                "0 3 * * *",
                "2026-01-15T03:00:00",
                "2026-01-16 03:00:00 +01:00",
            ),
            (
                "*/10 * * * * *",
                "2026-01-15T03:00:01",
                "2026-01-15 03:00:10 +01:00",
            ),
            (
                "0 0 29 2 *",
                "2026-01-15T00:00:00",
                "2028-02-29 00:00:00 +01:00",
            ),
            (
                "30 4 * * MON",
                "2026-07-01T00:00:00",
                "2026-07-06 04:30:00 +02:00",
            ),
            (
                "@daily",
                "2026-01-15T12:00:00",
                "2026-01-16 00:00:00 +01:00",
            ),
            // 02:00 to 03:00 is not there that night
            (
                "30 2 * * *",
                "2026-03-28T12:00:00",
                "2026-03-29 03:00:00 +02:00",
            ),
            // 02:30 is there twice, and counts once
            (
                "30 2 * * *",
                "2026-10-24T12:00:00",
                "2026-10-25 02:30:00 +02:00",
            ),
        ] {
            assert_eq!(
                next(schedule, moment),
                expected,
                "{schedule} after {moment}"
            );
        }
    }

    #[test]
    fn what_is_no_timetable_is_told() {
        for text in [
            "",
            "daily",
            "* * * *",
            "* * * * * * *",
            "61 * * * *",
            "0 0 30 2 *",
            "@now",
            "a b c d e",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
        let schedule: Schedule = "0  3 * * * ".parse().expect("one");
        assert_eq!(schedule.to_string(), "0 3 * * *");
        let long = format!("{} * * * *", "0,".repeat(100));
        assert!(long.parse::<Schedule>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm_and_what_was_read_is_read_again(text in "[-0-9*/,?LW#@a-zA-Z ]{0,40}") {
            if let Ok(schedule) = text.parse::<Schedule>() {
                let again: Schedule = schedule.to_string().parse().expect("as printed");
                proptest::prop_assert_eq!(again, schedule);
            }
        }
    }
}
