//! What one program hands over to the next one that the same process becomes: workers that go on running, with all that is
//! known of them. What a worker, a process or an output is, stands with them; here is only how it is put down, in a form
//! that another version can read, and taken up again. Decides nothing about lives.

mod descriptors;
mod running;
mod supervisor;
mod worker;

pub use descriptors::Descriptors;
pub use supervisor::{HandoverError, PutDown, SupervisorState};
pub(crate) use worker::Carried;

use std::time::Duration;

use tokio::time::Instant;

/// A moment as the time until it: the next program counts from another one.
fn until(moment: Option<Instant>) -> Option<Duration> {
    moment.map(|moment| moment.saturating_duration_since(Instant::now()))
}

/// The moment that is so far away.
fn at(left: Option<Duration>) -> Option<Instant> {
    left.map(|left| Instant::now() + left)
}

/// The moment that was so long ago.
fn ago(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(time).unwrap_or(now)
}
