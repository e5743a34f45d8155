//! Whether a release that is tried out answers as well as the one it replaces. Counts nothing, asks nobody.

use std::collections::BTreeMap;

use mainstay_config::Percent;
use mainstay_proxy::Tally;
use mainstay_supervisor::WorkerId;

use crate::failure::Failure;

/// Fewer failures say nothing of a release.
const FEWEST: u32 = 5;
/// Failures are the release's own when it has so many times as many of them as the old one.
const CLEARLY: f64 = 2.0;

/// The measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    max_errors: Percent,
}

impl Judge {
    pub(super) fn new(max_errors: Percent) -> Self {
        Self { max_errors }
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
        if self.holds(tried, others) {
            Ok(())
        } else {
            Err(Failure::app(self.complaint(tried, others)))
        }
    }

    /// Errors that the old release has too (a database that is away) are no reason to keep it.
    fn holds(self, new: Tally, old: Tally) -> bool {
        let most = f64::from(new.answers) * f64::from(self.max_errors.get()) / 100.0;
        let is_bad = new.failures >= FEWEST && f64::from(new.failures) > most;
        !is_bad || rate(new) <= CLEARLY * rate(old)
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

/// The share of failures to expect after what was seen: the fewer answers, the nearer to one half (Laplace's rule of
/// succession). So nobody is condemned beside others of whom next to nothing was seen.
fn rate(tally: Tally) -> f64 {
    (f64::from(tally.failures) + 1.0) / (f64::from(tally.answers) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(failures: u32, answers: u32) -> Tally {
        Tally {
            answers,
            failures,
            last_status: (failures > 0).then_some(500),
        }
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
        let judge = Judge::new(Percent::new(20).unwrap());
        for (new, old, expected, what) in cases {
            let (new, old) = (tally(new.0, new.1), tally(old.0, old.1));
            assert_eq!(judge.holds(new, old), expected, "{what}");
        }
        let never = Judge::new(Percent::new(100).unwrap());
        assert!(never.holds(tally(50, 50), tally(0, 100)));
        let at_once = Judge::new(Percent::new(0).unwrap());
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
        let judge = Judge::new(Percent::new(20).unwrap());
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
}
