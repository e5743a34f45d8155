//! `mainstay reload`: a new release in the place of the running one, without losing a request.

use std::process::ExitCode;

use super::instance::Instance;
use super::landscape::{Known, gather};
use super::order::give;
use super::targets::{Chosen, choose, is_known};
use crate::Outcome;
use crate::arguments::Reload;
use crate::failure::Failure;
use crate::order::Order;

/// Waits until it is done, saying what happens; fails as the release does.
pub(crate) fn execute(reload: &Reload) -> Outcome {
    let order = match (reload.gateway, reload.settings) {
        (true, _) => Order::Gateway,
        (false, true) => Order::Settings,
        (false, false) if reload.apps.is_empty() => Order::Everything,
        (false, false) => return apps(reload),
    };
    give(&Instance::find(reload.which.name.as_deref())?, &order)?;
    Ok(ExitCode::SUCCESS)
}

/// Of those that are named.
fn apps(reload: &Reload) -> Outcome {
    let instances = gather(reload.which.name.as_deref());
    let running: Vec<&Known> = instances
        .iter()
        .filter(|known| known.running.is_some())
        .collect();
    // what the settings have just begun to speak of is known to the instance alone
    if let [only] = running[..]
        && !reload.apps.iter().all(|word| is_known(word, &instances))
    {
        give(only.instance()?, &Order::Apps(reload.apps.clone()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if running.is_empty() {
        // with the complaint that says what to do
        Instance::find(reload.which.name.as_deref())?;
    }
    for Chosen { known, part } in choose(&reload.apps, &instances)? {
        let apps = part.apps(known);
        if apps.is_empty() {
            return Err(Failure::usage(format!("`{}` runs no app", known.name)));
        }
        give(known.instance()?, &Order::Apps(apps))?;
    }
    Ok(ExitCode::SUCCESS)
}
