//! Replacing a release of one app by the next: the sequence, and the way back.

use std::time::{Duration, Instant};

use mainstay_config::{AppSettings, Percent, ReloadMode, ReloadSettings};
use mainstay_supervisor::WorkerId;
use mainstay_supervisor::count;

use super::hands::Hands;
use super::trial::Judge;
use crate::failure::Failure;

/// Gives `app` a new release. Returns what came of it, in a sentence.
///
/// One that waits to be started goes on waiting; one that runs waits for nobody.
///
/// The release that serves is not let go before the new one has shown itself; if it does not, everything is as
/// before, but for a release command that has run.
pub(super) async fn replace(
    app: &AppSettings,
    mode: ReloadMode,
    options: &ReloadSettings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    hands.its_turn(app).await?;
    run_release_command(app, hands).await?;
    bring_in(app, mode, options, hands).await
}

/// As [`replace`], with nothing run before the new workers.
pub(super) async fn bring_in(
    app: &AppSettings,
    mode: ReloadMode,
    options: &ReloadSettings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let begun = Instant::now();
    let release = hands.prepare(app).await?;
    let change = Change {
        old: hands.workers(app.name()).await?,
        new: workers_of(app, release),
        app,
        mode,
        options,
    };
    let replaced = match mode {
        ReloadMode::Overlap => overlap(&change, hands).await,
        ReloadMode::Hold => hold(&change, hands).await,
    };
    if let Err(failure) = replaced {
        go_back(&change, release, hands).await?;
        hands.end_trial(app.name());
        let name = app.name();
        return Err(failure.within(&format!("`{name}`: release {release} did not hold")));
    }
    hands.adopt(app, Some(release));
    Ok(format!(
        "`{}` runs release {release} ({}, {})",
        app.name(),
        counted(change.new.len()),
        seconds(begun.elapsed())
    ))
}

/// One release in the place of another.
struct Change<'a> {
    app: &'a AppSettings,
    /// Whether both may run at the same time.
    mode: ReloadMode,
    options: &'a ReloadSettings,
    old: Vec<WorkerId>,
    new: Vec<WorkerId>,
}

/// Something that must be done before new code runs, such as migrations: once, as the app itself would run.
pub(super) async fn run_release_command(app: &AppSettings, hands: &Hands) -> Result<(), Failure> {
    let Some(errand) = hands.errand(app).await? else {
        return Ok(());
    };
    hands.say(&format!("`{}`: the release command runs", app.name()));
    errand.run(app.release.timeout).await.map_err(|error| {
        Failure::app(format!(
            "`{}`: the release command {error}\n  the release that runs stays",
            app.name()
        ))
    })
}

/// New workers beside the old ones, a batch at a time: no request meets a closed door, and no more memory is
/// needed than for one batch.
async fn overlap(change: &Change<'_>, hands: &mut Hands) -> Result<(), Failure> {
    let total = change.new.len();
    let surge = change.options.max_surge.of(to_count(total)) as usize;
    let mut left = change.old.clone();
    for (number, batch) in change.new.chunks(surge).enumerate() {
        let so_far = (number * surge + batch.len()).min(total);
        let lives = &change.new[..so_far];
        hands.try_out(
            change.app.name(),
            batch,
            change.options.share.map(Percent::get),
            change.options.max_latency,
        );
        launch(batch, hands).await?;
        hands.all_ready(batch, lives).await?;
        // they are in rotation by now: whatever is wrong with them shows with real requests
        let judge = Judge::new(change.options);
        hands.settle(change.options.settle, lives, judge).await?;
        hands.end_trial(change.app.name());
        hands.say(&format!(
            "`{}`: {so_far} of {total} new workers serve",
            change.app.name()
        ));
        let leaving = if so_far == total {
            std::mem::take(&mut left)
        } else {
            left.drain(..batch.len().min(left.len().saturating_sub(1)))
                .collect()
        };
        hands.retire(&leaving).await?;
    }
    Ok(())
}

/// For an app that may not run twice: requests wait from the end of the old workers until new ones are ready.
async fn hold(change: &Change<'_>, hands: &mut Hands) -> Result<(), Failure> {
    hands.say(&format!("`{}`: requests wait", change.app.name()));
    hands.retire(&change.old).await?;
    launch(&change.new, hands).await?;
    hands.all_ready(&change.new, &change.new).await?;
    // nobody answers beside them to whom they could be compared
    let judge = Judge::new(change.options);
    hands
        .settle(change.options.settle, &change.new, judge)
        .await
}

/// The old release serves again as it did. Those of its workers that have left already are started again
/// first, so that somebody is there all the time; where they may not run twice, the new ones end first.
async fn go_back(change: &Change<'_>, release: u32, hands: &mut Hands) -> Result<(), Failure> {
    let present = hands.workers(change.app.name()).await?;
    // whoever else is there answers from now on
    hands.try_out(change.app.name(), &change.new, Some(0), None);
    let missing: Vec<_> = gone(&change.old, &present);
    let new: Vec<_> = present
        .into_iter()
        .filter(|worker| worker.release == release)
        .collect();
    if change.mode == ReloadMode::Hold {
        end(&new, release, hands).await?;
    }
    if !missing.is_empty() {
        hands.say(&format!(
            "`{}`: the release before it starts again",
            change.app.name()
        ));
        launch(&missing, hands).await?;
        hands.all_tried(&missing).await?;
    }
    let left = change.old.len() - missing.len();
    if left == 0 && hands.ready_of(&missing) == 0 && hands.ready_of(&new) > 0 {
        // both are no good, but this one answers
        return Ok(());
    }
    end(&new, release, hands).await
}

/// Those that have taken requests finish them first.
pub(super) async fn end(new: &[WorkerId], release: u32, hands: &mut Hands) -> Result<(), Failure> {
    hands.retire(new).await?;
    if let Some(worker) = new.first() {
        hands.stop_release(&worker.app, release);
    }
    Ok(())
}

/// A new app: there is nothing to replace.
pub(super) async fn start(app: &AppSettings, hands: &mut Hands) -> Result<String, Failure> {
    hands.its_turn(app).await?;
    run_release_command(app, hands).await?;
    let release = hands.prepare(app).await?;
    let new = workers_of(app, release);
    launch(&new, hands).await?;
    if let Err(failure) = hands.all_ready(&new, &new).await {
        end(&new, release, hands).await?;
        hands.forget(app.name());
        return Err(failure);
    }
    hands.adopt(app, Some(release));
    Ok(format!("`{}` runs ({})", app.name(), counted(new.len())))
}

/// Another number of workers: those that are not concerned go on as if nothing were.
pub(super) async fn scale(app: &AppSettings, hands: &mut Hands) -> Result<String, Failure> {
    let wanted = count::workers(app.options.workers);
    let before = hands.workers(app.name()).await?;
    let had = to_count(before.len());
    let release = hands.resize(app.name(), wanted).await?;
    let new: Vec<_> = workers_of(app, release)
        .into_iter()
        .filter(|worker| before.iter().all(|known| known.index != worker.index))
        .collect();
    let started = async {
        launch(&new, hands).await?;
        hands.all_ready(&new, &new).await
    };
    if let Err(failure) = started.await {
        hands.retire(&new).await?;
        hands.resize(app.name(), had).await?;
        return Err(failure.within(&format!(
            "`{}`: still {}",
            app.name(),
            counted(had as usize)
        )));
    }
    let surplus: Vec<_> = before
        .into_iter()
        .filter(|worker| worker.index >= wanted)
        .collect();
    hands.retire(&surplus).await?;
    hands.adopt(app, None);
    Ok(format!("`{}` has {}", app.name(), counted(wanted as usize)))
}

/// An app that is no longer wanted. Nobody asks for it any more.
pub(super) async fn remove(app: &str, hands: &mut Hands) -> Result<String, Failure> {
    let workers = hands.workers(app).await?;
    hands.retire(&workers).await?;
    hands.forget(app);
    Ok(format!("`{app}` has ended"))
}

pub(super) async fn launch(workers: &[WorkerId], hands: &mut Hands) -> Result<(), Failure> {
    for worker in workers {
        hands.launch(worker).await?;
    }
    Ok(())
}

pub(super) fn workers_of(app: &AppSettings, release: u32) -> Vec<WorkerId> {
    let name: std::sync::Arc<str> = app.name().into();
    (0..count::workers(app.options.workers))
        .map(|index| WorkerId {
            app: name.clone(),
            release,
            index,
            incarnation: 0,
        })
        .collect()
}

/// Those of `wanted` who are not there.
fn gone(wanted: &[WorkerId], present: &[WorkerId]) -> Vec<WorkerId> {
    let missing = |worker: &&WorkerId| !present.contains(worker);
    wanted.iter().filter(missing).cloned().collect()
}

fn to_count(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX)
}

pub(super) fn counted(workers: usize) -> String {
    match workers {
        1 => "1 worker".to_owned(),
        several => format!("{several} workers"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
