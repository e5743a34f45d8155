//! `mainstay disable` and `mainstay enable`: a layer out of the running instance's way, and back.

use std::process::ExitCode;
use std::time::Duration;

use mainstay_config::Layer;
use mainstay_values::{Problem, format_duration, parse_duration};

use super::instance::Instance;
use crate::arguments::{Disable, Enable};
use crate::failure::Failure;
use crate::{Outcome, order, say};

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

fn tell(name: Option<&str>, path: &str, wish: &impl serde::Serialize) -> Outcome {
    let body = serde_json::to_vec(wish).map_err(|error| Failure::internal("the wish", error))?;
    let instance = Instance::find(name)?;
    match instance.order(path, &body, say::note)? {
        Some(ending) if ending.code == 0 => {
            say::note(&ending.message);
            Ok(ExitCode::SUCCESS)
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before it had done it",
            instance.name
        ))),
    }
}
