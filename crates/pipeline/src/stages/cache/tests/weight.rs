//! What kept answers cost: the process may not grow by much more than they have bytes.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::stages::cache::key::Key;
use crate::stages::cache::memory::{Begin, Company, Variant};
use crate::stages::cache::stored::{Head, Stored};
use crate::stages::cache::terms::terms_for_tests;

/// Answers, in the short form and in the long one.
const COUNT: [u32; 2] = [100_000, 1_000_000];
const BODY: usize = 1_024;

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).expect("two numbers");
    pages.parse::<u64>().expect("a number") * 4_096
}

#[test]
fn small_answers_cost_little_more_than_their_bytes() {
    let is_long = option_env!("MAINSTAY_TEST_FORM") == Some("long");
    let count = COUNT[usize::from(is_long)];
    let memory = Arc::new(CacheMemory::new(mainstay_values::Size::mb(4 * 1_024)));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "public, max-age=600"),
        ("etag", "\"33a64df551425fcc55e4d42a148795d9\""),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let now = (Instant::now(), std::time::SystemTime::now());
    let terms = terms_for_tests(600, 0);
    let head = Head::new(StatusCode::OK, &headers, &[], terms, now).expect("it fits");
    let body = Bytes::from(vec![b'x'; BODY]);
    let (before, mut bytes) = (resident(), 0);
    for number in 0..count {
        // spread as hashes are
        let word = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = (u128::from(word) << 64) | u128::from(word.rotate_left(32));
        let begun = memory.begin(Key::from_bits(bits), 0, None, Company::Alone);
        let Begin::Lead(ticket) = begun else {
            panic!("nobody else fetches")
        };
        let url = format!("https://shop.example/api/products/{number}");
        let stored = Arc::new(Stored::new(&head, std::iter::once(&body), BODY));
        bytes += (stored.len() + url.len()) as u64;
        let kept = memory.keep(&ticket, &url, &Variant::new(stored, None));
        assert!(kept.is_ok());
    }
    let grown = resident().saturating_sub(before);
    assert_eq!(memory.len(), count as usize);
    let share = |cost: u64| cost as f64 / bytes as f64;
    eprintln!(
        "{count} answers of {bytes} bytes: the process grew by {grown} ({:.3}), counted are {} ({:.3})",
        share(grown),
        memory.bytes(),
        share(memory.bytes())
    );
    assert!(share(grown) <= 1.5, "{grown} for {bytes}");
    // what is counted is what they cost
    assert!(share(memory.bytes()) >= 1.0);
}
