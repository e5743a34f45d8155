//! The last crash reports of an instance, kept in memory and, so that they outlive it, on disk; bounded. Decides nothing.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mainstay_supervisor::WorkerId;
use mainstay_supervisor::events::Cause;
use mainstay_supervisor::process::Exit;

use super::roster::Record;
use crate::crash::{Crash, Reason};
use crate::state::CrashStore;

/// Reports that are kept; of more, the oldest goes.
const KEPT: usize = 64;
/// Bytes of the last lines that are kept of each, the newest first.
const KEPT_BYTES: usize = 32 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Crashes {
    reports: VecDeque<Crash>,
    store: CrashStore,
}

/// An end that nobody asked for, as it was told.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) worker: &'a WorkerId,
    pub(super) cause: &'a Cause,
    pub(super) exit: Exit,
    pub(super) uptime: Duration,
    pub(super) was_ready: bool,
    /// What was known of it.
    pub(super) record: Option<&'a Record>,
    pub(super) restart_in: Option<Duration>,
    pub(super) hint: Option<&'a str>,
    pub(super) lines: &'a [String],
}

impl Crashes {
    /// Of the instance of that name, with those that an earlier one left.
    pub(super) fn of(name: &str) -> Self {
        Self {
            reports: CrashStore::read(name).into(),
            store: CrashStore::of(name),
        }
    }

    /// As the program before has kept them.
    pub(super) fn take_up(name: &str, reports: Vec<Crash>) -> Self {
        Self {
            reports: reports.into(),
            store: CrashStore::of(name),
        }
    }

    /// All of them, the oldest first.
    pub(super) fn reports(&self) -> Vec<Crash> {
        self.reports.iter().cloned().collect()
    }

    /// Waits until all are on disk, but not for one that hangs.
    pub(super) fn settle(&self) {
        self.store.settle();
    }

    pub(super) fn add(&mut self, end: &End<'_>) {
        if self.reports.len() == KEPT {
            self.reports.pop_front();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.reports.push_back(Crash {
            app: end.worker.app.to_string(),
            worker: end.worker.index,
            release: end.worker.release,
            at: now.unwrap_or_default().as_secs(),
            reason: reason(end),
            exit: end.exit.to_string(),
            code: match end.exit {
                Exit::Code(code) => Some(code),
                _ => None,
            },
            signal: match end.exit {
                Exit::Signal(signal) => Some(signal),
                _ => None,
            },
            uptime_ms: milliseconds(end.uptime),
            was_ready: end.was_ready,
            memory: end.record.and_then(|record| record.memory),
            in_flight: end.record.and_then(|record| record.in_flight),
            restart_in_ms: end.restart_in.map(milliseconds),
            hint: end.hint.map(str::to_owned),
            lines: newest(end.lines),
        });
        self.store.keep(self.reports.iter());
    }

    /// All of them, the oldest first, as JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(&self.reports).unwrap_or_default()
    }
}

fn reason(end: &End<'_>) -> Reason {
    match (end.cause, end.exit) {
        (Cause::TimedOut(_) | Cause::Elsewhere(_), _) => Reason::Timeout,
        _ if end.record.is_some_and(|record| record.is_hung) => Reason::Hang,
        (_, Exit::OutOfMemory) => Reason::Memory,
        _ => Reason::Crash,
    }
}

/// As many of the last lines as may be kept.
fn newest(lines: &[String]) -> Vec<String> {
    let mut room = KEPT_BYTES;
    let fits = |line: &&String| {
        let left = room.checked_sub(line.len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut kept: Vec<String> = lines.iter().rev().take_while(fits).cloned().collect();
    kept.reverse();
    kept
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use mainstay_supervisor::Event;
    use mainstay_supervisor::events::Why;

    use super::super::roster::Roster;
    use super::*;

    fn end<'a>(worker: &'a WorkerId, cause: &'a Cause, exit: Exit, lines: &'a [String]) -> End<'a> {
        End {
            worker,
            cause,
            exit,
            uptime: Duration::from_secs(2),
            was_ready: true,
            record: None,
            restart_in: None,
            hint: None,
            lines,
        }
    }

    fn worker() -> WorkerId {
        WorkerId {
            app: "api".into(),
            release: 1,
            index: 0,
            incarnation: 0,
        }
    }

    #[test]
    fn reasons_are_told_apart() {
        let worker = worker();
        let late = Cause::TimedOut(Duration::from_secs(1));
        let ended = |exit| Cause::Ended(exit);
        let mut roster = Roster::default();
        roster.expect(&worker);
        roster.note(&Event::Draining {
            worker: worker.clone(),
            why: Why::Hung,
        });
        let hung = roster.find(&worker);
        for (cause, exit, record, expected) in [
            (ended(Exit::Code(3)), Exit::Code(3), None, Reason::Crash),
            (
                ended(Exit::Signal(11)),
                Exit::Signal(11),
                None,
                Reason::Crash,
            ),
            (
                ended(Exit::OutOfMemory),
                Exit::OutOfMemory,
                None,
                Reason::Memory,
            ),
            (ended(Exit::Signal(9)), Exit::Signal(9), hung, Reason::Hang),
            (late, Exit::Signal(9), None, Reason::Timeout),
        ] {
            let end = End {
                record,
                ..end(&worker, &cause, exit, &[])
            };
            assert_eq!(reason(&end), expected, "{cause:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (worker, cause) = (worker(), Cause::Ended(Exit::Code(1)));
        let lines: Vec<String> = (0..100).map(|number| format!("{number:>1000}")).collect();
        let mut crashes = Crashes {
            reports: VecDeque::new(),
            store: CrashStore::nowhere(),
        };
        for code in 0..100 {
            crashes.add(&end(&worker, &cause, Exit::Code(code), &lines));
        }
        assert_eq!(crashes.reports.len(), KEPT);
        let (first, last) = (&crashes.reports[0], &crashes.reports[KEPT - 1]);
        assert_eq!((first.code, last.code), (Some(36), Some(99)));
        assert_eq!(last.lines.len(), 32, "32 KiB of them");
        assert_eq!(last.lines.last(), lines.last());
    }
}
