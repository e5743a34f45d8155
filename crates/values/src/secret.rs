//! A text that must not be shown. Loading it is not here.

use std::fmt;
use std::hint::black_box;

/// A secret: cannot be printed or serialised, is compared in time that does not depend on where
/// two differ, and is overwritten when dropped.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text; copies made before are the caller's.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. Named so that every use stands out in review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same, in time that depends on the lengths only.
    pub fn is(&self, other: &[u8]) -> bool {
        let own = self.0.as_bytes();
        if own.len() != other.len() {
            return false;
        }
        let difference = own
            .iter()
            .zip(other)
            .fold(0_u8, |seen, (a, b)| black_box(seen | (a ^ b)));
        black_box(difference) == 0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        black_box(bytes.as_slice()); // or the compiler sees that nobody reads the zeros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_and_hides() {
        let secret = Secret::new("hunter2".into());
        assert!(secret.is(b"hunter2"));
        for other in ["", "hunter", "hunter3", "hunter22", "Hunter2"] {
            assert!(!secret.is(other.as_bytes()), "{other}");
        }
        assert_eq!(secret, secret.clone());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "hunter2");
    }

    /// Against who would guess one byte after the other. What looked no further than the first difference would be done a
    /// million times sooner; the quickest of several tells it apart on any machine.
    #[test]
    fn where_the_first_difference_is_cannot_be_told_from_the_time() {
        const LENGTH: usize = 1 << 20;
        let secret = Secret::new("a".repeat(LENGTH));
        let differs_at = |place: usize| {
            let mut other = vec![b'a'; LENGTH];
            other[place] = b'b';
            other
        };
        let quickest = |other: &[u8]| {
            let timed = (0..5).map(|_| {
                let began = std::time::Instant::now();
                assert!(!secret.is(black_box(other)));
                began.elapsed()
            });
            timed.min().unwrap()
        };
        let (first, last) = (differs_at(0), differs_at(LENGTH - 1));
        assert!(quickest(&first) * 10 > quickest(&last));
    }
}
