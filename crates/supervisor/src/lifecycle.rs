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
            start_timeout: Duration::from_secs(60),
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
mod tests {
    use super::*;
    use Action as A;
    use Event as E;
    use State as S;

    const POLICY: Policy = Policy {
        start_timeout: Duration::from_secs(60),
        kill_timeout: Duration::from_secs(10),
        first_backoff: Duration::from_millis(100),
        longest_backoff: Duration::from_secs(30),
        forgiven_after: Duration::from_secs(31),
    };

    const START: A = A::SetTimer(POLICY.start_timeout);
    const KILL: A = A::SetTimer(POLICY.kill_timeout);
    const FIRST: Duration = POLICY.first_backoff;

    #[test]
    fn every_transition() {
        let second = FIRST * 2;
        let cases: [(S, E, S, &[A]); 24] = [
            (
                S::New,
                E::Start,
                S::Starting { failures: 0 },
                &[START, A::Spawn],
            ),
            (S::New, E::Stop, S::Stopped, &[A::ClearTimer, A::Finish]),
            (S::New, E::CameUp, S::New, &[]),
            (
                S::Starting { failures: 2 },
                E::CameUp,
                S::Ready { failures: 2 },
                &[A::SetTimer(POLICY.forgiven_after), A::Announce],
            ),
            (
                S::Starting { failures: 0 },
                E::Ended,
                S::Waiting { failures: 1 },
                &[A::ReportEnd(FIRST), A::SetTimer(FIRST)],
            ),
            (
                S::Starting { failures: 1 },
                E::NotStarted,
                S::Waiting { failures: 2 },
                &[A::ReportEnd(second), A::SetTimer(second)],
            ),
            (
                S::Starting { failures: 0 },
                E::TimedOut,
                S::Failing { failures: 0 },
                &[A::ReportTimeout, A::Kill],
            ),
            (
                S::Starting { failures: 0 },
                E::Stop,
                S::Draining,
                &[KILL, A::Signal],
            ),
            (
                S::Starting { failures: 0 },
                E::Kill,
                S::Draining,
                &[A::ClearTimer, A::Kill],
            ),
            (
                S::Failing { failures: 0 },
                E::CameUp,
                S::Failing { failures: 0 },
                &[],
            ),
            (
                S::Failing { failures: 0 },
                E::Ended,
                S::Waiting { failures: 1 },
                &[A::ReportEnd(FIRST), A::SetTimer(FIRST)],
            ),
            (
                S::Failing { failures: 0 },
                E::Stop,
                S::Draining,
                &[A::ClearTimer, A::Kill],
            ),
            (
                S::Ready { failures: 3 },
                E::TimedOut,
                S::Ready { failures: 0 },
                &[],
            ),
            (
                S::Ready { failures: 0 },
                E::Ended,
                S::Waiting { failures: 1 },
                &[A::ReportEnd(FIRST), A::SetTimer(FIRST)],
            ),
            (
                S::Ready { failures: 0 },
                E::CameUp,
                S::Ready { failures: 0 },
                &[],
            ),
            (
                S::Ready { failures: 0 },
                E::Stop,
                S::Draining,
                &[KILL, A::Signal],
            ),
            (S::Draining, E::Stop, S::Draining, &[]),
            (S::Draining, E::CameUp, S::Draining, &[]),
            (
                S::Draining,
                E::TimedOut,
                S::Draining,
                &[A::ClearTimer, A::Kill],
            ),
            (S::Draining, E::Kill, S::Draining, &[A::ClearTimer, A::Kill]),
            (
                S::Draining,
                E::Ended,
                S::Stopped,
                &[A::ClearTimer, A::Finish],
            ),
            (
                S::Waiting { failures: 1 },
                E::TimedOut,
                S::Starting { failures: 1 },
                &[START, A::Spawn],
            ),
            (
                S::Waiting { failures: 1 },
                E::Stop,
                S::Stopped,
                &[A::ClearTimer, A::Finish],
            ),
            (S::Stopped, E::Start, S::Stopped, &[]),
        ];
        for (state, event, next, actions) in cases {
            let found = step(state, event, &POLICY);
            assert_eq!(found, (next, actions.to_vec()), "{state:?} + {event:?}");
        }
    }

    #[test]
    fn backoff_doubles_to_its_limit() {
        let waits: Vec<u128> = [1, 2, 3, 9, 10, 40, u32::MAX]
            .map(|failures| backoff(failures, &POLICY).as_millis())
            .to_vec();
        assert_eq!(waits, [100, 200, 400, 25_600, 30_000, 30_000, 30_000]);
    }

    proptest::proptest! {
        /// Whatever happens, a worker that was asked to end is never started again, and one that waits has a timer.
        #[test]
        fn no_life_gets_stuck(events in proptest::collection::vec(0_usize..7, 0..40)) {
            const EVENTS: [E; 7] = [E::Start, E::CameUp, E::Ended, E::NotStarted, E::TimedOut, E::Stop, E::Kill];
            let mut state = S::New;
            let mut asked = false;
            for event in events.into_iter().map(|index| EVENTS[index]) {
                let (next, actions) = step(state, event, &POLICY);
                asked |= matches!(event, E::Stop | E::Kill);
                if asked {
                    proptest::prop_assert!(!actions.contains(&A::Spawn));
                    proptest::prop_assert!(matches!(next, S::Draining | S::Stopped));
                }
                if next != state && matches!(next, S::Waiting { .. }) {
                    let timed = actions.iter().any(|action| matches!(action, A::SetTimer(_)));
                    proptest::prop_assert!(timed);
                }
                state = next;
            }
        }
    }
}
