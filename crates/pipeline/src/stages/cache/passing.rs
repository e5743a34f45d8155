//! Whose answers are not kept, as far as is remembered: a table of one size that forgets when it has to. Judges nothing.
//!
//! A resource in it is fetched by everybody for oneself, with nothing of the cache around it. Taking one for another costs no more than
//! that, and the table is secretly keyed, so that nobody can make it happen.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::key::Key;

/// So long it is remembered.
const REMEMBERED: Duration = Duration::from_mins(2);
/// Resources that are remembered at most: 64 KiB of them.
const PLACES: usize = 8 * 1024;

/// Each place holds a part of a key, and until when: seconds since `began`.
#[derive(Debug)]
pub(super) struct Passing {
    began: Instant,
    places: Box<[AtomicU64]>,
}

impl Passing {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether answers of this resource were not kept lately.
    pub(super) fn has(&self, key: Key, now: Instant) -> bool {
        let (tag, until) = parts(self.place(key).load(Relaxed));
        until > self.seconds(now) && tag == key.tag()
    }

    pub(super) fn add(&self, key: Key, now: Instant) {
        let until = self.seconds(now + REMEMBERED);
        let held = u64::from(key.tag()) << 32 | u64::from(until);
        self.place(key).store(held, Relaxed);
    }

    pub(super) fn remove(&self, key: Key) {
        let place = self.place(key);
        let held = place.load(Relaxed);
        if parts(held).0 == key.tag() {
            // who put another there meanwhile is left alone
            let _ = place.compare_exchange(held, 0, Relaxed, Relaxed);
        }
    }

    fn place(&self, key: Key) -> &AtomicU64 {
        &self.places[key.low() as usize % PLACES]
    }

    fn seconds(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.began).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

const fn parts(held: u64) -> (u32, u32) {
    ((held >> 32) as u32, held as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_stays_for_its_time_or_until_it_is_taken_out() {
        let passing = Passing::new();
        let now = Instant::now();
        let (one, other) = (Key::from_bits(7 << 96 | 5), Key::from_bits(8 << 96 | 6));
        assert!(!passing.has(one, now));
        passing.add(one, now);
        assert!(passing.has(one, now));
        assert!(!passing.has(other, now));
        assert!(passing.has(one, now + REMEMBERED.saturating_sub(Duration::from_secs(1))));
        assert!(!passing.has(one, now + REMEMBERED + Duration::from_secs(1)));
        passing.remove(one);
        assert!(!passing.has(one, now));
    }

    #[test]
    fn of_two_in_one_place_the_later_one_is_known() {
        let passing = Passing::new();
        let now = Instant::now();
        let (one, other) = (Key::from_bits(7 << 96 | 5), Key::from_bits(8 << 96 | 5));
        passing.add(one, now);
        passing.add(other, now);
        passing.remove(one);
        assert!(!passing.has(one, now));
        assert!(passing.has(other, now));
    }
}
