use super::*;
use Action as A;
use Event as E;
use State as S;

const POLICY: Policy = Policy {
    start_timeout: Duration::from_mins(1),
    kill_timeout: Duration::from_secs(10),
    first_backoff: Duration::from_millis(100),
    longest_backoff: Duration::from_secs(30),
    forgiven_after: Duration::from_secs(31),
};

const START: A = A::SetTimer(POLICY.start_timeout);
const KILL: A = A::SetTimer(POLICY.kill_timeout);
const FIRST: Duration = POLICY.first_backoff;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
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
