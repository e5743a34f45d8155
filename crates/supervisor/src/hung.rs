//! Whether a worker hangs: it does not report although it could. Arithmetic on moments; looks at nothing but what the
//! kernel counts of a process, and signals nobody.

use std::fs;
use std::time::Duration;

use crate::probe::Silence;
use crate::tree;

/// How often a Node worker reports, for this limit: often enough that several reports must fail to come.
pub(crate) fn report_every(limit: Duration) -> Duration {
    (limit / 4).min(Duration::from_secs(1))
}

/// How often it is looked at.
pub(crate) fn look_every(limit: Duration) -> Duration {
    (limit / 8).clamp(Duration::from_millis(20), Duration::from_secs(2))
}

/// Of more threads nothing is read: a look must not take long.
const MOST_THREADS: usize = 512;

/// What the kernel says of a process's main thread, which runs a Node app's event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Cpu {
    /// Time on a CPU, in all its life.
    ran: Duration,
    /// Time it was ready to run and waited for a CPU, in all its life; counted only when it gets one again.
    waited: Duration,
    /// It is ready to run now.
    wants: bool,
}

impl Cpu {
    /// As it is now. `None` when the process is gone, or where the kernel does not count.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let times = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        let (ran, waited) = parse(&times)?;
        let wants = tree::state(pid)? == b'R';
        Some(Self { ran, waited, wants })
    }

    /// Of all threads of these processes together. `None` when all are gone.
    pub(crate) fn of_all(pids: &[u32]) -> Option<Self> {
        let threads = pids.iter().flat_map(|pid| {
            let entries = fs::read_dir(format!("/proc/{pid}/task"));
            entries.into_iter().flatten().flatten()
        });
        let each = threads.take(MOST_THREADS).filter_map(|entry| {
            let read = |name| fs::read_to_string(entry.path().join(name)).ok();
            let (ran, waited) = parse(&read("schedstat")?)?;
            let wants = read("stat")?
                .rsplit_once(')')?
                .1
                .trim_start()
                .starts_with('R');
            Some(Self { ran, waited, wants })
        });
        each.reduce(|all, one| Self {
            ran: all.ran + one.ran,
            waited: all.waited + one.waited,
            wants: all.wants || one.wants,
        })
    }

    /// The part of `passed`, the time since `before`, in which it could do nothing for want of a CPU.
    fn starved(self, before: Self, passed: Duration) -> Duration {
        let waited = self.waited.saturating_sub(before.waited);
        let idle = if self.wants {
            passed.saturating_sub(self.ran.saturating_sub(before.ran))
        } else {
            Duration::ZERO
        };
        waited.max(idle)
    }
}

/// Watches the reports of one start of a worker. Moments are counted from any fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Watch {
    /// The longest silence of a worker that could speak.
    limit: Duration,
    /// When it last reported; absent until it does.
    last: Option<Duration>,
    /// The part of the silence since then in which it, or we, could do nothing for want of a CPU.
    excused: Duration,
    /// What the last look saw, and when.
    seen: Option<(Duration, Cpu)>,
}

impl Watch {
    /// Nothing heard yet: nobody is hung before the first report.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            last: None,
            excused: Duration::ZERO,
            seen: None,
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

    /// Looks at it, `late` after the look was due. Returns whether it hangs.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        late: Duration,
        cpu: impl FnOnce() -> Option<Cpu>,
    ) -> bool {
        let Some(last) = self.last else { return false };
        let silence = now.saturating_sub(last);
        // In good times this is all, and nothing is read.
        if self.limit.is_zero() || silence < self.limit / 4 {
            return false;
        }
        let seen = cpu().map(|cpu| (now, cpu));
        let starved = match (self.seen, seen) {
            (Some((then, before)), Some((_, cpu))) => cpu.starved(before, now.saturating_sub(then)),
            _ => Duration::ZERO,
        };
        self.seen = seen;
        // Both are true at once on a busy machine: the longer one counts.
        self.excused += starved.max(late);
        silence.saturating_sub(self.excused) >= self.limit
    }

    /// Somebody else says that it has been silent for so long. Not for a watch that is also told reports.
    pub(crate) fn suspected(
        &mut self,
        now: Duration,
        silence: Silence,
        cpu: impl FnOnce() -> Option<Cpu>,
    ) -> bool {
        let since = now.saturating_sub(silence.lasted);
        match self.last {
            Some(last) if since <= last + self.limit / 8 => self.last = Some(last.min(since)),
            _ => self.reported(since), // it has answered since
        }
        self.look(now, silence.late, cpu)
    }
}

/// `time on CPU, time waiting for one, number of turns`, in nanoseconds.
fn parse(text: &str) -> Option<(Duration, Duration)> {
    let mut fields = text.split_whitespace().map(str::parse);
    let mut next = || Some(Duration::from_nanos(fields.next()?.ok()?));
    Some((next()?, next()?))
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
            let cpu = || {
                Some(Cpu {
                    waited: Duration::from_millis(delay * silence / 2),
                    ..Cpu::default()
                })
            };
            let now = Duration::from_secs(10 + silence);
            watch.look(now, Duration::from_millis(late), cpu)
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
        let silence = |seconds| Silence {
            lasted: at(seconds),
            late: Duration::ZERO,
        };
        let mut watch = Watch::new(LIMIT);
        assert!(!watch.suspected(at(100), silence(10), || None));
        assert!(watch.suspected(at(120), silence(30), || None));
        // Answered in between: a new silence.
        assert!(!watch.suspected(at(140), silence(10), || None));
        // Starved meanwhile.
        let waited = |seconds| {
            move || {
                Some(Cpu {
                    waited: at(seconds),
                    ..Cpu::default()
                })
            }
        };
        assert!(!watch.suspected(at(145), silence(15), waited(5)));
        assert!(!watch.suspected(at(160), silence(30), waited(18)));
        assert!(watch.suspected(at(175), silence(45), waited(18)));
    }

    #[test]
    fn who_is_ready_to_run_and_does_not_is_starved() {
        let at = Duration::from_secs;
        let cpu = |ran, waited, wants| Cpu {
            ran: at(ran),
            waited: at(waited),
            wants,
        };
        let before = cpu(10, 20, true);
        let cases = [
            (cpu(10, 20, true), 8, "no turn at all"),
            (cpu(18, 20, true), 0, "an endless loop"),
            (cpu(12, 26, true), 6, "an endless loop that shares its CPU"),
            (cpu(12, 21, true), 6, "whose wait is not counted yet"),
            (cpu(10, 20, false), 0, "asleep, or stopped"),
            (cpu(11, 25, false), 5, "asleep now"),
        ];
        for (now, expected, what) in cases {
            assert_eq!(now.starved(before, at(8)), at(expected), "{what}");
        }
    }

    #[test]
    fn what_the_kernel_counts_is_read() {
        let nanos = Duration::from_nanos;
        let found = parse("537968 122394 2\n");
        assert_eq!(found, Some((nanos(537_968), nanos(122_394))));
        assert_eq!(parse("0"), None);
        assert_eq!(parse("0 x"), None);
        assert!(Cpu::of(std::process::id()).is_some());
        assert!(Cpu::of_all(&[std::process::id()]).is_some());
        assert_eq!(Cpu::of_all(&[]), None);
    }
}
