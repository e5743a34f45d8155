//! `mainstay reload`: a new release in the place of the running one, without losing a request.

use std::process::ExitCode;

use super::instance::Instance;
use crate::arguments::Reload;
use crate::failure::Failure;
use crate::order::Order;
use crate::{Outcome, say};

/// Waits until it is done, saying what happens; fails as the release does.
pub(crate) fn execute(reload: &Reload) -> Outcome {
    let order = if reload.gateway {
        Order::Gateway
    } else if reload.settings {
        Order::Settings
    } else if reload.apps.is_empty() {
        Order::Everything
    } else {
        Order::Apps(reload.apps.clone())
    };
    let body = serde_json::to_vec(&order).map_err(|error| Failure::internal("the order", error))?;
    let instance = Instance::find(reload.which.name.as_deref())?;
    match instance.order("/reload", &body, say::note)? {
        Some(ending) if ending.code == 0 => {
            say::note(&ending.message);
            Ok(ExitCode::SUCCESS)
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before the reload did",
            instance.name
        ))),
    }
}
