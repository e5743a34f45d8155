//! How hits are counted: what is remembered of a key, and what one more hit means. Pure: it knows no clock, no
//! table, no request.
//!
//! What is remembered fits into 56 bits, so that it can be changed by one compare-and-swap; 0 is a key that was
//! never seen. Times are microseconds since the machine started, the same for every process on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How hits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// The hits of the last window, whenever it is asked. Two counters stand for them: those of the current window,
    /// and of the one before as much as still reaches into the last window's time, as if they had come evenly.
    #[default]
    SlidingWindow,
    /// A window begins at a key's first hit; refused hits count too, as in express-rate-limit.
    FixedWindow,
    /// A bucket that empties evenly, as nginx's `limit_req` (GCRA): as many at once as `burst` says beyond the
    /// first, then one at a time.
    TokenBucket,
}

/// The most hits of a window that can be counted.
pub(super) const MOST_HITS: u32 = (1 << COUNT_BITS) - 1;
/// The longest window: what express-rate-limit allows too, rounded down to days.
pub(super) const LONGEST_WINDOW: Duration = Duration::from_hours(24 * 24);

const COUNT_BITS: u32 = 22;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Bits of what is remembered.
pub(super) const MEMORY_BITS: u32 = 56;
const MEMORY: u64 = (1 << MEMORY_BITS) - 1;
/// A window's number, beside two counts.
const INDEX: u64 = (1 << (MEMORY_BITS - 2 * COUNT_BITS)) - 1;
/// A window's start in milliseconds, beside one count: round after 198 days, which the longest window is not.
const START: u64 = (1 << (MEMORY_BITS - COUNT_BITS)) - 1;
/// Threads' clocks are never further apart, in milliseconds: a thread that was put aside between reading its clock
/// and counting.
const A_MOMENT: u64 = 60_000;
/// Parts of a microsecond in which a bucket is counted, so that 300,000 a second are not rounded to anything else.
const FINE: u64 = 16;
const SECOND: u64 = 1_000_000;

/// What one hit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What is remembered from now on.
    pub(super) memory: u64,
    pub(super) verdict: Verdict,
    /// Hits that would still pass now.
    pub(super) remaining: u32,
    /// Microseconds until the key has its whole budget again, or the current window ends.
    pub(super) reset: u64,
    /// The key stayed within its limit lately: earlier refusals are forgotten.
    pub(super) forgives: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// Passes after so many microseconds.
    Wait(u64),
    /// One hit would pass after so many microseconds.
    Refuse(u64),
}

/// A limit, and how hits are counted against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    Sliding { limit: u64, window: u64 },
    Fixed { limit: u64, window: u64 },
    Bucket(Bucket),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Between two hits, in sixteenths of a microsecond.
    interval: u64,
    /// Hits beyond the first that may come at once.
    burst: u64,
    /// Hits beyond the first that need not wait; none: nobody waits.
    free: Option<u64>,
}

impl Meter {
    /// `limit` hits in `window`; `burst` and `free` are for a bucket alone.
    pub(super) fn new(
        algorithm: Algorithm,
        limit: u32,
        window: Duration,
        burst: u32,
        free: Option<u32>,
    ) -> Self {
        let limit = u64::from(limit).clamp(1, COUNT);
        let window = window.min(LONGEST_WINDOW).as_micros() as u64;
        // whole milliseconds, and never none
        let window = window.next_multiple_of(1_000).max(1_000);
        match algorithm {
            Algorithm::SlidingWindow => Self::Sliding { limit, window },
            Algorithm::FixedWindow => Self::Fixed { limit, window },
            Algorithm::TokenBucket => Self::Bucket(Bucket {
                interval: (window * FINE / limit).max(1),
                burst: u64::from(burst),
                free: free.map(u64::from),
            }),
        }
    }

    /// The most that pass at once.
    pub(super) fn limit(&self) -> u32 {
        match self {
            Self::Sliding { limit, .. } | Self::Fixed { limit, .. } => *limit as u32,
            Self::Bucket(bucket) => u32::try_from(bucket.burst + 1).unwrap_or(u32::MAX),
        }
    }

    /// Microseconds after which that many pass again.
    pub(super) fn window(&self) -> u64 {
        match self {
            Self::Sliding { window, .. } | Self::Fixed { window, .. } => *window,
            Self::Bucket(bucket) => bucket.fill() / FINE,
        }
    }

    /// After so many microseconds without a hit nothing of it counts any more.
    pub(super) fn horizon(&self) -> u64 {
        match self {
            Self::Sliding { window, .. } => 2 * window,
            Self::Fixed { window, .. } => *window,
            Self::Bucket(bucket) => bucket.fill() / FINE,
        }
    }

    /// What a hit of this cost comes to.
    pub(super) fn hit(&self, memory: u64, now: u64, cost: u32) -> Outcome {
        let cost = u64::from(cost);
        match self {
            Self::Sliding { limit, window } => sliding(*limit, *window, memory, now, cost),
            Self::Fixed { limit, window } => fixed(*limit, *window, memory, now, cost),
            Self::Bucket(bucket) => bucket.hit(memory, now, cost),
        }
    }

    /// What is remembered when a hit that passed at `then` is given back: nothing of it, unless its window is over.
    pub(super) fn give_back(&self, memory: u64, now: u64, then: u64, cost: u32) -> u64 {
        let cost = u64::from(cost);
        match self {
            Self::Sliding { window, .. } => {
                let mut seen = Windows::read(memory, now / window);
                match seen.index.saturating_sub(then / window) {
                    0 => seen.current = seen.current.saturating_sub(cost),
                    1 => seen.previous = seen.previous.saturating_sub(cost),
                    _ => {}
                }
                seen.write()
            }
            Self::Fixed { window, .. } => match Started::read(memory, now, *window) {
                // a window that began after the hit has never counted it
                Some(seen) if (now / 1_000).saturating_sub(seen.age) <= then / 1_000 => {
                    seen.with(seen.count.saturating_sub(cost))
                }
                _ => memory,
            },
            Self::Bucket(bucket) => memory.saturating_sub(bucket.interval * cost),
        }
    }

    /// As what this is remembered: two meters with the same signature understand each other's memories.
    pub(super) fn signature(&self) -> (u8, u64) {
        match self {
            Self::Sliding { window, .. } => (1, *window),
            Self::Fixed { window, .. } => (2, *window),
            Self::Bucket(bucket) => (3, bucket.interval),
        }
    }
}

/// Two counts, of a window and the one before it.
struct Windows {
    index: u64,
    previous: u64,
    current: u64,
}

impl Windows {
    /// As the counts stand in window `index`. Numbers come round after 4096 windows: the table forgets keys earlier.
    fn read(memory: u64, index: u64) -> Self {
        let (current, previous) = (memory & COUNT, memory >> COUNT_BITS & COUNT);
        let age = index.wrapping_sub(memory >> (2 * COUNT_BITS)) & INDEX;
        let (index, previous, current) = match age {
            0 => (index, previous, current),
            1 => (index, current, 0),
            // another thread read its clock a moment later, and wrote first
            INDEX if memory != 0 => (index + 1, previous, current),
            _ => (index, 0, 0),
        };
        Self {
            index,
            previous,
            current,
        }
    }

    fn write(&self) -> u64 {
        (self.index & INDEX) << (2 * COUNT_BITS) | self.previous << COUNT_BITS | self.current
    }
}

fn sliding(limit: u64, window: u64, memory: u64, now: u64, cost: u64) -> Outcome {
    let mut seen = Windows::read(memory, now / window);
    let now = now.max(seen.index * window);
    let left = window - now % window; // the part of the window before that still counts
    // in hits times microseconds, to be exact: 22 and 41 bits
    let used = |seen: &Windows| seen.previous * left + seen.current * window;
    let free = |seen: &Windows| ((limit * window).saturating_sub(used(seen)) / window) as u32;
    let forgives = seen.current == 0 && seen.previous < limit;
    if used(&seen) + cost * window <= limit * window {
        seen.current += cost;
        return Outcome {
            memory: seen.write(),
            verdict: Verdict::Pass,
            remaining: free(&seen),
            reset: left,
            forgives,
        };
    }
    let wait = until_fits(&seen, limit, window, left, cost);
    Outcome {
        memory: seen.write(),
        verdict: Verdict::Refuse(wait),
        remaining: free(&seen),
        reset: wait,
        forgives,
    }
}

/// How long until a hit fits, if nothing else comes.
fn until_fits(seen: &Windows, limit: u64, window: u64, left: u64, cost: u64) -> u64 {
    let cost = cost.min(limit);
    // The share of `count` hits that may still count, and when it is down to that.
    let shrinks = |count: u64, room: u64| window - (room * window / count.max(1)).min(window);
    match limit.checked_sub(seen.current + cost) {
        Some(room) if seen.previous > 0 => {
            shrinks(seen.previous, room).saturating_sub(window - left)
        }
        // in the next window the current one is the one before
        _ => left + shrinks(seen.current, limit - cost),
    }
}

/// One count, and since when.
struct Started {
    /// In milliseconds, as it is remembered.
    start: u64,
    /// Milliseconds since then.
    age: u64,
    count: u64,
}

impl Started {
    /// None if there is none, or it is over.
    fn read(memory: u64, now: u64, window: u64) -> Option<Self> {
        let (start, count) = (memory >> COUNT_BITS, memory & COUNT);
        let age = (now / 1_000).wrapping_sub(start) & START;
        // another thread read its clock a moment later, and wrote first
        let age = if START - age < A_MOMENT { 0 } else { age };
        (count > 0 && age < window / 1_000).then_some(Self { start, age, count })
    }

    fn with(&self, count: u64) -> u64 {
        self.start << COUNT_BITS | count.min(COUNT)
    }
}

fn fixed(limit: u64, window: u64, memory: u64, now: u64, cost: u64) -> Outcome {
    let before = memory & COUNT;
    let (seen, forgives) = match Started::read(memory, now, window) {
        Some(seen) => (seen, false),
        None => (
            Started {
                start: (now / 1_000) & START,
                age: 0,
                count: 0,
            },
            before <= limit,
        ),
    };
    let count = seen.count + cost;
    let reset = window - seen.age * 1_000;
    Outcome {
        memory: seen.with(count),
        verdict: if count > limit {
            Verdict::Refuse(reset)
        } else {
            Verdict::Pass
        },
        remaining: limit.saturating_sub(count) as u32,
        reset,
        forgives,
    }
}

impl Bucket {
    /// From empty to full, in sixteenths of a microsecond.
    fn fill(&self) -> u64 {
        self.interval.saturating_mul(self.burst + 1)
    }

    /// What is remembered is when the bucket will be empty.
    fn hit(&self, memory: u64, now: u64, cost: u64) -> Outcome {
        let now = now * FINE;
        let empty = memory.max(now);
        let (ahead, most) = (empty - now, self.interval.saturating_mul(self.burst));
        // the first needs no room; what costs more needs room for the rest
        let needed = ahead.saturating_add(self.interval.saturating_mul(cost.saturating_sub(1)));
        let forgives = memory <= now;
        if needed > most {
            return Outcome {
                memory: empty & MEMORY,
                verdict: Verdict::Refuse((needed - most).div_ceil(FINE)),
                remaining: self.left(ahead),
                reset: (needed - most).div_ceil(FINE),
                forgives,
            };
        }
        let empty = empty + self.interval * cost;
        let free = self.free.map(|free| self.interval.saturating_mul(free));
        let wait = free.map_or(0, |free| needed.saturating_sub(free));
        Outcome {
            memory: empty & MEMORY,
            verdict: match wait {
                0 => Verdict::Pass,
                wait => Verdict::Wait(wait.div_ceil(FINE)),
            },
            remaining: self.left(empty - now),
            reset: (empty - now).div_ceil(FINE),
            forgives,
        }
    }

    /// Hits that would pass with the bucket filled so far.
    fn left(&self, ahead: u64) -> u32 {
        let most = self.interval.saturating_mul(self.burst);
        match most.checked_sub(ahead) {
            Some(room) => u32::try_from(room / self.interval + 1).unwrap_or(u32::MAX),
            None => 0,
        }
    }
}

/// Microseconds as whole seconds, rounded up: what clients are told.
pub(super) fn seconds(micros: u64) -> u32 {
    u32::try_from(micros.div_ceil(SECOND)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
