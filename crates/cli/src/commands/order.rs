//! Orders that go to one or several running instances, chosen by the words of the command. Carries out none itself.

use std::process::ExitCode;

use mainstay_supervisor::signal::Signal as Signals;

use super::instance::Instance;
use super::landscape::{Known, gather};
use super::targets::{Chosen, Part, choose};
use crate::arguments::{Scale, Signal, Targets};
use crate::failure::Failure;
use crate::order::{Count, Order, Signalling};
use crate::state::{Ids, Record};
use crate::{Outcome, say};

/// What the words mean; without any, the only instance that runs.
pub(super) fn chosen<'a>(
    targets: &Targets,
    instances: &'a [Known],
) -> Result<Vec<Chosen<'a>>, Failure> {
    if !targets.targets.is_empty() {
        return choose(&targets.targets, instances);
    }
    // its complaints are about none or several
    let only = Instance::find(targets.name.as_deref())?;
    let named = instances.iter().filter(|known| known.name == only.name);
    let whole = |known| Chosen {
        known,
        part: Part::Whole,
    };
    Ok(named.map(whole).collect())
}

/// Gives one order, and says what comes of it.
pub(super) fn give(instance: &Instance, order: &Order) -> Result<(), Failure> {
    let body = serde_json::to_vec(order).map_err(|error| Failure::internal("the order", error))?;
    told(instance, "/reload", &body)
}

fn told(instance: &Instance, path: &str, body: &[u8]) -> Result<(), Failure> {
    match instance.order(path, body, say::note)? {
        Some(ending) if ending.code == 0 => {
            say::note(&ending.message);
            Ok(())
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before it had done it",
            instance.name
        ))),
    }
}

/// Ends an instance in order, and waits for its process.
fn end(instance: &Instance) -> Result<(), Failure> {
    instance.outlive(|| instance.order("/stop", b"", say::note).map(drop))?;
    say::note(&format!("instance `{}` has stopped", instance.name));
    Ok(())
}

/// `mainstay stop`. Given a second time, it hurries.
pub(crate) fn stop(stop: &Targets) -> Outcome {
    // whoever names nothing means what runs, whatever it can say of itself: the plainest way must always work
    if stop.targets.is_empty() {
        end(&Instance::find(stop.name.as_deref())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let instances = gather(stop.name.as_deref());
    for Chosen { known, part } in chosen(stop, &instances)? {
        let Some((instance, _)) = &known.running else {
            say::note(&format!("instance `{}` is stopped already", known.name));
            continue;
        };
        match part {
            Part::Worker { app, id, .. } => return Err(one_of_several(&app, id)),
            Part::Apps(apps) if known.runs_more_than(&apps) => {
                give(instance, &Order::Stop(apps))?;
            }
            // with the last app ends the instance
            Part::Apps(_) | Part::Whole => end(instance)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn one_of_several(app: &str, id: u32) -> Failure {
    Failure::usage(format!(
        "{id} is one of several workers of `{app}`; `mainstay scale {app} -1` ends one, `mainstay stop {app}` the app"
    ))
}

/// `mainstay delete`.
pub(crate) fn delete(delete: &Targets) -> Outcome {
    let instances = gather(delete.name.as_deref());
    for Chosen { known, part } in chosen(delete, &instances)? {
        match (&known.running, part) {
            (_, Part::Worker { app, id, .. }) => return Err(one_of_several(&app, id)),
            (Some((instance, _)), Part::Apps(apps)) if known.runs_more_than(&apps) => {
                give(instance, &Order::Delete(apps))?;
            }
            (None, Part::Apps(apps)) => {
                return Err(Failure::usage(format!(
                    "`{}` is part of instance `{}`, which does not run; `mainstay delete {}` forgets the instance",
                    apps.join("`, `"),
                    known.name,
                    known.name
                )));
            }
            (running, _) => {
                if let Some((instance, _)) = running {
                    end(instance)?;
                }
                forget(known)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn forget(known: &Known) -> Result<(), Failure> {
    let had_record = known.record.is_some();
    Record::remove(&known.name)?;
    Ids::forget(&known.name);
    if had_record {
        let logs = known.logs();
        let logs = logs.map(|logs| format!("; its log files stay in `{}`", logs.display()));
        say::note(&format!(
            "`{}` is forgotten{}",
            known.name,
            logs.unwrap_or_default()
        ));
    }
    Ok(())
}

/// `mainstay scale`.
pub(crate) fn scale(scale: &Scale) -> Outcome {
    let count = Count::parse(&scale.count).ok_or_else(|| {
        Failure::usage(format!(
            "`{}` is no number of workers: expected `3`, `+1`, `-1`, or `auto` for what the settings say",
            scale.count
        ))
    })?;
    let instances = gather(scale.which.name.as_deref());
    for Chosen { known, part } in choose(std::slice::from_ref(&scale.target), &instances)? {
        let apps = part.apps(known);
        if apps.is_empty() {
            return Err(Failure::usage(format!("`{}` runs no app", known.name)));
        }
        for app in apps {
            give(known.instance()?, &Order::Scale { app, count })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `mainstay signal`.
pub(crate) fn signal(signal: &Signal) -> Outcome {
    let Some(meant) = Signals::parse(&signal.spelled) else {
        let names: Vec<&str> = Signals::ALL.iter().map(|signal| signal.name()).collect();
        return Err(Failure::usage(format!(
            "`{}` is no signal that workers are sent; there is {}",
            signal.spelled,
            names.join(", ")
        )));
    };
    let instances = gather(signal.which.name.as_deref());
    for Chosen { known, part } in choose(std::slice::from_ref(&signal.target), &instances)? {
        let index = match &part {
            Part::Worker { index, .. } => Some(*index),
            _ => None,
        };
        let is_running = |name: &String| {
            let mut apps = known.apps.iter();
            apps.any(|app| app.name == *name && !app.is_stopped)
        };
        let instance = known.instance()?;
        for app in part.apps(known).into_iter().filter(is_running) {
            let wish = Signalling {
                app,
                index,
                signal: meant.name().to_owned(),
            };
            let body =
                serde_json::to_vec(&wish).map_err(|error| Failure::internal("the wish", error))?;
            told(instance, "/signal", &body)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
