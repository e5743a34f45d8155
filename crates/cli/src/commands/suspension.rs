//! `mainstay pause`, `resume` and `maintenance`: what keeps new requests of the running instance out for a while.

use std::ops::RangeInclusive;
use std::time::Duration;

use mainstay_values::{Problem, format_duration, parse_duration};

use super::tell;
use crate::Outcome;
use crate::arguments::{Maintenance, Pause, Switch, Which};
use crate::failure::Failure;
use crate::order::Suspend;

/// A pause that nobody ends ends by itself: while it lasts, nobody is served.
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
/// Most clients and balancers wait no longer for an answer.
const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
const MAINTENANCE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(30 * 24);

pub(crate) fn pause(pause: &Pause) -> Outcome {
    let wish = Suspend::Pause {
        for_ms: milliseconds("--for", &pause.time, &PAUSES)?,
        deadline_ms: milliseconds("--deadline", &pause.deadline, &DEADLINES)?,
    };
    order(&pause.which, &wish)
}

pub(crate) fn resume(which: &Which) -> Outcome {
    order(which, &Suspend::Resume)
}

pub(crate) fn maintenance(maintenance: &Maintenance) -> Outcome {
    let time = maintenance.time.as_deref();
    let wish = match maintenance.switch {
        Switch::On => Suspend::Maintenance {
            for_ms: time
                .map(|time| milliseconds("--for", time, &MAINTENANCE))
                .transpose()?,
        },
        Switch::Off if time.is_some() => {
            return Err(Failure::usage(
                "`--for` goes with `maintenance on`; `off` ends it at once",
            ));
        }
        Switch::Off => Suspend::Reopen,
    };
    order(&maintenance.which, &wish)
}

fn order(which: &Which, wish: &Suspend) -> Outcome {
    tell(which.name.as_deref(), "/suspend", wish)
}

fn milliseconds(flag: &str, text: &str, bounds: &RangeInclusive<Duration>) -> Result<u64, Failure> {
    let time = parse_duration(text)
        .map_err(|cause| Failure::usage(Problem::bad_value(flag, cause).to_string()))?;
    if !bounds.contains(&time) {
        return Err(Failure::usage(format!(
            "`{flag} {text}` is out of range: expected `{}` to `{}`",
            format_duration(*bounds.start()),
            format_duration(*bounds.end())
        )));
    }
    u64::try_from(time.as_millis()).map_err(|error| Failure::internal("a duration", error))
}
