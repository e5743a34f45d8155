//! A reload: from what is written now to what runs now. The sequence over all apps; one app's stands in `replace`.

use mainstay_config::{ReloadMode, Settings};
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::{WorkerId, count};

use super::by_hand::{self, ByHand, Halt};
use super::changes::{Change, Changes};
use super::hands::Hands;
use super::invocation::Origin;
use super::{relieve, replace, upgrade};
use crate::failure::Failure;
use crate::order::Order;

/// What is to be reloaded.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) order: Order,
    /// The instance's name.
    pub(super) name: String,
    /// What is in force.
    pub(super) present: Settings,
    /// Where the settings come from.
    pub(super) origin: Origin,
    /// What holds over the settings, whatever they say.
    pub(super) by_hand: ByHand,
}

/// Brings in what is written now. Returns what came of it, in sentences.
///
/// Whatever can be wrong before anything is touched is found first. Then one app after the other gets its new release:
/// the first that does not come up ends the reload, and stays what it was. What requests meet on their way (routes,
/// limits, headers, addresses) changes last, all at once.
pub(super) async fn reload(what: Reload, mut hands: Hands) -> Result<String, Failure> {
    let hands = &mut hands;
    let present = &what.present;
    match &what.order {
        Order::Gateway => {
            hands.replace_gateway().await?;
            return Ok("another gateway serves".to_owned());
        }
        Order::Upgrade(program) => return upgrade::begin(program.as_deref(), hands).await,
        Order::Upgraded { before } => return upgrade::complete(before, hands).await,
        Order::Fresh(apps, _) => {
            // what was stopped by hand is not started by the clock
            let runs = |app: &&String| what.by_hand.halted(app).is_none();
            let apps: Vec<String> = apps.iter().filter(runs).cloned().collect();
            return relieve::fresh(&apps, present, hands).await;
        }
        Order::Relieve {
            app,
            release,
            index,
            incarnation,
            way,
        } => {
            let worker = WorkerId {
                app: app.as_str().into(),
                release: *release,
                index: *index,
                incarnation: *incarnation,
            };
            let mut apps = present.apps.iter();
            return match apps.find(|known| known.name() == app) {
                Some(app) => relieve::relieve(&worker, *way, app, hands).await,
                None => Ok(format!("`{app}` is not there any more")),
            };
        }
        Order::Stop(apps) => return by_hand::halt(apps, Halt::Stopped, present, hands).await,
        Order::Delete(apps) => return by_hand::halt(apps, Halt::Deleted, present, hands).await,
        Order::Scale { app, count } => {
            return by_hand::scale(app, *count, present, &what.by_hand, hands).await;
        }
        Order::Fit { app, workers, why } => {
            return by_hand::fit(app, *workers, why, present, hands).await;
        }
        Order::Worker { app, index } => {
            return by_hand::restart_worker(app, *index, present, hands).await;
        }
        Order::Everything
        | Order::Apps(_)
        | Order::Settings
        | Order::Restart(_)
        | Order::Start(_) => {}
    }
    // an ecosystem file is a program: nobody who is supervised waits for it
    let origin = what.origin.clone();
    let (mut wanted, places) = tokio::task::spawn_blocking(move || origin.load())
        .await
        .map_err(|error| Failure::internal("reading the settings", error))??;
    keep_what_was_found(&mut wanted, present);
    what.by_hand.over(&mut wanted);
    let changes = Changes::between(&what.name, present, &wanted, &what.order, &what.by_hand)?;
    let opened = hands.open(&wanted).await?;

    // of one app the end of the reload tells
    let are_several = changes.apps.len() + changes.gone.len() > 1;
    let mut done = Vec::new();
    for (app, change) in &changes.apps {
        let sentence = match change {
            Change::Start => replace::start(app, hands).await?,
            Change::Again => by_hand::start(app, hands).await?,
            Change::Replace => {
                replace::replace(app, app.release.mode, &wanted.reload, hands).await?
            }
            Change::Restart => {
                replace::replace(app, ReloadMode::Hold, &wanted.reload, hands).await?
            }
            Change::Scale => replace::scale(app, hands).await?,
            Change::Adopt => continue,
        };
        if are_several {
            hands.say(&sentence);
        }
        done.push(sentence);
    }
    if wanted != what.present {
        let kept = hands.settings(&wanted, opened).await?;
        if kept == Gateway::Replaced {
            hands.gateway_serves().await?;
        }
        done.push("the settings are in force".to_owned());
    }
    hands.places(places);
    for app in &changes.gone {
        let sentence = replace::remove(app, hands).await?;
        if are_several {
            hands.say(&sentence);
        }
        done.push(sentence);
    }
    if done.is_empty() {
        return Ok("nothing has changed".to_owned());
    }
    Ok(done.join("; "))
}

/// What the settings leave open was found out of the apps that run.
pub(super) fn keep_what_was_found(wanted: &mut Settings, present: &Settings) {
    for app in &mut wanted.apps {
        let mut known = present.apps.iter();
        if let Some(known) = known.find(|known| known.name() == app.name())
            && known.options.kind == app.options.kind
        {
            app.reach = known.reach;
        }
        let mut known = present.apps.iter();
        if let Some(known) = known.find(|known| known.name() == app.name())
            && let Workers::Between(range) = &mut app.options.workers
        {
            // a reload is no reason to begin with the fewest again
            *range = range.with(count::workers(known.options.workers));
        }
    }
}

/// How new settings came to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateway {
    /// Into the running one.
    Told,
    /// With another one, whose start is under way: it listens elsewhere, or has other threads.
    Replaced,
}
