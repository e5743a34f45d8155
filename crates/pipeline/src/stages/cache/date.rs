//! Dates in fields (RFC 9110, 5.6.7), read. Reads no clock.

use std::time::{Duration, SystemTime};

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The longest of the three forms; what is longer is no date.
const LONGEST: usize = 40;

/// The moment that a date means, in whole seconds: IMF-fixdate and both obsolete forms. None: it is none, or before 1970.
pub(super) fn parse(text: &[u8]) -> Option<SystemTime> {
    let text = text.trim_ascii();
    if text.len() > LONGEST {
        return None;
    }
    let is_break = |byte: &u8| matches!(byte, b' ' | b',' | b'-' | b':');
    let mut words = text.split(is_break).filter(|word| !word.is_empty());
    let weekday = words.next()?;
    if !weekday.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let second_word = words.next()?;
    let (day, month, year, clock) = if second_word.iter().all(u8::is_ascii_digit) {
        let (day, month) = (number(second_word)?, month(words.next()?)?);
        let year = year(words.next()?)?;
        let clock = [words.next()?, words.next()?, words.next()?];
        // UTC by the letter: no other zone may be written
        if words.next()? != b"GMT" {
            return None;
        }
        (day, month, year, clock)
    } else {
        let (month, day) = (month(second_word)?, number(words.next()?)?);
        let clock = [words.next()?, words.next()?, words.next()?];
        (day, month, year(words.next()?)?, clock)
    };
    let [hour, minute, second] = clock.map(number);
    let (hour, minute, second) = (hour?, minute?, second?);
    // a leap second is sixty
    if words.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 4 || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        word.iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
    )
}

fn month(word: &[u8]) -> Option<u64> {
    let found = MONTHS.iter().position(|name| &name[..] == word)?;
    Some(found as u64 + 1)
}

/// Two digits mean the year of that ending that is nearest: such a form stops being written long before that is wrong.
fn year(word: &[u8]) -> Option<u64> {
    let year = number(word)?;
    match word.len() {
        2 if year < 70 => Some(2_000 + year),
        2 => Some(1_900 + year),
        4 => Some(year),
        _ => None,
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1_970 || !(1..=length).contains(&day) {
        return None;
    }
    // the year begins in March, so that the day that is sometimes missing is the last
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use mainstay_observe::Timestamp;

    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let since = parse(text.as_bytes())?.duration_since(SystemTime::UNIX_EPOCH);
        since.ok().map(|since| since.as_secs())
    }

    #[test]
    fn three_forms_mean_the_same() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds(text), Some(784_111_777), "{text}");
        }
        assert_eq!(
            seconds("Tue, 29 Feb 2028 23:59:60 GMT"),
            Some(1_835_481_600)
        );
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 PST",
            "Sun, 30 Feb 2020 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT more",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(seconds_written in 0_u64..200_000_000_000) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds_written);
            let text = Timestamp::new(time).http_date();
            // a year of five digits has no form
            if text.len() == 29 {
                proptest::prop_assert_eq!(parse(text.as_bytes()), Some(time));
            }
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
        }
    }
}
