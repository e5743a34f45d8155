//! Waiting for something to become true: the only clock tests may use.
//!
//! What may not be here: a fixed wait. Whoever waits says for what, and gives up after the patience that
//! `MAINSTAY_TEST_PATIENCE` grants (seconds, default 30).

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks: short beside any process start, long beside a system call.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a test waits before it calls something a failure.
#[must_use]
pub fn patience() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "slow machines ask for more patience by the environment"
    )]
    let asked = std::env::var("MAINSTAY_TEST_PATIENCE")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(asked.unwrap_or(30))
}

/// Looks again and again until `look` returns something, and returns it.
///
/// `what` completes the sentence "waited in vain for ...".
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let patience = patience();
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < end,
            "waited {} s in vain for {what}",
            patience.as_secs()
        );
        thread::sleep(PAUSE);
    }
}
