//! Wall-clock time as text, twice: RFC 3339 for logs, IMF-fixdate (RFC 9110, 5.6.7) for `Date`.
//!
//! Reads no clock: the time comes in as an argument.

use std::time::{Duration, SystemTime};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970-01-01 was a Thursday
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment in UTC, taken apart. Times before 1970 count as 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: u64,
    year: u64,
    month: u64,
    day: u64,
}

impl Timestamp {
    /// Takes `time` apart.
    pub fn new(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        // days to civil date, counted in eras of 400 years that begin on 1 March of year 0
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            seconds,
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
        }
    }

    /// `2026-11-21T04:05:06`, without fraction and zone.
    pub fn rfc3339_seconds(self) -> String {
        let (hour, minute, second) = self.clock();
        format!(
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
            self.year, self.month, self.day
        )
    }

    /// `Sat, 21 Nov 2026 04:05:06 GMT`.
    pub fn http_date(self) -> String {
        let (hour, minute, second) = self.clock();
        let weekday = DAYS[usize::try_from(self.seconds / 86_400 % 7).unwrap_or(0)];
        let month = MONTHS[usize::try_from(self.month - 1).unwrap_or(0)];
        format!(
            "{weekday}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT",
            self.day, self.year
        )
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.seconds % 86_400;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

/// Both texts, made anew only when the second changes.
#[derive(Debug, Default)]
pub struct TimestampCache {
    seconds: u64,
    rfc3339: String,
    http_date: String,
}

impl TimestampCache {
    /// Appends `2026-11-21T04:05:06.789Z`.
    pub fn write_rfc3339(&mut self, out: &mut Vec<u8>, now: SystemTime) {
        let millis = self.turn_to(now);
        out.extend_from_slice(self.rfc3339.as_bytes());
        let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or(0);
        out.extend_from_slice(&[
            b'.',
            digit(millis / 100),
            digit(millis / 10),
            digit(millis),
            b'Z',
        ]);
    }

    /// The value of `Date`.
    pub fn http_date(&mut self, now: SystemTime) -> &str {
        self.turn_to(now);
        &self.http_date
    }

    fn turn_to(&mut self, now: SystemTime) -> u32 {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        if since.as_secs() != self.seconds || self.rfc3339.is_empty() {
            let timestamp = Timestamp::new(now);
            self.seconds = timestamp.seconds;
            self.rfc3339 = timestamp.rfc3339_seconds();
            self.http_date = timestamp.http_date();
        }
        since.subsec_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, log, date) in [
            (0, "1970-01-01T00:00:00", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                784_111_777,
                "1994-11-06T08:49:37",
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                951_827_696,
                "2000-02-29T12:34:56",
                "Tue, 29 Feb 2000 12:34:56 GMT",
            ),
            (
                4_102_444_799,
                "2099-12-31T23:59:59",
                "Thu, 31 Dec 2099 23:59:59 GMT",
            ),
        ] {
            let timestamp = Timestamp::new(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(timestamp.rfc3339_seconds(), log);
            assert_eq!(timestamp.http_date(), date);
        }
    }

    #[test]
    fn the_cache_follows_the_clock() {
        let mut cache = TimestampCache::default();
        let mut out = Vec::new();
        cache.write_rfc3339(
            &mut out,
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_007),
        );
        cache.write_rfc3339(
            &mut out,
            SystemTime::UNIX_EPOCH + Duration::from_millis(2_450),
        );
        assert_eq!(out, b"1970-01-01T00:00:01.007Z1970-01-01T00:00:02.450Z");
    }
}
