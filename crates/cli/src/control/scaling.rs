//! How many workers an app should have, by how busy those are that it has. Arithmetic on what was seen: measures nothing,
//! starts and ends nobody.
//!
//! Upwards it takes seconds, downwards minutes: too few workers cost answers, too many cost memory. Between the two
//! borders lies more than one worker takes off the others, so that one step never asks for the next one back.

use std::time::Duration;

use mainstay_supervisor::options::WorkerRange;

/// Workers that are busy for this part of the time answer late as soon as two requests come at once.
const BUSY: f64 = 0.75;
/// Nobody is missed who would leave the others busy for less than this part.
const EASY: f64 = 0.5;
/// Requests that waited so long for a place at a worker: a burst of a page and its parts is over sooner.
const LONG_WAIT: Duration = Duration::from_millis(100);
/// So many looks in a row say something; one alone may be a burst.
const LOOKS: usize = 3;
/// A worker that was just added has to take its part before the next one is thought of.
const UP_EVERY: Duration = Duration::from_secs(5);
/// A number of workers that could not be had is not tried again so soon.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// A step down that is regretted again and again is not tried more rarely than this.
const LONGEST_CALM: Duration = Duration::from_hours(1);

/// What is seen of an app at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// How many workers it is meant to have.
    pub(super) workers: u32,
    /// How many of them can be given work.
    pub(super) ready: u32,
    /// The part of the time since the last look in which they were busy, 0 to 1, on average.
    pub(super) busy: f64,
    /// How long requests waited in the gateway for a place at one of them, at most.
    pub(super) waited: Duration,
    /// Whether there is memory for one more.
    pub(super) room: Room,
}

/// Memory for one more worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    TooLittle,
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Stay,
    /// One more, or one fewer.
    To(u32, Reason),
    /// One more is needed, and there is no memory for it. Said once.
    NoRoom(Reason),
}

/// Why the number is not right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reason {
    /// The workers were busy for this part of the time.
    Busy(f64),
    /// Requests waited for so long.
    Waited(Duration),
    /// For so long the workers were busy for so little that one fewer does.
    Easy(f64, Duration),
}

/// What is remembered of one app.
#[derive(Clone, Debug, Default)]
pub(super) struct Scaler {
    /// The last looks at the present number of workers, the newest last.
    busy: Vec<f64>,
    /// How many looks in a row saw requests wait.
    waits: usize,
    /// Since when one fewer would do.
    easy_since: Option<Duration>,
    /// When it was changed last.
    changed: Option<(Duration, Direction)>,
    /// How often in a row one fewer was soon found to be too few.
    regrets: u32,
    not_before: Duration,
    lacks_room: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Scaler {
    /// Looks at the app. `now` is counted from any fixed moment.
    pub(super) fn look(&mut self, now: Duration, range: WorkerRange, look: &Look) -> Verdict {
        if look.ready < look.workers {
            // while somebody is missing, the others say nothing about all
            self.forget_looks();
            return Verdict::Stay;
        }
        if self.busy.len() == LOOKS {
            self.busy.remove(0);
        }
        self.busy.push(look.busy);
        self.waits = if look.waited >= LONG_WAIT {
            self.waits + 1
        } else {
            0
        };
        let busy = self.busy.iter().sum::<f64>() / self.busy.len() as f64;
        if self.needs_more(busy) {
            self.easy_since = None;
            return self.more(now, range, look, busy);
        }
        self.lacks_room = false;
        self.fewer(now, range, look, busy)
    }

    /// The number that was wanted could not be had.
    pub(super) fn failed(&mut self, now: Duration) {
        self.forget_looks();
        self.not_before = now + AFTER_FAILURE;
    }

    /// Something else happens to its workers: what was seen so far says nothing of what comes.
    pub(super) fn disturbed(&mut self) {
        self.forget_looks();
    }

    /// Where its last step went.
    pub(super) fn direction(&self) -> Option<&'static str> {
        self.changed.map(|(_, direction)| match direction {
            Direction::Up => "up",
            Direction::Down => "down",
        })
    }

    fn needs_more(&self, busy: f64) -> bool {
        self.waits >= LOOKS || (self.busy.len() == LOOKS && busy >= BUSY)
    }

    fn more(&mut self, now: Duration, range: WorkerRange, look: &Look, busy: f64) -> Verdict {
        let too_soon = self
            .changed
            .is_some_and(|(changed, _)| now < changed + UP_EVERY);
        if look.workers >= range.max || too_soon || now < self.not_before {
            return Verdict::Stay;
        }
        let reason = if busy >= BUSY {
            Reason::Busy(busy)
        } else {
            Reason::Waited(look.waited)
        };
        if look.room == Room::TooLittle {
            let is_known = std::mem::replace(&mut self.lacks_room, true);
            return if is_known {
                Verdict::Stay
            } else {
                Verdict::NoRoom(reason)
            };
        }
        self.regrets = match self.changed {
            Some((changed, Direction::Down)) if now < changed + self.calm(range) * 2 => {
                self.regrets.saturating_add(1)
            }
            Some((_, Direction::Up)) => self.regrets,
            _ => 0,
        };
        self.change(now, Direction::Up);
        Verdict::To(look.workers + 1, reason)
    }

    fn fewer(&mut self, now: Duration, range: WorkerRange, look: &Look, busy: f64) -> Verdict {
        let left = look.workers.saturating_sub(1);
        let would_be = busy * f64::from(look.workers) / f64::from(left.max(1));
        let is_easy = self.waits == 0 && would_be <= EASY;
        if left < range.min || !is_easy {
            self.easy_since = None;
            return Verdict::Stay;
        }
        let since = *self.easy_since.get_or_insert(now);
        let lasted = now.saturating_sub(since);
        if lasted < self.calm(range) || now < self.not_before {
            return Verdict::Stay;
        }
        self.change(now, Direction::Down);
        Verdict::To(left, Reason::Easy(busy, lasted))
    }

    /// Longer after each step down that was regretted: where the load comes and goes, workers need not.
    fn calm(&self, range: WorkerRange) -> Duration {
        let longer = range.calm.saturating_mul(1 << self.regrets.min(12));
        longer.min(LONGEST_CALM.max(range.calm))
    }

    fn change(&mut self, now: Duration, direction: Direction) {
        self.forget_looks();
        self.changed = Some((now, direction));
        self.lacks_room = false;
    }

    fn forget_looks(&mut self) {
        self.busy.clear();
        self.waits = 0;
        self.easy_since = None;
    }
}

#[cfg(test)]
mod tests;
