//! `mainstay upgrade`: another program in the place of the one that runs an instance.

use std::process::ExitCode;

use super::instance::Instance;
use crate::arguments::Upgrade;
use crate::failure::Failure;
use crate::order::{Ending, Order};
use crate::{Outcome, say};

/// Waits until it is done, saying what happens.
pub(crate) fn execute(upgrade: &Upgrade) -> Outcome {
    let instance = Instance::find(upgrade.which.name.as_deref())?;
    let binary = upgrade.binary.as_ref().map(std::path::absolute);
    let binary = binary
        .transpose()
        .map_err(|error| Failure::usage(format!("the new program: {error}")))?;
    let order = Order::Upgrade(binary);
    let body = serde_json::to_vec(&order).map_err(|error| Failure::internal("the order", error))?;
    let ending = match instance.order("/reload", &body, say::note)? {
        Some(ending) => Some(ending),
        // it has become another program, which tells the rest
        None => instance.order("/upgraded", b"", say::note)?,
    };
    match ending {
        Some(Ending {
            code: 0, message, ..
        }) => {
            say::note(&message);
            Ok(ExitCode::SUCCESS)
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before it was upgraded",
            instance.name
        ))),
    }
}
