//! `mainstay disable` and `mainstay enable`: a layer out of the running instance's way, and back.

use std::time::Duration;

use mainstay_config::Layer;
use mainstay_values::{Problem, format_duration, parse_duration};

use super::tell;
use crate::arguments::{Disable, Enable};
use crate::failure::Failure;
use crate::{Outcome, order};

/// Shorter is over before it is in force; longer is forgotten, and belongs into the settings.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(30 * 24);

pub(crate) fn disable(disable: &Disable) -> Outcome {
    let wish = order::Disable {
        layer: layer(&disable.layer)?,
        for_ms: disable.time.as_deref().map(time).transpose()?,
    };
    tell(disable.which.name.as_deref(), "/disable", &wish)
}

pub(crate) fn enable(enable: &Enable) -> Outcome {
    let layer = layer(&enable.layer)?;
    tell(enable.which.name.as_deref(), "/enable", &layer)
}

fn layer(text: &str) -> Result<Layer, Failure> {
    text.parse()
        .map_err(|cause| Failure::usage(Problem::bad_value(text, cause).to_string()))
}

/// In milliseconds.
fn time(text: &str) -> Result<u64, Failure> {
    let time = parse_duration(text)
        .map_err(|cause| Failure::usage(Problem::bad_value("--for", cause).to_string()))?;
    if !(SHORTEST..=LONGEST).contains(&time) {
        return Err(Failure::usage(format!(
            "`--for {text}` is out of range: expected `{}` to `{}`; what is to last belongs into the settings (`without`)",
            format_duration(SHORTEST),
            format_duration(LONGEST)
        )));
    }
    u64::try_from(time.as_millis()).map_err(|error| Failure::internal("a duration", error))
}
