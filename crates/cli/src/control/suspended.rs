//! A pause and maintenance, ordered while the instance runs: kept by the control plane until their time is over, whatever
//! settings and gateways come and go. What a request meets meanwhile, the pipeline's `admit` knows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mainstay_pipeline::Suspension;
use mainstay_values::format_duration;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::gateways::Agreement;
use super::handover::{ago, at, until};
use super::state::Control;
use crate::failure::Failure;
use crate::order::{Asker, Ending, Suspend};
use crate::say;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Suspended {
    pause: Option<Pause>,
    maintenance: Option<Span>,
    /// Who is told when every gateway knows it.
    askers: Vec<(u64, Asker, String)>,
}

/// From when to when something holds.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Instant,
    /// None: until somebody ends it.
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    span: Span,
    /// How long one request may wait.
    deadline: Duration,
}

/// The same for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuspendedState {
    /// With the time that one request may wait.
    pause: Option<(SpanState, Duration)>,
    maintenance: Option<SpanState>,
}

/// Since when, and how long still.
#[derive(Debug, Serialize, Deserialize)]
struct SpanState(Duration, Option<Duration>);

impl From<SpanState> for Span {
    fn from(SpanState(since, left): SpanState) -> Self {
        Self {
            since: ago(since),
            until: at(left),
        }
    }
}

impl From<SuspendedState> for Suspended {
    fn from(state: SuspendedState) -> Self {
        Self {
            pause: state.pause.map(|(span, deadline)| Pause {
                span: span.into(),
                deadline,
            }),
            maintenance: state.maintenance.map(Span::from),
            askers: Vec::new(),
        }
    }
}

/// Which of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pause,
    Maintenance,
}

/// One of them, for `mainstay status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SuspendedSpan {
    /// How long it has been so.
    pub(super) since: Duration,
    /// How long it will. None: until somebody ends it.
    pub(super) left: Option<Duration>,
}

impl Span {
    /// For so long from now; one that holds already goes on.
    fn begin(known: Option<Self>, time: Option<Duration>, now: Instant) -> Self {
        Self {
            since: known.map_or(now, |known| known.since),
            until: time.map(|time| now + time),
        }
    }

    fn state(&self) -> SpanState {
        SpanState(self.since.elapsed(), until(self.until))
    }

    fn at(&self, now: Instant) -> SuspendedSpan {
        SuspendedSpan {
            since: now - self.since,
            left: self.until.map(|until| until.saturating_duration_since(now)),
        }
    }
}

impl Suspended {
    pub(super) fn state(&self) -> SuspendedState {
        SuspendedState {
            pause: self.pause.map(|pause| (pause.span.state(), pause.deadline)),
            maintenance: self.maintenance.map(|span| span.state()),
        }
    }

    /// Whether somebody waits until one holds everywhere.
    pub(super) fn is_awaited(&self) -> bool {
        !self.askers.is_empty()
    }

    /// What gateways are told. Of both, maintenance holds: nobody waits for what is closed.
    pub(super) fn in_force(&self, now: Instant) -> Suspension {
        if let Some(span) = &self.maintenance {
            let until = span.until.map(|until| SystemTime::now() + (until - now));
            let until = until.and_then(|until| until.duration_since(UNIX_EPOCH).ok());
            return Suspension::Maintenance {
                until: until.map(|until| until.as_secs()),
            };
        }
        self.pause
            .map_or(Suspension::None, |pause| Suspension::Pause {
                deadline: pause.deadline,
            })
    }

    /// Waits until the time of one is over, and forgets it. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Kind {
        let Some((until, kind)) = self.next_end() else {
            return std::future::pending().await;
        };
        sleep_until(until).await;
        self.end(kind);
        kind
    }

    fn next_end(&self) -> Option<(Instant, Kind)> {
        let pause = self.pause.and_then(|pause| pause.span.until);
        let maintenance = self.maintenance.and_then(|span| span.until);
        let ends = [
            pause.map(|until| (until, Kind::Pause)),
            maintenance.map(|until| (until, Kind::Maintenance)),
        ];
        ends.into_iter().flatten().min()
    }

    /// Whether it was there.
    fn end(&mut self, kind: Kind) -> bool {
        match kind {
            Kind::Pause => self.pause.take().is_some(),
            Kind::Maintenance => self.maintenance.take().is_some(),
        }
    }

    pub(super) fn pause_at(&self, now: Instant) -> Option<SuspendedSpan> {
        self.pause.map(|pause| pause.span.at(now))
    }

    pub(super) fn maintenance_at(&self, now: Instant) -> Option<SuspendedSpan> {
        self.maintenance.map(|span| span.at(now))
    }
}

impl Suspended {
    /// Takes an order in; in words what holds then.
    fn take(&mut self, wish: Suspend, now: Instant) -> Result<String, Failure> {
        match wish {
            Suspend::Pause {
                for_ms,
                deadline_ms,
            } => {
                let time = Duration::from_millis(for_ms);
                let deadline = Duration::from_millis(deadline_ms);
                let span = Span::begin(self.pause.map(|pause| pause.span), Some(time), now);
                self.pause = Some(Pause { span, deadline });
                Ok(format!(
                    "paused for {}: new requests wait, each for at most {}",
                    format_duration(time),
                    format_duration(deadline)
                ))
            }
            Suspend::Maintenance { for_ms } => {
                let time = for_ms.map(Duration::from_millis);
                self.maintenance = Some(Span::begin(self.maintenance, time, now));
                Ok(match time {
                    Some(time) => format!("maintenance for {}", format_duration(time)),
                    None => "maintenance until `mainstay maintenance off`".to_owned(),
                })
            }
            Suspend::Resume if self.end(Kind::Pause) => Ok(over(Kind::Pause).to_owned()),
            Suspend::Resume => Err(Failure::usage("the instance is not paused")),
            Suspend::Reopen if self.end(Kind::Maintenance) => {
                Ok(over(Kind::Maintenance).to_owned())
            }
            Suspend::Reopen => Err(Failure::usage("the instance is not in maintenance")),
        }
    }
}

impl Control {
    /// `mainstay pause`, `resume`, `maintenance`. The asker is told when every gateway knows it; of a pause, when what had
    /// begun before has finished, or half of the time is over that requests wait for it.
    pub(super) fn suspend(&mut self, wish: Suspend, asker: Asker) {
        let message = match self.suspended.take(wish, Instant::now()) {
            Ok(message) => message,
            Err(failure) => return asker.done(&Ending::from(failure)),
        };
        let within = match wish {
            Suspend::Pause { deadline_ms, .. } => Duration::from_millis(deadline_ms / 2),
            Suspend::Resume | Suspend::Maintenance { .. } | Suspend::Reopen => Duration::ZERO,
        };
        match wish {
            Suspend::Pause { .. } | Suspend::Maintenance { .. } => say::warning(&message),
            Suspend::Resume | Suspend::Reopen => say::note(&message),
        }
        match self.tell_suspension(within) {
            Some(ticket) => self.suspended.askers.push((ticket, asker, message)),
            None => asker.done(&Ending::well(message)),
        }
    }

    /// The time of one is over.
    pub(super) fn on_resumed(&mut self, kind: Kind) {
        self.tell_suspension(Duration::ZERO);
        say::note(&format!("{}: its time is over", over(kind)));
    }

    /// Every gateway knows it, or had its time.
    pub(super) fn on_agreed(&mut self, agreement: Agreement) {
        let askers = &mut self.suspended.askers;
        for (_, asker, mut message) in
            askers.extract_if(.., |(ticket, ..)| *ticket == agreement.ticket)
        {
            if agreement.running > 0 {
                let noun = if agreement.running == 1 {
                    "request or stream"
                } else {
                    "requests and streams"
                };
                message = format!(
                    "{message}; {} {noun} that had begun before still run",
                    agreement.running
                );
            }
            let ending = if agreement.silent == 0 {
                Ending::well(message)
            } else {
                let reason = format!(
                    "{message}; but a gateway does not react, so that requests may still pass: `mainstay reload --gateway` replaces it"
                );
                Ending::from(Failure::machine(reason))
            };
            asker.done(&ending);
        }
    }

    /// The ticket under which it is heard that all of them know it; none while there is no gateway.
    fn tell_suspension(&mut self, within: Duration) -> Option<u64> {
        let suspension = self.suspended.in_force(Instant::now());
        let gateways = self.gateways.as_mut()?;
        Some(gateways.suspend(suspension, within))
    }
}

fn over(kind: Kind) -> &'static str {
    match kind {
        Kind::Pause => "resumed: requests pass again",
        Kind::Maintenance => "maintenance is over",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ends_when_its_time_is_over_and_maintenance_holds_over_a_pause() {
        let mut suspended = Suspended::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let time = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(suspended.in_force(begin), Suspension::None);
        let deadline = Duration::from_secs(10);
        let span = Span::begin(None, time(30), at(0));
        suspended.pause = Some(Pause { span, deadline });
        assert_eq!(suspended.in_force(at(1)), Suspension::Pause { deadline });
        suspended.maintenance = Some(Span::begin(None, None, at(5)));
        let open_end = Suspension::Maintenance { until: None };
        assert_eq!(suspended.in_force(at(6)), open_end);
        assert_eq!(suspended.next_end(), Some((at(30), Kind::Pause)));
        // said again: the new time counts, it has been so since the first
        suspended.maintenance = Some(Span::begin(suspended.maintenance, time(10), at(10)));
        let expected = SuspendedSpan {
            since: Duration::from_secs(7),
            left: time(8),
        };
        assert_eq!(suspended.maintenance_at(at(12)), Some(expected));
        assert_eq!(suspended.next_end(), Some((at(20), Kind::Maintenance)));
        assert!(suspended.end(Kind::Maintenance));
        assert!(!suspended.end(Kind::Maintenance));
        assert!(suspended.end(Kind::Pause));
        assert_eq!(suspended.in_force(at(13)), Suspension::None);
        assert_eq!(suspended.pause_at(at(13)), None);
    }
}
