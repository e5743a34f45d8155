//! Fresh workers in the place of those that run, from the release and the settings that are in force: of one worker, or
//! of whole apps.

use mainstay_config::{AppSettings, ReloadMode, Settings};
use mainstay_supervisor::WorkerId;

use super::hands::Hands;
use super::replace;
use crate::failure::Failure;
use crate::order::Relief;

/// Gives these apps fresh workers. Nothing is run before them: no new code comes in that would need it.
pub(super) async fn fresh(
    apps: &[String],
    settings: &Settings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let mut done = Vec::new();
    for app in settings
        .apps
        .iter()
        .filter(|app| apps.iter().any(|name| name == app.name()))
    {
        if hands.workers(app.name()).await?.is_empty() {
            // it waits to be started, and will be as it is now
            continue;
        }
        done.push(replace::bring_in(app, app.release.mode, &settings.reload, hands).await?);
    }
    Ok(done.join("; "))
}

/// Puts a successor in the place of one worker, before its end or after it.
pub(super) async fn relieve(
    worker: &WorkerId,
    way: Relief,
    app: &AppSettings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let present = hands.workers(app.name()).await?;
    if !present.contains(worker) {
        return Ok(format!("{worker} is not there any more"));
    }
    let successor = WorkerId {
        incarnation: worker.incarnation.wrapping_add(1),
        ..worker.clone()
    };
    let next = std::slice::from_ref(&successor);
    let old = std::slice::from_ref(worker);
    if way == Relief::After || app.release.mode == ReloadMode::Hold {
        hands.retire(old).await?;
        hands.launch(&successor).await?;
        hands.all_tried(next).await?;
        return Ok(format!("{worker} was replaced after its end"));
    }
    hands.launch(&successor).await?;
    if let Err(failure) = hands.all_ready(next, next).await {
        hands.retire(next).await?;
        return Err(failure.within(&format!("{worker} stays: its successor did not come up")));
    }
    hands.retire(old).await?;
    Ok(format!("{worker} was replaced"))
}
