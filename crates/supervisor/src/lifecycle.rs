//! A worker's life as a pure function: state, event and moment in, state and actions out. No clock, no chance, no
//! process, no socket.
//!
//! ```text
//! new ─▶ starting ──came up──▶ ready ──withdraw, hung──▶ draining ──released──▶ stopping ──ended──▶ stopped
//!         ▲    │                 │                                                │
//!         │    ├──too long──▶ failing                                             └──(hung)──▶ starting
//!         │    ▼                 │
//!         └─ waiting ◀──ended────┘   a death after ready starts again at once, without waiting
//! ```

use std::time::Duration;

use crate::record::{Record, Verdict};

/// What the operator decided about lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a worker may take until it is ready.
    pub start_timeout: Duration,
    /// How long a withdrawn worker may take to finish what it has.
    pub drain_timeout: Duration,
    /// How long a hung worker is left before it is signalled: time to send elsewhere what it was not yet sent.
    pub hung_drain: Duration,
    /// How long it may take to end when asked.
    pub kill_timeout: Duration,
    /// The shortest wait between an unasked end and the next start.
    pub restart_delay: Duration,
    /// The wait after the first unasked end; see [`crate::options::Lives::backoff`]. `None`: only failed starts wait.
    pub backoff: Option<Duration>,
    /// The wait after the first failed start; each further one waits twice as long.
    pub first_backoff: Duration,
    /// The longest wait, give or take a fifth.
    pub longest_backoff: Duration,
    /// A worker that was ready this long did not fail to start, whatever ends it.
    pub proven_after: Duration,
    /// So many failed starts within `loop_window` are a crash loop.
    pub loop_deaths: u32,
    /// See `loop_deaths`.
    pub loop_window: Duration,
    /// A worker of a crash loop that was ready this long has recovered.
    pub recovered_after: Duration,
    /// What a crash loop leads to.
    pub give_up: GiveUp,
}

/// Whether an app is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveUp {
    /// It is tried again for ever, slowly: what is missing may come back.
    #[default]
    Never,
    /// After a crash loop it stays down until somebody acts.
    InCrashLoop,
}

impl Policy {
    /// How long a crash loop of lives that just fail `proven_after` takes, with the longest waits there can be between
    /// them.
    pub(crate) fn span_of_a_loop(&self) -> Duration {
        let mut record = Record::default();
        let lives = self.proven_after.saturating_mul(self.loop_deaths);
        (1..self.loop_deaths).fold(lives, |span, _| {
            let own = match self.backoff {
                Some(_) => record.grow(Duration::ZERO, self),
                None => record.next_pause(1.0, self),
            };
            span.saturating_add(self.restart_delay.max(own))
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(30),
            hung_drain: Duration::from_secs(1),
            kill_timeout: Duration::from_secs(10),
            restart_delay: Duration::ZERO,
            backoff: None,
            first_backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(30),
            proven_after: Duration::from_secs(1),
            loop_deaths: 5,
            loop_window: Duration::from_mins(1),
            recovered_after: Duration::from_mins(1),
            give_up: GiveUp::Never,
        }
    }
}

/// A life: where it is, and what is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Life {
    /// Where it is.
    pub state: State,
    /// Its failed starts.
    pub record: Record,
}

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum State {
    /// Not yet started.
    #[default]
    New,
    /// Runs, not yet ready.
    Starting,
    /// Can be given work.
    Ready {
        /// The moment it came up.
        since: Duration,
        /// Whether it has answered anything.
        answered: bool,
    },
    /// Took too long to start and was killed; its end is awaited.
    Failing,
    /// Not running; started again when the wait is over.
    Waiting,
    /// Is given nothing new, finishes what it has.
    Draining {
        /// What its end leads to.
        then: Then,
    },
    /// Was asked to end.
    Stopping {
        /// What its end leads to.
        then: Then,
    },
    /// Not running, and not started again until somebody acts.
    GivenUp,
    /// Has ended by itself, and that was all.
    Finished,
    /// Has ended as asked.
    Stopped,
}

/// What comes after an end that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Then {
    /// Nothing.
    Stop,
    /// The next start, at once.
    Restart,
}

/// What happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is wanted.
    Start,
    /// It is ready.
    CameUp,
    /// It has answered something.
    Answered,
    /// It does not react any more.
    Hung,
    /// Its process has ended, or could not be started.
    Ended,
    /// As above, and nobody wants it to be started again.
    Finished,
    /// The timer set by [`Action::SetTimer`] has run out.
    TimedOut,
    /// It shall be given nothing new, and end when it has nothing left.
    Withdraw,
    /// It has nothing left.
    Released,
    /// It shall end, in its own time.
    Stop,
    /// It shall end now.
    Kill,
}

/// Why a worker is given nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody wanted it: a reload, fewer workers.
    Withdrawn,
    /// It does not react any more.
    Hung,
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
    /// Tell everybody that it must be given nothing new.
    ReportDraining(Why),
    /// Tell that it ended unasked, and after what time it is started again; not at all when absent.
    ReportEnd(Option<Duration>),
    /// Tell that it ended by itself, for good.
    ReportFinished,
    /// Tell that it was not ready in time; its end follows.
    ReportTimeout,
    /// Tell that it did not end in time; it is killed.
    ReportKill,
    /// Tell that it fails to start again and again.
    ReportCrashLoop,
    /// Tell that a crash loop is over.
    ReportRecovery,
    /// Tell that it is not started again until somebody acts.
    ReportGivenUp,
    /// Ask the process to end.
    Signal,
    /// End the process and all its tree.
    Kill,
    /// Tell that its life is over.
    Finish,
}

/// What a step needs to know and cannot find out by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Time since some fixed moment, the same for all steps of a life.
    pub now: Duration,
    /// Chance, -1 to 1: spreads the starts of workers that failed together.
    pub jitter: f64,
}

/// One step of a life. Events that make no sense in a state change nothing.
pub fn step(life: Life, event: Event, moment: Moment, policy: &Policy) -> (Life, Vec<Action>) {
    use Action as A;
    use Event as E;
    use State as S;
    let Life { state, mut record } = life;
    let (state, actions) = match (state, event) {
        (S::New, E::Start) | (S::Waiting, E::TimedOut) => spawn(policy),
        (S::New | S::Waiting | S::GivenUp | S::Finished, E::Withdraw | E::Stop | E::Kill) => {
            stopped()
        }

        (S::Starting, E::CameUp) => {
            let recovery = A::SetTimer(policy.recovered_after);
            let timer = if record.in_loop() {
                recovery
            } else {
                A::ClearTimer
            };
            (ready(moment.now), vec![timer, A::Announce])
        }
        (S::Starting, E::TimedOut) => (S::Failing, vec![A::ClearTimer, A::ReportTimeout, A::Kill]),
        (S::Starting | S::Failing, E::Ended) => failed(&mut record, Duration::ZERO, moment, policy),
        (S::Starting | S::Failing | S::Ready { .. }, E::Finished) => {
            (S::Finished, vec![A::ClearTimer, A::ReportFinished])
        }

        (S::Ready { since, .. }, E::Answered) => (
            S::Ready {
                since,
                answered: true,
            },
            Vec::new(),
        ),
        (S::Ready { .. }, E::TimedOut) if record.in_loop() => {
            record.clear();
            (state, vec![A::ReportRecovery])
        }
        (S::Ready { since, answered }, E::Ended) => {
            let lasted = moment.now.saturating_sub(since);
            if answered || lasted >= policy.proven_after {
                again(&mut record, lasted, policy)
            } else {
                failed(&mut record, lasted, moment, policy)
            }
        }
        (S::Ready { .. }, E::Withdraw) => drain(Then::Stop, Why::Withdrawn, policy.drain_timeout),
        (S::Ready { .. }, E::Hung) => drain(
            Then::Restart,
            Why::Hung,
            policy.hung_drain.min(policy.drain_timeout),
        ),

        (S::Draining { .. }, E::Withdraw) => (S::Draining { then: Then::Stop }, Vec::new()),
        (S::Draining { then }, E::Released | E::TimedOut) => ask(then, policy),
        (S::Starting, E::Withdraw | E::Stop) | (S::Ready { .. } | S::Draining { .. }, E::Stop) => {
            ask(Then::Stop, policy)
        }

        (S::Stopping { .. }, E::Withdraw | E::Stop) => {
            (S::Stopping { then: Then::Stop }, Vec::new())
        }
        (S::Stopping { .. }, E::TimedOut) => (state, vec![A::ReportKill, A::Kill]),
        (S::Draining { then } | S::Stopping { then }, E::Ended | E::Finished) => match then {
            Then::Stop => stopped(),
            // ended by us, and no fault of its starts
            Then::Restart => start_again(&mut record, Duration::ZERO, policy),
        },

        (S::Failing, E::Withdraw | E::Stop | E::Kill)
        | (S::Starting | S::Ready { .. } | S::Draining { .. } | S::Stopping { .. }, E::Kill) => (
            S::Stopping { then: Then::Stop },
            vec![A::ClearTimer, A::Kill],
        ),

        (state, _) => (state, Vec::new()),
    };
    (Life { state, record }, actions)
}

fn spawn(policy: &Policy) -> (State, Vec<Action>) {
    let actions = vec![Action::SetTimer(policy.start_timeout), Action::Spawn];
    (State::Starting, actions)
}

fn ready(now: Duration) -> State {
    State::Ready {
        since: now,
        answered: false,
    }
}

fn drain(then: Then, why: Why, limit: Duration) -> (State, Vec<Action>) {
    let actions = vec![Action::SetTimer(limit), Action::ReportDraining(why)];
    (State::Draining { then }, actions)
}

fn ask(then: Then, policy: &Policy) -> (State, Vec<Action>) {
    let actions = vec![Action::SetTimer(policy.kill_timeout), Action::Signal];
    (State::Stopping { then }, actions)
}

fn stopped() -> (State, Vec<Action>) {
    (State::Stopped, vec![Action::ClearTimer, Action::Finish])
}

/// The next start, as a rule without a wait: this death says nothing against starting.
fn again(record: &mut Record, lasted: Duration, policy: &Policy) -> (State, Vec<Action>) {
    let pause = policy.restart_delay.max(record.grow(lasted, policy));
    start_again(record, pause, policy)
}

fn start_again(record: &mut Record, pause: Duration, policy: &Policy) -> (State, Vec<Action>) {
    record.forget_row();
    let mut actions = vec![Action::ReportEnd(Some(pause))];
    if pause.is_zero() {
        let (state, start) = spawn(policy);
        actions.extend(start);
        return (state, actions);
    }
    actions.push(Action::SetTimer(pause));
    (State::Waiting, actions)
}

/// A start that came to nothing: the next one has to wait, or there is none.
fn failed(
    record: &mut Record,
    lasted: Duration,
    moment: Moment,
    policy: &Policy,
) -> (State, Vec<Action>) {
    let verdict = record.add(moment.now, policy);
    let news = (verdict == Verdict::LoopBegins).then_some(Action::ReportCrashLoop);
    if record.in_loop() && policy.give_up == GiveUp::InCrashLoop {
        let mut actions = vec![Action::ClearTimer, Action::ReportEnd(None)];
        actions.extend(news);
        actions.push(Action::ReportGivenUp);
        return (State::GivenUp, actions);
    }
    let own = match policy.backoff {
        Some(_) => record.grow(lasted, policy),
        None => record.pause(moment.jitter, policy),
    };
    let pause = policy.restart_delay.max(own);
    let mut actions = vec![Action::ReportEnd(Some(pause))];
    actions.extend(news);
    actions.push(Action::SetTimer(pause));
    (State::Waiting, actions)
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
