//! A worker's life as a pure function: state and event in, state and actions out. No clock, no process, no socket.
//!
//! ```text
//! starting ──came up──▶ ready ──stop──▶ draining ──ended──▶ stopped
//!    │  ▲                 │
//!  ended│                 │ ended
//!    ▼  │                 ▼
//!  waiting (back-off) ◀───┘
//! ```

use std::time::Duration;

/// What the operator decided about lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a worker may take until it is ready.
    pub start_timeout: Duration,
    /// How long it may take to end when asked.
    pub kill_timeout: Duration,
    /// The wait before the first restart; each further one waits twice as long.
    pub first_backoff: Duration,
    /// The longest wait. Nobody is given up for ever: what is missing may come back.
    pub longest_backoff: Duration,
    /// A worker that was ready this long has a clean record again.
    pub forgiven_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_mins(1),
            kill_timeout: Duration::from_secs(10),
            first_backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(30),
            forgiven_after: Duration::from_secs(30),
        }
    }
}

/// Where a worker is in its life. `failures` counts ends in a row that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not yet started.
    New,
    /// Runs, not yet ready.
    Starting {
        /// Ends in a row.
        failures: u32,
    },
    /// Can be given work.
    Ready {
        /// Ends in a row.
        failures: u32,
    },
    /// Took too long to start and was killed; its end is awaited.
    Failing {
        /// Ends in a row.
        failures: u32,
    },
    /// Not running; started again when the wait is over.
    Waiting {
        /// Ends in a row.
        failures: u32,
    },
    /// Was asked to end.
    Draining,
    /// Has ended as asked.
    Stopped,
}

/// What happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is wanted.
    Start,
    /// It is ready.
    CameUp,
    /// Its process has ended.
    Ended,
    /// There is no process: it could not be started.
    NotStarted,
    /// The timer set by [`Action::SetTimer`] has run out.
    TimedOut,
    /// It shall end, in its own time.
    Stop,
    /// It shall end now.
    Kill,
}

/// What the driver has to do, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start the process.
    Spawn,
    /// Replace the timer; it brings [`Event::TimedOut`].
    SetTimer(Duration),
    /// Forget the timer.
    ClearTimer,
    /// Tell everybody that it can be given work.
    Announce,
    /// Tell that it ended unasked and comes back after this time.
    ReportEnd(Duration),
    /// Tell that it was not ready in time; its end follows.
    ReportTimeout,
    /// Ask the process to end.
    Signal,
    /// End the process and all its tree.
    Kill,
    /// Tell that its life is over.
    Finish,
}

/// One step of a life. Events that make no sense in a state change nothing.
pub fn step(state: State, event: Event, policy: &Policy) -> (State, Vec<Action>) {
    use Action as A;
    use Event as E;
    use State as S;
    match (state, event) {
        (S::New, E::Start) => spawn(0, policy),
        (S::Waiting { failures }, E::TimedOut) => spawn(failures, policy),

        (S::Starting { failures }, E::CameUp) => (
            S::Ready { failures },
            vec![A::SetTimer(policy.forgiven_after), A::Announce],
        ),
        (S::Starting { failures }, E::TimedOut) => {
            (S::Failing { failures }, vec![A::ReportTimeout, A::Kill])
        }
        (S::Ready { .. }, E::TimedOut) => (S::Ready { failures: 0 }, Vec::new()),

        (
            S::Starting { failures } | S::Ready { failures } | S::Failing { failures },
            E::Ended | E::NotStarted,
        ) => wait(failures + 1, policy),

        (S::Starting { .. } | S::Ready { .. }, E::Stop) => (
            S::Draining,
            vec![A::SetTimer(policy.kill_timeout), A::Signal],
        ),
        (S::Starting { .. } | S::Ready { .. } | S::Failing { .. } | S::Draining, E::Kill)
        | (S::Draining, E::TimedOut)
        | (S::Failing { .. }, E::Stop) => (S::Draining, vec![A::ClearTimer, A::Kill]),
        (S::Draining, E::Ended | E::NotStarted) => (S::Stopped, vec![A::ClearTimer, A::Finish]),
        (S::New | S::Waiting { .. }, E::Stop | E::Kill) => {
            (S::Stopped, vec![A::ClearTimer, A::Finish])
        }

        (state, _) => (state, Vec::new()),
    }
}

fn spawn(failures: u32, policy: &Policy) -> (State, Vec<Action>) {
    let actions = vec![Action::SetTimer(policy.start_timeout), Action::Spawn];
    (State::Starting { failures }, actions)
}

fn wait(failures: u32, policy: &Policy) -> (State, Vec<Action>) {
    let pause = backoff(failures, policy);
    let actions = vec![Action::ReportEnd(pause), Action::SetTimer(pause)];
    (State::Waiting { failures }, actions)
}

/// How long to wait after so many ends in a row (1 is the first).
pub fn backoff(failures: u32, policy: &Policy) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    policy
        .first_backoff
        .saturating_mul(1 << doublings)
        .min(policy.longest_backoff)
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
