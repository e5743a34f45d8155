use super::*;
use Action as A;
use Event as E;
use State as S;
use Then::{Restart, Stop};

const EVENTS: [E; 10] = [
    E::Start,
    E::CameUp,
    E::Answered,
    E::Hung,
    E::Ended,
    E::TimedOut,
    E::Withdraw,
    E::Released,
    E::Stop,
    E::Kill,
];

const POLICY: Policy = Policy {
    start_timeout: Duration::from_mins(1),
    drain_timeout: Duration::from_secs(31),
    hung_drain: Duration::from_secs(2),
    kill_timeout: Duration::from_secs(10),
    restart_delay: Duration::ZERO,
    backoff: None,
    first_backoff: Duration::from_millis(100),
    longest_backoff: Duration::from_secs(30),
    proven_after: Duration::from_secs(1),
    loop_deaths: 5,
    loop_window: Duration::from_secs(61),
    recovered_after: Duration::from_secs(62),
    give_up: GiveUp::Never,
};

const GIVES_UP: Policy = Policy {
    give_up: GiveUp::InCrashLoop,
    ..POLICY
};

/// The moment of every step but where the table says otherwise.
const NOW: Duration = Duration::from_secs(100);
const FIRST: Duration = POLICY.first_backoff;
const LAST: Duration = POLICY.longest_backoff;

const START: A = A::SetTimer(POLICY.start_timeout);
const DRAIN: A = A::SetTimer(POLICY.drain_timeout);
const HUNG: A = A::SetTimer(POLICY.hung_drain);
const KILL: A = A::SetTimer(POLICY.kill_timeout);
const AT_ONCE: A = A::ReportEnd(Some(Duration::ZERO));

/// Came up this moment.
const FRESH: S = S::Ready {
    since: NOW,
    answered: false,
};
/// Came up this moment and has answered.
const USEFUL: S = S::Ready {
    since: NOW,
    answered: true,
};
/// Came up long ago.
const OLD: S = S::Ready {
    since: Duration::from_secs(99),
    answered: false,
};

const STATES: [S; 14] = [
    S::New,
    S::Starting,
    FRESH,
    USEFUL,
    OLD,
    S::Failing,
    S::Waiting,
    S::Draining { then: Stop },
    S::Draining { then: Restart },
    S::Stopping { then: Stop },
    S::Stopping { then: Restart },
    S::GivenUp,
    S::Stopped,
    S::Ready {
        since: Duration::ZERO,
        answered: true,
    },
];

type Row = (S, &'static [(E, S, &'static [A])]);

const STOPPED: (S, &[A]) = (S::Stopped, &[A::ClearTimer, A::Finish]);
const ASKED: (S, &[A]) = (S::Stopping { then: Stop }, &[KILL, A::Signal]);
const KILLED: (S, &[A]) = (S::Stopping { then: Stop }, &[A::ClearTimer, A::Kill]);
const FAILED: (S, &[A]) = (S::Waiting, &[A::ReportEnd(Some(FIRST)), A::SetTimer(FIRST)]);
const AGAIN: (S, &[A]) = (S::Starting, &[AT_ONCE, START, A::Spawn]);
const WITHDRAWN: (S, &[A]) = (
    S::Draining { then: Stop },
    &[DRAIN, A::ReportDraining(Why::Withdrawn)],
);
const GIVEN_TIME: (S, &[A]) = (
    S::Draining { then: Restart },
    &[HUNG, A::ReportDraining(Why::Hung)],
);

/// Every transition there is. What is not in it changes nothing and does nothing.
const TABLE: [Row; 13] = [
    (
        S::New,
        &[
            (E::Start, S::Starting, &[START, A::Spawn]),
            (E::Withdraw, STOPPED.0, STOPPED.1),
            (E::Stop, STOPPED.0, STOPPED.1),
            (E::Kill, STOPPED.0, STOPPED.1),
        ],
    ),
    (
        S::Starting,
        &[
            (E::CameUp, FRESH, &[A::ClearTimer, A::Announce]),
            (E::Ended, FAILED.0, FAILED.1),
            (
                E::TimedOut,
                S::Failing,
                &[A::ClearTimer, A::ReportTimeout, A::Kill],
            ),
            (E::Withdraw, ASKED.0, ASKED.1),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        FRESH,
        &[
            (E::Answered, USEFUL, &[]),
            (E::Hung, GIVEN_TIME.0, GIVEN_TIME.1),
            (E::Ended, FAILED.0, FAILED.1),
            (E::Withdraw, WITHDRAWN.0, WITHDRAWN.1),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        USEFUL,
        &[
            (E::Hung, GIVEN_TIME.0, GIVEN_TIME.1),
            (E::Ended, AGAIN.0, AGAIN.1),
            (E::Withdraw, WITHDRAWN.0, WITHDRAWN.1),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        OLD,
        &[
            (
                E::Answered,
                S::Ready {
                    since: Duration::from_secs(99),
                    answered: true,
                },
                &[],
            ),
            (E::Hung, GIVEN_TIME.0, GIVEN_TIME.1),
            (E::Ended, AGAIN.0, AGAIN.1),
            (E::Withdraw, WITHDRAWN.0, WITHDRAWN.1),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::Failing,
        &[
            (E::Ended, FAILED.0, FAILED.1),
            (E::Withdraw, KILLED.0, KILLED.1),
            (E::Stop, KILLED.0, KILLED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::Waiting,
        &[
            (E::TimedOut, S::Starting, &[START, A::Spawn]),
            (E::Withdraw, STOPPED.0, STOPPED.1),
            (E::Stop, STOPPED.0, STOPPED.1),
            (E::Kill, STOPPED.0, STOPPED.1),
        ],
    ),
    (
        S::Draining { then: Stop },
        &[
            (E::Ended, STOPPED.0, STOPPED.1),
            (E::TimedOut, ASKED.0, ASKED.1),
            (E::Released, ASKED.0, ASKED.1),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::Draining { then: Restart },
        &[
            (E::Ended, AGAIN.0, AGAIN.1),
            (
                E::TimedOut,
                S::Stopping { then: Restart },
                &[KILL, A::Signal],
            ),
            (
                E::Released,
                S::Stopping { then: Restart },
                &[KILL, A::Signal],
            ),
            (E::Withdraw, S::Draining { then: Stop }, &[]),
            (E::Stop, ASKED.0, ASKED.1),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::Stopping { then: Stop },
        &[
            (E::Ended, STOPPED.0, STOPPED.1),
            (
                E::TimedOut,
                S::Stopping { then: Stop },
                &[A::ReportKill, A::Kill],
            ),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::Stopping { then: Restart },
        &[
            (E::Ended, AGAIN.0, AGAIN.1),
            (
                E::TimedOut,
                S::Stopping { then: Restart },
                &[A::ReportKill, A::Kill],
            ),
            (E::Withdraw, S::Stopping { then: Stop }, &[]),
            (E::Stop, S::Stopping { then: Stop }, &[]),
            (E::Kill, KILLED.0, KILLED.1),
        ],
    ),
    (
        S::GivenUp,
        &[
            (E::Withdraw, STOPPED.0, STOPPED.1),
            (E::Stop, STOPPED.0, STOPPED.1),
            (E::Kill, STOPPED.0, STOPPED.1),
        ],
    ),
    (S::Stopped, &[]),
];

fn at(now: Duration) -> Moment {
    Moment { now, jitter: 0.0 }
}

#[test]
fn every_transition() {
    for (state, row) in TABLE {
        for event in EVENTS {
            let life = Life {
                state,
                ..Life::default()
            };
            let (found, actions) = step(life, event, at(NOW), &POLICY);
            let listed = row.iter().find(|(listed, ..)| *listed == event);
            let (next, expected) =
                listed.map_or((state, &[][..]), |(_, next, does)| (*next, *does));
            assert_eq!(
                (found.state, &*actions),
                (next, expected),
                "{state:?} + {event:?}"
            );
        }
    }
}

/// A life whose last start failed for the fifth time within the window.
fn looping(policy: &Policy) -> (Life, Vec<A>) {
    let mut life = Life::default();
    let mut last = Vec::new();
    for second in 0..5 {
        life.state = S::Starting;
        (life, last) = step(life, E::Ended, at(Duration::from_secs(second)), policy);
    }
    (life, last)
}

#[test]
fn a_crash_loop_is_told_once_and_tried_slowly() {
    let (life, actions) = looping(&POLICY);
    let expected = [
        A::ReportEnd(Some(LAST)),
        A::ReportCrashLoop,
        A::SetTimer(LAST),
    ];
    assert_eq!((life.state, &*actions), (S::Waiting, &expected[..]));
    let (life, _) = step(life, E::TimedOut, at(NOW), &POLICY);
    let (life, actions) = step(life, E::Ended, at(NOW), &POLICY);
    assert_eq!(actions, [A::ReportEnd(Some(LAST)), A::SetTimer(LAST)]);
    assert!(life.record.in_loop());
}

#[test]
fn a_loop_is_over_when_the_worker_was_ready_for_a_while() {
    let (mut life, _) = looping(&POLICY);
    life.state = S::Starting;
    let (life, actions) = step(life, E::CameUp, at(NOW), &POLICY);
    assert_eq!(actions, [A::SetTimer(POLICY.recovered_after), A::Announce]);
    let (life, actions) = step(life, E::TimedOut, at(NOW + POLICY.recovered_after), &POLICY);
    assert_eq!((life.state, &*actions), (FRESH, &[A::ReportRecovery][..]));
    assert!(!life.record.in_loop());
    let (_, actions) = step(life, E::TimedOut, at(NOW + POLICY.recovered_after), &POLICY);
    assert_eq!(actions, []);
}

#[test]
fn who_wants_it_so_gives_up_after_a_loop() {
    let (life, actions) = looping(&GIVES_UP);
    let expected = [
        A::ClearTimer,
        A::ReportEnd(None),
        A::ReportCrashLoop,
        A::ReportGivenUp,
    ];
    assert_eq!((life.state, &*actions), (S::GivenUp, &expected[..]));
}

#[test]
fn failed_starts_in_a_row_wait_longer_and_a_good_start_ends_the_row() {
    let pause = |life: Life, moment: Moment| {
        let (life, actions) = step(life, E::Ended, moment, &POLICY);
        match actions[0] {
            A::ReportEnd(Some(pause)) => (life, pause.as_millis()),
            other => panic!("{other:?}"),
        }
    };
    let starting = |life: Life| Life {
        state: S::Starting,
        ..life
    };
    let spread = |jitter| Moment { now: NOW, jitter };
    let (life, first) = pause(starting(Life::default()), at(NOW));
    let (life, second) = pause(starting(life), spread(1.0));
    let (life, third) = pause(starting(life), spread(-1.0));
    assert_eq!([first, second, third], [100, 240, 320]);
    let (life, crash) = pause(Life { state: OLD, ..life }, at(NOW));
    let (_, fourth) = pause(starting(life), at(NOW));
    assert_eq!([crash, fourth], [0, 100]);
}

proptest::proptest! {
    /// Whatever happens: a worker that was asked to end is never started again, whoever is in between has a timer or a
    /// process that will end, and no life is over without a word.
    #[test]
    fn no_life_gets_stuck(events in proptest::collection::vec(0_usize..EVENTS.len(), 0..60), gives_up: bool) {
        let policy = if gives_up { GIVES_UP } else { POLICY };
        let mut life = Life::default();
        let (mut asked, mut timer, mut running) = (false, false, false);
        for (second, event) in (0..).zip(events.into_iter().map(|index| EVENTS[index])) {
            timer &= event != E::TimedOut;
            running &= event != E::Ended;
            let before = life.state;
            let (next, actions) = step(life, event, at(Duration::from_secs(second)), &policy);
            asked |= matches!(event, E::Withdraw | E::Stop | E::Kill);
            for action in &actions {
                match action {
                    A::SetTimer(_) => timer = true,
                    A::ClearTimer => timer = false,
                    A::Spawn => {
                        proptest::prop_assert!(!asked && !running);
                        running = true;
                    }
                    _ => {}
                }
            }
            let is_end = next.state == S::Stopped && before != S::Stopped;
            proptest::prop_assert_eq!(is_end, actions.contains(&A::Finish));
            match next.state {
                S::Waiting | S::Starting | S::Draining { .. } => proptest::prop_assert!(timer),
                _ => {}
            }
            // A process ends once; then a life that needs one must not go on as if it were there.
            running = matches!(next.state, S::Starting | S::Ready { .. } | S::Failing | S::Draining { .. } | S::Stopping { .. });
            life = next;
        }
    }

    /// From everywhere, being killed leads to the end as soon as the process is gone.
    #[test]
    fn everybody_can_be_killed(index in 0..STATES.len()) {
        let life = Life { state: STATES[index], ..Life::default() };
        let (life, _) = step(life, E::Kill, at(NOW), &POLICY);
        let (life, _) = step(life, E::Ended, at(NOW), &POLICY);
        proptest::prop_assert_eq!(life.state, S::Stopped);
    }
}
