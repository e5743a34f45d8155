//! Sixteen places of the table: where a key is found, comes in, makes room for another, and is counted.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::mark::Mark;
use super::{MEMORY, PLACES};
use crate::stages::limit_rate::meter::{MEMORY_BITS, Outcome};

/// Sixteen keys, what is remembered of them, when they were seen.
pub(super) struct Bucket<'a> {
    pub(super) keys: &'a [AtomicU64],
    pub(super) memories: &'a [AtomicU64],
    pub(super) marks: &'a [AtomicU64],
}

impl Bucket<'_> {
    pub(super) fn find(&self, key: u64) -> Option<usize> {
        self.keys
            .iter()
            .position(|known| known.load(Acquire) == key)
    }

    /// Where a key is, or from now on shall be.
    pub(super) fn place(&self, key: u64, second: u64) -> usize {
        loop {
            for (place, known) in self.keys.iter().enumerate() {
                match known.load(Acquire) {
                    found if found == key => return place,
                    0 => match known.compare_exchange(0, key, AcqRel, Acquire) {
                        Ok(_) => return place,
                        Err(found) if found == key => return place,
                        Err(_) => {}
                    },
                    _ => {}
                }
            }
            if let Some(place) = self.evict(key, second) {
                return place;
            }
        }
    }

    /// Gives the place of whoever was not seen for the longest time, unless somebody else was faster.
    fn evict(&self, key: u64, second: u64) -> Option<usize> {
        let age = |place: &usize| Mark(self.marks[*place].load(Relaxed)).idle(second);
        let oldest = (0..PLACES).max_by_key(age)?;
        let before = self.keys[oldest].load(Acquire);
        if before == key
            || self.keys[oldest]
                .compare_exchange(before, key, AcqRel, Acquire)
                .is_err()
        {
            return None;
        }
        self.memories[oldest].store(tagged(key, 0), Release);
        self.marks[oldest].store(0, Release);
        Some(oldest)
    }

    /// The mark of a key. What is remembered beside a stale one is forgotten.
    ///
    /// The order is what makes this exact: memory is read before the mark, forgotten before the mark is touched, and
    /// counted in after that. Whoever finds a stale mark has read memory in which nobody had counted yet; if somebody
    /// has since, it differs, and stays.
    pub(super) fn look(&self, place: usize, key: u64, is_stale: impl Fn(Mark) -> bool) -> Mark {
        let memory = &self.memories[place];
        let before = memory.load(Acquire);
        let mark = Mark(self.marks[place].load(Acquire));
        if is_stale(mark) && before != tagged(key, 0) {
            let _ = memory.compare_exchange(before, tagged(key, 0), AcqRel, Relaxed);
        }
        mark
    }

    /// Changes a mark.
    pub(super) fn touch(&self, place: usize, change: impl Fn(Mark) -> Mark) {
        let _ = self.marks[place].fetch_update(AcqRel, Acquire, |mark| Some(change(Mark(mark)).0));
    }

    /// Changes what is remembered, at once. None if the place is another key's meanwhile.
    pub(super) fn count(
        &self,
        place: usize,
        key: u64,
        change: impl Fn(u64) -> Outcome,
    ) -> Option<Outcome> {
        let memory = &self.memories[place];
        let mut before = memory.load(Acquire);
        loop {
            if self.keys[place].load(Acquire) != key {
                return None;
            }
            // what another key left behind is nothing
            let own = if before >> MEMORY_BITS == tagged(key, 0) >> MEMORY_BITS {
                before & MEMORY
            } else {
                0
            };
            let outcome = change(own);
            match memory.compare_exchange_weak(before, tagged(key, outcome.memory), AcqRel, Acquire)
            {
                Ok(_) => return Some(outcome),
                Err(now) => before = now,
            }
        }
    }
}

/// What is remembered, with eight bits of whom it is of.
pub(super) const fn tagged(key: u64, memory: u64) -> u64 {
    key << MEMORY_BITS | memory & MEMORY
}
