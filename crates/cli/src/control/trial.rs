//! Whether a release that is tried out answers as well as the one it replaces. Counts nothing, asks nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_config::{Percent, ReloadSettings};
use mainstay_proxy::Tally;
use mainstay_supervisor::WorkerId;
use mainstay_values::format_duration;

use crate::failure::Failure;

/// Fewer failures say nothing of a release.
const FEWEST: u32 = 5;
/// Failures are the release's own when it has so many times as many of them as the old one.
const CLEARLY: f64 = 2.0;

/// One in so many answers may take longer than `max_latency`: that is its 95th percentile.
const MAY_BE_SLOW: f64 = 0.05;

/// The measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    max_errors: Percent,
    max_latency: Option<Duration>,
}

impl Judge {
    pub(super) fn new(options: &ReloadSettings) -> Self {
        Self {
            max_errors: options.max_errors,
            max_latency: options.max_latency,
        }
    }

    /// Whether the answers of `new` are still good enough, beside those of all others.
    ///
    /// # Errors
    /// They are not; why, in numbers.
    pub(super) fn judge(
        self,
        tallies: &BTreeMap<WorkerId, Tally>,
        new: &[WorkerId],
    ) -> Result<(), Failure> {
        let (mut tried, mut others) = (Tally::default(), Tally::default());
        for (worker, tally) in tallies {
            if new.contains(worker) {
                tried.add(*tally);
            } else {
                others.add(*tally);
            }
        }
        if !self.holds(tried, others) {
            return Err(Failure::app(self.complaint(tried, others)));
        }
        match self.max_latency {
            Some(most) if !is_fast_enough(tried, others) => {
                Err(Failure::app(too_slow(most, tried, others)))
            }
            _ => Ok(()),
        }
    }

    /// Errors that the old release has too (a database that is away) are no reason to keep it.
    fn holds(self, new: Tally, old: Tally) -> bool {
        let most = f64::from(new.answers) * f64::from(self.max_errors.get()) / 100.0;
        let is_bad = new.failures >= FEWEST && f64::from(new.failures) > most;
        !is_bad || rate(new.failures, new.answers) <= CLEARLY * rate(old.failures, old.answers)
    }

    fn complaint(self, new: Tally, old: Tally) -> String {
        let last = match new.last_status {
            Some(status) => format!("with status {status}"),
            None => "broken off".to_owned(),
        };
        format!(
            "{} of its {} answers were errors ({}%; `max_errors` of `[reload]` is {}), the last {last}; \
             of the old workers' answers meanwhile, {} of {}",
            new.failures,
            new.answers,
            u64::from(new.failures) * 100 / u64::from(new.answers.max(1)),
            self.max_errors,
            old.failures,
            old.answers,
        )
    }
}

/// What takes long in the old release too is no reason to keep it.
fn is_fast_enough(new: Tally, old: Tally) -> bool {
    let is_slow = new.slow >= FEWEST && f64::from(new.slow) > f64::from(new.answers) * MAY_BE_SLOW;
    !is_slow || rate(new.slow, new.answers) <= CLEARLY * rate(old.slow, old.answers)
}

fn too_slow(most: Duration, new: Tally, old: Tally) -> String {
    format!(
        "{} of its {} answers took longer than {} ({}%; `max_latency` of `[reload]` lets 5% do so); of the old workers' answers \
         meanwhile, {} of {}",
        new.slow,
        new.answers,
        format_duration(most),
        u64::from(new.slow) * 100 / u64::from(new.answers.max(1)),
        old.slow,
        old.answers,
    )
}

/// The share to expect after so many of so many were seen: the fewer answers, the nearer to one half (Laplace's rule of
/// succession). So nobody is condemned beside others of whom next to nothing was seen.
fn rate(some: u32, of: u32) -> f64 {
    (f64::from(some) + 1.0) / (f64::from(of) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(failures: u32, answers: u32) -> Tally {
        Tally {
            answers,
            failures,
            last_status: (failures > 0).then_some(500),
            slow: 0,
        }
    }

    fn judge(max_errors: u8, max_latency: Option<Duration>) -> Judge {
        Judge::new(&ReloadSettings {
            max_errors: Percent::new(max_errors).unwrap(),
            max_latency,
            ..ReloadSettings::default()
        })
    }

    #[test]
    fn a_release_is_held_to_what_the_old_one_does() {
        let cases = [
            ((0, 0), (0, 0), true, "nobody asks"),
            ((0, 100), (0, 100), true, "all is well"),
            ((4, 4), (0, 100), true, "too few to tell"),
            ((5, 5), (0, 100), false, "it cannot do anything"),
            ((20, 100), (0, 100), true, "just as many as it may have"),
            ((21, 100), (0, 100), false, "one more"),
            ((100, 100), (100, 100), true, "a database that is away"),
            ((95, 100), (60, 100), true, "a database that comes and goes"),
            ((95, 100), (30, 100), false, "more than its part of that"),
            ((50, 50), (0, 0), true, "nobody to compare it with"),
            (
                (50, 50),
                (0, 3),
                false,
                "a few are enough where all is well",
            ),
            ((5, 5), (2, 2), true, "a few that are none better"),
        ];
        for (new, old, expected, what) in cases {
            let (new, old) = (tally(new.0, new.1), tally(old.0, old.1));
            assert_eq!(judge(20, None).holds(new, old), expected, "{what}");
        }
        let never = judge(100, None);
        assert!(never.holds(tally(50, 50), tally(0, 100)));
        let at_once = judge(0, None);
        assert!(!at_once.holds(tally(5, 1_000), tally(0, 1_000)));
    }

    #[test]
    fn the_complaint_has_the_numbers_and_the_last_status() {
        let worker = |release| WorkerId {
            incarnation: 0,
            app: "shop".into(),
            release,
            index: 0,
        };
        let judge = judge(20, None);
        let mut tallies = BTreeMap::from([(worker(1), tally(1, 90)), (worker(2), tally(6, 10))]);
        let complaint = judge.judge(&tallies, &[worker(2)]).unwrap_err().message;
        assert_eq!(
            complaint,
            "6 of its 10 answers were errors (60%; `max_errors` of `[reload]` is 20%), the last with status 500; \
             of the old workers' answers meanwhile, 1 of 90"
        );
        tallies.entry(worker(2)).or_default().last_status = None;
        let complaint = judge.judge(&tallies, &[worker(2)]).unwrap_err().message;
        assert!(complaint.contains("the last broken off"), "{complaint}");
    }

    #[test]
    fn a_release_may_be_as_slow_as_the_old_one_is() {
        let tally = |slow, answers| Tally {
            slow,
            answers,
            ..Tally::default()
        };
        for (new, old, expected, what) in [
            ((0, 100), (0, 100), true, "all are fast"),
            ((4, 4), (0, 100), true, "too few to tell"),
            ((5, 100), (0, 100), true, "just as many as may be"),
            ((6, 100), (0, 100), false, "one more"),
            ((90, 100), (80, 100), true, "a database that is slow"),
            ((90, 100), (20, 100), false, "more than its part of that"),
            ((50, 50), (0, 0), true, "nobody to compare it with"),
        ] {
            let found = is_fast_enough(tally(new.0, new.1), tally(old.0, old.1));
            assert_eq!(found, expected, "{what}");
        }
        let worker = |release| WorkerId {
            incarnation: 0,
            app: "shop".into(),
            release,
            index: 0,
        };
        let tallies = BTreeMap::from([(worker(1), tally(1, 200)), (worker(2), tally(9, 30))]);
        let judged = |most| judge(20, most).judge(&tallies, &[worker(2)]);
        assert!(judged(None).is_ok());
        assert_eq!(
            judged(Some(Duration::from_millis(250)))
                .unwrap_err()
                .message,
            "9 of its 30 answers took longer than 250ms (30%; `max_latency` of `[reload]` lets 5% do so); of the old workers' \
             answers meanwhile, 1 of 200"
        );
    }
}
