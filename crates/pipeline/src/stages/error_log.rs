//! What apps said in answers that were replaced, on its way to the log: among the access lines of its thread, so many a
//! second. Sends nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mainstay_observe::ErrorRecord;

use super::AccessLog;

/// An app that fails every request says the same each time.
const MOST_IN_A_PERIOD: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// The error log of one thread.
#[derive(Debug, Default)]
pub struct ErrorLog {
    lines: Arc<AccessLog>,
    pace: Mutex<Pace>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Pace {
    began: Option<Instant>,
    written: u32,
    /// Since the last line.
    dropped: u64,
}

impl ErrorLog {
    /// A log whose lines go with these.
    pub fn new(lines: Arc<AccessLog>) -> Self {
        Self {
            lines,
            ..Self::default()
        }
    }

    /// Lines that were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Writes a line, unless there were too many within a second; the next that is written says how many those were.
    pub(crate) fn write(&self, mut record: ErrorRecord<'_>, now: Instant) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= PERIOD)
        {
            pace.began = Some(now);
            pace.written = 0;
        }
        if pace.written >= MOST_IN_A_PERIOD {
            pace.dropped += 1;
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        pace.written += 1;
        record.dropped_before = std::mem::take(&mut pace.dropped);
        drop(pace);
        self.lines.write(|text, clock| record.write(text, clock));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::SystemTime;

    use super::*;

    fn record() -> ErrorRecord<'static> {
        ErrorRecord {
            time: SystemTime::UNIX_EPOCH,
            request_id: b"abc",
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            method: "GET",
            host: b"",
            target: "/",
            status: 500,
            route: "default",
            user: None,
            origin: None,
            leak: "trace",
            content_type: None,
            body: b"boom",
            dropped_before: 0,
        }
    }

    #[test]
    fn so_many_a_second_and_the_next_says_how_many_were_left_out() {
        let lines = Arc::new(AccessLog::default());
        let log = ErrorLog::new(Arc::clone(&lines));
        let began = Instant::now();
        for _ in 0..25 {
            log.write(record(), began);
        }
        assert_eq!(log.dropped(), 15);
        let count = |text: Vec<u8>| text.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(count(lines.take()), 10);
        log.write(record(), began + PERIOD);
        let text = String::from_utf8(lines.take()).expect("text");
        assert!(text.contains("\"dropped_before\":15"), "{text}");
    }
}
