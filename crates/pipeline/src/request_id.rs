//! Request ids: 128 random bits as 32 hexadecimal digits. Not secrets, and not guessable by accident.

use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use http::HeaderValue;

/// The longest id that is taken over from a trusted proxy.
const LONGEST: usize = 128;
const DIGITS: usize = 32;
/// Ids are cut from blocks, so that an id costs no allocation of its own.
const BLOCK: usize = 64 * DIGITS;

/// Makes ids. One a thread; the system's random source is asked once.
#[derive(Debug)]
pub(crate) struct RequestIds(Mutex<Source>);

#[derive(Debug)]
struct Source {
    random: fastrand::Rng,
    block: BytesMut,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Source {
            random: fastrand::Rng::new(),
            block: BytesMut::new(),
        }))
    }

    /// A new id.
    pub(crate) fn next(&self) -> HeaderValue {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bits = source.random.u128(..);
        if source.block.capacity() < DIGITS {
            source.block = BytesMut::with_capacity(BLOCK);
        }
        let mut digits = [0; DIGITS];
        for (index, digit) in digits.iter_mut().enumerate() {
            *digit = HEX[(bits >> (4 * index) & 15) as usize];
        }
        source.block.extend_from_slice(&digits);
        let id = source.block.split().freeze();
        HeaderValue::from_maybe_shared(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// Whether an id from a trusted proxy can be taken over: short, and without anything that could
/// mean something in a log or a header.
pub(crate) fn is_acceptable(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=LONGEST).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+/:@".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_are_hexadecimal() {
        let ids = RequestIds::new();
        let seen: HashSet<_> = (0..1_000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 1_000);
        assert!(
            seen.iter()
                .all(|id| id.len() == DIGITS && id.as_bytes().iter().all(u8::is_ascii_hexdigit))
        );
    }

    #[test]
    fn foreign_ids_are_taken_only_when_harmless() {
        for (id, taken) in [
            ("a-1", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("<x>", false),
        ] {
            let value = HeaderValue::from_str(id).expect("a header value");
            assert_eq!(is_acceptable(&value), taken, "{id}");
        }
        assert!(!is_acceptable(
            &HeaderValue::from_str(&"a".repeat(129)).expect("a header value")
        ));
    }
}
