//! Whether a worker hangs: it does not report although it could. Arithmetic on moments; looks at nothing but what the
//! kernel counts of a process, and signals nobody.

use std::fs;
use std::time::Duration;

/// How often a Node worker reports, for this limit: often enough that several reports must fail to come.
pub(crate) fn report_every(limit: Duration) -> Duration {
    (limit / 4).min(Duration::from_secs(1))
}

/// How often it is looked at.
pub(crate) fn look_every(limit: Duration) -> Duration {
    (limit / 8).clamp(Duration::from_millis(20), Duration::from_secs(2))
}

/// Watches the reports of one start of a worker. Moments are counted from any fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watch {
    /// The longest silence of a worker that could speak.
    limit: Duration,
    /// When it last reported; absent until it does.
    last: Option<Duration>,
    /// The part of the silence since then in which it, or we, could do nothing for want of a CPU.
    excused: Duration,
    /// What it had waited for a CPU in all its life, at the last look.
    waited: Option<Duration>,
}

impl Watch {
    /// Nothing heard yet: nobody is hung before the first report.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            last: None,
            excused: Duration::ZERO,
            waited: None,
        }
    }

    /// It reported.
    pub(crate) fn reported(&mut self, now: Duration) {
        *self = Self {
            last: Some(now),
            ..Self::new(self.limit)
        };
    }

    /// Somebody looks into it with a debugger: it may stand still until it reports as usual.
    pub(crate) fn pause(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Looks at it, `late` after the look was due; `waited` says how long the process has waited for a CPU in its life.
    /// Returns whether it hangs.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        late: Duration,
        waited: impl FnOnce() -> Option<Duration>,
    ) -> bool {
        let Some(last) = self.last else { return false };
        let silence = now.saturating_sub(last);
        // In good times this is all, and nothing is read.
        if self.limit.is_zero() || silence < self.limit / 4 {
            return false;
        }
        let waited = waited();
        let waiting = match (self.waited, waited) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => Duration::ZERO,
        };
        self.waited = waited;
        // Both are true at once on a busy machine: the longer one counts.
        self.excused += waiting.max(late);
        silence.saturating_sub(self.excused) >= self.limit
    }

    /// Somebody else says that it has been silent for so long. Not for a watch that is also told reports.
    pub(crate) fn suspected(
        &mut self,
        now: Duration,
        silence: Duration,
        waited: impl FnOnce() -> Option<Duration>,
    ) -> bool {
        let since = now.saturating_sub(silence);
        match self.last {
            Some(last) if since <= last + self.limit / 8 => self.last = Some(last.min(since)),
            _ => self.reported(since), // it has answered since
        }
        self.look(now, Duration::ZERO, waited)
    }
}

/// How long the main thread of a process has been ready to run without getting a CPU, in all its life. `None` where the
/// kernel does not count it.
pub(crate) fn waited_for_cpu(pid: u32) -> Option<Duration> {
    parse(&fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?)
}

/// `time on CPU, time waiting for one, number of turns`, in nanoseconds.
fn parse(text: &str) -> Option<Duration> {
    let waited = text.split_whitespace().nth(1)?;
    Some(Duration::from_nanos(waited.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Looks every two seconds after a report at 10; when it is found hung, in seconds of silence. `delay` and `late`
    /// are what each look finds, in seconds.
    fn found_after(delay: u64, late: u64, looks: u64) -> Option<u64> {
        let mut watch = Watch::new(LIMIT);
        watch.reported(Duration::from_secs(10));
        (1..=looks).map(|look| look * 2).find(|silence| {
            let waited = || Some(Duration::from_millis(delay * silence / 2));
            let now = Duration::from_secs(10 + silence);
            watch.look(now, Duration::from_millis(late), waited)
        })
    }

    #[test]
    fn silence_of_one_who_could_speak_is_a_hang() {
        assert_eq!(found_after(0, 0, 100), Some(30));
        assert_eq!(
            found_after(500, 0, 100),
            Some(38),
            "a quarter of the time without a CPU"
        );
        assert_eq!(
            found_after(0, 500, 100),
            Some(38),
            "a quarter of the time we were late"
        );
        assert_eq!(found_after(1_900, 1_900, 100), None, "starved");
    }

    #[test]
    fn one_that_never_reported_or_is_debugged_or_need_not_report_does_not_hang() {
        let late = Duration::from_secs(1_000);
        let mut watch = Watch::new(LIMIT);
        assert!(!watch.look(late, Duration::ZERO, || None));
        watch.reported(Duration::from_secs(1));
        watch.pause();
        assert!(!watch.look(late, Duration::ZERO, || None));
        let mut watch = Watch::new(Duration::ZERO);
        watch.reported(Duration::from_secs(1));
        assert!(!watch.look(late, Duration::ZERO, || None));
    }

    #[test]
    fn a_report_ends_the_silence() {
        let mut watch = Watch::new(LIMIT);
        watch.reported(Duration::ZERO);
        assert!(!watch.look(Duration::from_secs(29), Duration::ZERO, || None));
        watch.reported(Duration::from_secs(29));
        assert!(!watch.look(Duration::from_secs(58), Duration::ZERO, || None));
        assert!(watch.look(Duration::from_secs(59), Duration::ZERO, || None));
    }

    #[test]
    fn a_suspicion_counts_the_silence_that_was_seen() {
        let at = Duration::from_secs;
        let mut watch = Watch::new(LIMIT);
        assert!(!watch.suspected(at(100), at(10), || None));
        assert!(watch.suspected(at(120), at(30), || None));
        // Answered in between: a new silence.
        assert!(!watch.suspected(at(140), at(10), || None));
        // Starved meanwhile.
        assert!(!watch.suspected(at(145), at(15), || Some(at(5))));
        assert!(!watch.suspected(at(160), at(30), || Some(at(18))));
        assert!(watch.suspected(at(175), at(45), || Some(at(18))));
    }

    #[test]
    fn what_the_kernel_counts_is_read() {
        assert_eq!(
            parse("537968 122394 2\n"),
            Some(Duration::from_nanos(122_394))
        );
        assert_eq!(parse("0 0"), Some(Duration::ZERO));
        assert_eq!(parse(""), None);
        assert!(waited_for_cpu(std::process::id()).is_some());
    }
}
