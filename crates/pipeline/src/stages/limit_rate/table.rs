//! Where what is remembered of keys lives: a table of fixed size that every thread of every gateway counts in,
//! without a lock. Knows no request and no limit.
//!
//! The memory is the caller's: words that start as zero, in a process or shared by several. In it stand a head
//! (version, size, the secret of the hash), a directory of policies, and buckets of sixteen keys. A key is found
//! by its hash, or takes the first free place of its bucket; nothing is ever taken out, so that two threads that
//! bring in the same key meet at the same place. When a bucket is full, whoever was not seen for the longest time
//! makes room. Only then may hits be lost: those that come to the same place in the same instant.

mod bucket;
mod mark;
mod tally;

use std::fmt;
use std::hash::Hasher as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::time::Instant;

use self::bucket::{Bucket, tagged};
use self::mark::{Mark, SEEN};
use super::meter::{MEMORY_BITS, Meter, Outcome, Verdict};

pub(super) use self::tally::Tally;

/// Memory that several threads, or processes, count in.
pub type SharedWords = Arc<dyn AsRef<[AtomicU64]> + Send + Sync>;

/// Changes with what the words mean.
const VERSION: u64 = u64::from_be_bytes(*b"msrate\0\x01");
/// Words before the directory: version, two of the secret, and room.
const HEAD: usize = 16;
/// Policies that can be told apart; number 0 stands for all others.
const POLICIES: usize = 256;
/// Words of one in the directory: what it is, what it refused, what it banned.
const ENTRY: usize = 4;
/// Keys of a bucket: with half of all places taken, one key in ten thousand finds its bucket full.
const PLACES: usize = 16;
/// Words of a bucket: sixteen keys, then what is remembered of them, then when they were seen.
const BUCKET: usize = 3 * PLACES;
const FIRST_BUCKET: usize = HEAD + POLICIES * ENTRY;
/// 2^17 buckets hold two million keys in 48 MiB, and a million with room to spare.
const SHARED_BUCKETS: usize = 1 << 17;

const MEMORY: u64 = (1 << MEMORY_BITS) - 1;

/// Hits of keys, remembered.
#[derive(Clone)]
pub struct RateTable {
    words: SharedWords,
    buckets: usize,
    secret: [u64; 2],
    clock: Clock,
}

/// This memory holds no table, or another version's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATable;

impl fmt::Display for NotATable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shared memory holds no table of rate limits, or that of another version")
    }
}

impl std::error::Error for NotATable {}

/// Microseconds since the machine started, from the runtime's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    instant: Instant,
    micros: u64,
}

impl Clock {
    fn now(self) -> u64 {
        self.micros + self.instant.elapsed().as_micros() as u64
    }
}

/// After so many refusals in windows that follow each other, a key is refused everything for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ban {
    pub(super) after: u32,
    pub(super) lasts: Duration,
}

/// What one hit of a key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Counted(Outcome),
    /// Nothing is counted; it ends after so many seconds.
    Banned(u32),
}

impl RateTable {
    /// Words that a shared table takes.
    pub const fn words() -> usize {
        FIRST_BUCKET + SHARED_BUCKETS * BUCKET
    }

    /// Makes a table of words that are all zero. `secret` keeps clients from choosing keys that meet in one bucket.
    ///
    /// # Errors
    /// When there are too few words.
    pub fn prepare(words: &[AtomicU64], secret: [u64; 2]) -> Result<(), NotATable> {
        if words.len() < FIRST_BUCKET + BUCKET {
            return Err(NotATable);
        }
        words[1].store(secret[0], Relaxed);
        words[2].store(secret[1], Relaxed);
        words[0].store(VERSION, Release);
        Ok(())
    }

    /// A table that was made before. `uptime` is how long the machine has run, by the clock that all who share
    /// the table read.
    ///
    /// # Errors
    /// When the words hold none of this version.
    pub fn open(words: SharedWords, uptime: Duration) -> Result<Self, NotATable> {
        let all = (*words).as_ref();
        let buckets = all.len().saturating_sub(FIRST_BUCKET) / BUCKET;
        if buckets == 0 || all[0].load(Acquire) != VERSION {
            return Err(NotATable);
        }
        let secret = [all[1].load(Relaxed), all[2].load(Relaxed)];
        Ok(Self {
            // a power of two, so that a bucket is found without a division
            buckets: 1 << buckets.ilog2(),
            secret,
            clock: Clock {
                instant: Instant::now(),
                micros: uptime.as_micros() as u64,
            },
            words,
        })
    }

    /// A table of this process alone, for some ten thousand keys.
    #[must_use]
    pub fn private() -> Self {
        Self::with_buckets(1 << 10)
    }

    fn with_buckets(buckets: usize) -> Self {
        let words: Vec<AtomicU64> = std::iter::repeat_with(AtomicU64::default)
            .take(FIRST_BUCKET + buckets * BUCKET)
            .collect();
        words[1].store(fastrand::u64(..), Relaxed);
        words[2].store(fastrand::u64(..), Relaxed);
        words[0].store(VERSION, Release);
        let secret = [words[1].load(Relaxed), words[2].load(Relaxed)];
        Self {
            words: Arc::new(words),
            buckets,
            secret,
            // as if the machine had run for a while: 0 is never
            clock: Clock {
                instant: Instant::now(),
                micros: 1 << 32,
            },
        }
    }

    /// Microseconds since the machine started.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Hashes what makes a key. Never 0, which is a free place.
    pub(super) fn hash(&self, policy: u64, write: impl FnOnce(&mut SipHasher13)) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret[0], self.secret[1]);
        hasher.write_u64(policy);
        write(&mut hasher);
        hasher.finish().max(1)
    }

    fn all(&self) -> &[AtomicU64] {
        (*self.words).as_ref()
    }

    fn bucket(&self, key: u64) -> Bucket<'_> {
        // the upper bits; the lowest eight go into what is remembered
        let number = (key >> 40) as usize & (self.buckets - 1);
        let start = FIRST_BUCKET + number * BUCKET;
        let (keys, rest) = self.all()[start..start + BUCKET].split_at(PLACES);
        let (memories, marks) = rest.split_at(PLACES);
        Bucket {
            keys,
            memories,
            marks,
        }
    }

    /// Counts a hit.
    pub(super) fn hit(
        &self,
        key: u64,
        policy: u8,
        meter: &Meter,
        ban: Option<Ban>,
        now: u64,
        cost: u32,
    ) -> Hit {
        let bucket = self.bucket(key);
        let (second, horizon) = (now / 1_000_000, meter.horizon() / 1_000_000 + 1);
        loop {
            let place = bucket.place(key, second);
            let mark = bucket.look(place, key, |mark| mark.is_stale(second, horizon));
            if let Some(left) = mark.banned(second) {
                return Hit::Banned(left);
            }
            if mark.seen() != second & SEEN || mark.policy() != policy {
                bucket.touch(place, |mark| {
                    let is_stale = mark.is_stale(second, horizon);
                    let mark = if is_stale {
                        mark.with_refusals(0)
                    } else {
                        mark
                    };
                    mark.with_sight(second, policy)
                });
            }
            let Some(outcome) = bucket.count(place, key, |memory| meter.hit(memory, now, cost))
            else {
                continue;
            };
            if let Some(ban) = ban {
                let is_refused = matches!(outcome.verdict, Verdict::Refuse(_));
                if is_refused || outcome.forgives {
                    self.refused(&bucket.marks[place], policy, ban, second, &outcome);
                }
            }
            return Hit::Counted(outcome);
        }
    }

    /// One refusal more, or all of them forgotten.
    fn refused(&self, mark: &AtomicU64, policy: u8, ban: Ban, second: u64, outcome: &Outcome) {
        let is_refused = matches!(outcome.verdict, Verdict::Refuse(_));
        let mut begins = false;
        let _ = mark.fetch_update(AcqRel, Relaxed, |mark| {
            let mark = Mark(mark);
            let before = if outcome.forgives { 0 } else { mark.refusals() };
            let refusals = before + u64::from(is_refused);
            begins = refusals >= u64::from(ban.after);
            Some(if begins {
                mark.with_ban(second + ban.lasts.as_secs().max(1)).0
            } else {
                mark.with_refusals(refusals).0
            })
        });
        if begins {
            self.entry(policy)[2].fetch_add(1, Relaxed);
        }
    }

    /// Refuses a key everything from now on, for so long. A ban that holds is not made longer.
    pub(super) fn ban(&self, key: u64, policy: u8, lasts: Duration, now: u64) {
        let second = now / 1_000_000;
        let bucket = self.bucket(key);
        let place = bucket.place(key, second);
        let begins = bucket.marks[place].fetch_update(AcqRel, Relaxed, |mark| {
            let mark = Mark(mark);
            // rounded up: whatever led to it is over when it ends
            let until = (now + lasts.as_micros() as u64).div_ceil(1_000_000);
            let ban = || mark.with_sight(second, policy).with_ban(until).0;
            mark.banned(second).is_none().then(ban)
        });
        if begins.is_ok() {
            self.entry(policy)[2].fetch_add(1, Relaxed);
        }
    }

    /// Seconds until the ban of a key is over; none if it is not banned. Counts nothing.
    pub(super) fn banned(&self, key: u64, now: u64) -> Option<u32> {
        let bucket = self.bucket(key);
        let place = bucket.find(key)?;
        Mark(bucket.marks[place].load(Acquire)).banned(now / 1_000_000)
    }

    /// Bans that a policy ever spoke.
    pub(super) fn bans(&self, policy: u8) -> u64 {
        self.entry(policy)[2].load(Relaxed)
    }

    /// Gives back a hit that passed at `then`.
    pub(super) fn give_back(&self, key: u64, meter: &Meter, then: u64, cost: u32) {
        let bucket = self.bucket(key);
        let now = self.now();
        while let Some(place) = bucket.find(key) {
            let given = bucket.count(place, key, |memory| Outcome {
                memory: meter.give_back(memory, now, then, cost),
                verdict: Verdict::Pass,
                remaining: 0,
                reset: 0,
                forgives: false,
            });
            if given.is_some() {
                return;
            }
        }
    }

    /// Forgets hits, refusals and ban of a key. Whether there was any of it.
    pub(super) fn forget(&self, key: u64) -> bool {
        let bucket = self.bucket(key);
        let Some(place) = bucket.find(key) else {
            return false;
        };
        let mark = bucket.marks[place]
            .fetch_update(AcqRel, Relaxed, |mark| Some(Mark(mark).with_refusals(0).0));
        let memory = bucket.memories[place].swap(tagged(key, 0), AcqRel);
        memory & MEMORY != 0 || mark.is_ok_and(|mark| Mark(mark).is_ban())
    }

    fn entry(&self, policy: u8) -> &[AtomicU64] {
        let start = HEAD + usize::from(policy) * ENTRY;
        &self.all()[start..start + ENTRY]
    }

    /// The number under which a policy is counted: what it had before, or a free one; else 0.
    pub(super) fn number(&self, policy: u64) -> u8 {
        for number in 1..=u8::MAX {
            let id = &self.entry(number)[0];
            match id.compare_exchange(0, policy, AcqRel, Acquire) {
                Ok(_) => return number,
                Err(known) if known == policy => return number,
                Err(_) => {}
            }
        }
        0
    }

    /// Counts a refusal of a policy.
    pub(super) fn note_refusal(&self, policy: u8) {
        self.entry(policy)[1].fetch_add(1, Relaxed);
    }

    /// What a policy refused and banned, and how many of its keys were seen lately. Looks at every key in these
    /// words, which takes some milliseconds.
    pub(super) fn tally(&self, policy: u8, meter: &Meter, written: &[Range<usize>]) -> Tally {
        let entry = self.entry(policy);
        let now = self.now();
        let mut tally = Tally {
            refused: entry[1].load(Relaxed),
            bans: entry[2].load(Relaxed),
            ..Tally::default()
        };
        for bucket in self.written_buckets(written) {
            let start = FIRST_BUCKET + bucket * BUCKET;
            let bucket = &self.all()[start..start + BUCKET];
            let (keys, rest) = bucket.split_at(PLACES);
            let (memories, marks) = rest.split_at(PLACES);
            for ((key, memory), mark) in keys.iter().zip(memories).zip(marks) {
                let mark = Mark(mark.load(Relaxed));
                if key.load(Relaxed) == 0 || mark.policy() != policy {
                    continue;
                }
                tally.add(mark, memory.load(Relaxed) & MEMORY, meter, now);
            }
        }
        tally
    }

    /// Numbers of the buckets that begin in these words: one of which only a later part was written holds no key.
    fn written_buckets(&self, written: &[Range<usize>]) -> impl Iterator<Item = usize> {
        let number = |word: usize| word.saturating_sub(FIRST_BUCKET).div_ceil(BUCKET);
        let numbers = written
            .iter()
            .flat_map(move |words| number(words.start)..number(words.end));
        let buckets = self.buckets;
        numbers.take_while(move |number| *number < buckets)
    }
}

impl fmt::Debug for RateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of {} keys", self.buckets * PLACES)
    }
}

#[cfg(test)]
mod tests;
