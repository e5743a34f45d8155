//! What an operator did to single apps of a running instance, over what the settings say: stopped, given another number
//! of workers; and the sequences that do it. As long as the instance lives: its next start begins with the settings.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mainstay_config::{AppSettings, Ranks, Settings};
use mainstay_supervisor::options::Workers;
use serde::{Deserialize, Serialize};

use super::autoscale::fitted;
use super::hands::Hands;
use super::relieve::relieve;
use super::replace::{self, counted};
use crate::failure::Failure;
use crate::order::{Count, Relief};

/// More processes than one machine serves well; the same bound as in the settings.
const MOST_WORKERS: u32 = 1_024;

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ByHand {
    halted: BTreeMap<String, Halt>,
    scaled: BTreeMap<String, Scaled>,
}

/// Why an app does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Halt {
    /// It is still listed.
    Stopped,
    /// It is not.
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Scaled {
    workers: u32,
    /// What the settings said: once they say something else, that holds.
    written: Workers,
}

impl ByHand {
    /// Whether an app was stopped.
    pub(super) fn halted(&self, app: &str) -> Option<Halt> {
        self.halted.get(app).copied()
    }

    /// None: it runs.
    pub(super) fn halt(&mut self, app: &str, halt: Option<Halt>) {
        match halt {
            Some(halt) => self.halted.insert(app.to_owned(), halt),
            None => self.halted.remove(app),
        };
    }

    /// An app has so many workers from now on, whatever the settings say.
    pub(super) fn scale(&mut self, app: &str, workers: u32, written: Workers) {
        let before = self.scaled.get(app);
        let written = before.map_or(written.as_written(), |before| before.written);
        let scaled = Scaled { workers, written };
        self.scaled.insert(app.to_owned(), scaled);
    }

    /// What the settings say holds again.
    pub(super) fn unscale(&mut self, app: &str) {
        self.scaled.remove(app);
    }

    /// What the settings say of the workers of an app that was given a number by hand.
    fn written(&self, app: &str) -> Option<Workers> {
        self.scaled.get(app).map(|scaled| scaled.written)
    }

    /// Settings that were read, with the numbers that were given by hand.
    pub(super) fn over(&self, settings: &mut Settings) {
        for app in &mut settings.apps {
            if let Some(scaled) = self.scaled.get(app.name())
                && app.options.workers.as_written() == scaled.written
            {
                app.options.workers = Workers::Fixed(scaled.workers);
            }
        }
    }

    /// These settings are in force: what they no longer speak of, or speak of anew, is forgotten.
    pub(super) fn settle(&mut self, settings: &Settings) {
        let find = |name: &String| settings.apps.iter().find(|app| app.name() == name);
        self.halted.retain(|name, _| find(name).is_some());
        self.scaled.retain(|name, scaled| {
            find(name).is_some_and(|app| app.options.workers == Workers::Fixed(scaled.workers))
        });
    }
}

/// Takes these apps out of service: what has begun is finished, nobody new is let in, workers end. Those that were started
/// after others end before them.
pub(super) async fn halt(
    apps: &[String],
    halt: Halt,
    settings: &Settings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let mut done = Vec::new();
    let ranks = Ranks::of(&settings.apps);
    let mut apps: Vec<&String> = apps.iter().collect();
    apps.sort_by_key(|app| Reverse(ranks.of_app(app)));
    for app in apps {
        find(app, settings)?;
        // first, so that nobody waits for workers that will not come
        hands.halt(app, Some(halt));
        let workers = hands.workers(app).await?;
        hands.retire(&workers).await?;
        done.push(match halt {
            Halt::Stopped => format!("`{app}` has stopped"),
            Halt::Deleted => format!("`{app}` has stopped and is no longer listed"),
        });
    }
    Ok(done.join("; "))
}

/// Brings an app back that was stopped, with what its settings say now.
pub(super) async fn start(app: &AppSettings, hands: &mut Hands) -> Result<String, Failure> {
    hands.its_turn(app).await?;
    replace::run_release_command(app, hands).await?;
    let release = hands.prepare(app).await?;
    let new = replace::workers_of(app, release);
    // requests wait for them from now on
    hands.halt(app.name(), None);
    replace::launch(&new, hands).await?;
    if let Err(failure) = hands.all_ready(&new, &new).await {
        hands.halt(app.name(), Some(Halt::Stopped));
        replace::end(&new, release, hands).await?;
        return Err(failure.within(&format!("`{}` stays stopped", app.name())));
    }
    hands.adopt(app, Some(release));
    Ok(format!("`{}` runs ({})", app.name(), counted(new.len())))
}

/// Gives an app another number of workers.
pub(super) async fn scale(
    app: &str,
    count: Count,
    settings: &Settings,
    by_hand: &ByHand,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let known = find(app, settings)?;
    if by_hand.halted(app).is_some() {
        return Err(Failure::usage(format!(
            "`{app}` is stopped; `mainstay start {app}` starts it"
        )));
    }
    hands.its_turn(known).await?;
    let had = u32::try_from(hands.workers(app).await?.len()).unwrap_or(u32::MAX);
    if count == Count::Written {
        return unscale(known, had, by_hand, hands).await;
    }
    let wanted = count.of(had).filter(|count| *count <= MOST_WORKERS);
    let wanted = wanted.ok_or_else(|| {
        Failure::usage(format!(
            "`{app}` has {}; it can have 1 to {MOST_WORKERS}, and `mainstay stop {app}` ends it",
            counted(had as usize)
        ))
    })?;
    let is_scaled_by_work = matches!(known.options.workers, Workers::Between(_));
    if wanted == had && !is_scaled_by_work {
        return Ok(format!("`{app}` has {} already", counted(had as usize)));
    }
    let mut app = known.clone();
    let written = std::mem::replace(&mut app.options.workers, Workers::Fixed(wanted));
    let sentence = replace::scale(&app, hands).await?;
    hands.scaled(app.name(), Some((wanted, written)));
    if is_scaled_by_work {
        return Ok(format!(
            "{sentence}, whatever its work; `mainstay scale {} auto` scales it by its work again",
            app.name()
        ));
    }
    Ok(sentence)
}

/// What the settings say of the workers of an app holds again, after somebody gave it a number.
async fn unscale(
    known: &AppSettings,
    had: u32,
    by_hand: &ByHand,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let name = known.name();
    let Some(written) = by_hand.written(name) else {
        return Ok(format!("`{name}` has what the settings say already"));
    };
    let mut app = known.clone();
    app.options.workers = match written {
        // it goes on from where it is
        Workers::Between(range) => Workers::Between(range.with(had)),
        written => written,
    };
    let sentence = replace::scale(&app, hands).await?;
    hands.scaled(name, None);
    Ok(format!("{sentence}, as the settings say"))
}

/// Gives an app that is scaled by its work the number of workers that this asks for.
pub(super) async fn fit(
    app: &str,
    workers: u32,
    why: &str,
    settings: &Settings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let mut app = find(app, settings)?.clone();
    let Workers::Between(range) = app.options.workers else {
        return Ok(format!(
            "`{}` is not scaled by its work any more",
            app.name()
        ));
    };
    app.options.workers = Workers::Between(range.with(workers));
    replace::scale(&app, hands).await?;
    Ok(fitted(app.name(), workers, why))
}

/// Ends one worker of an app and puts a successor in its place; the others go on.
pub(super) async fn restart_worker(
    app: &str,
    index: u32,
    settings: &Settings,
    hands: &mut Hands,
) -> Result<String, Failure> {
    let known = find(app, settings)?;
    let workers = hands.workers(app).await?;
    let last = workers.iter().rfind(|worker| worker.index == index);
    let last =
        last.ok_or_else(|| Failure::usage(format!("`{app}` has no worker {index} any more")))?;
    relieve(last, Relief::After, known, hands).await
}

fn find<'a>(app: &str, settings: &'a Settings) -> Result<&'a AppSettings, Failure> {
    let found = settings.apps.iter().find(|known| known.name() == app);
    found.ok_or_else(|| Failure::usage(format!("no app `{app}` runs here")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mainstay_config::Preset;
    use mainstay_supervisor::launch::Target;

    use super::*;

    fn settings(workers: Workers) -> Settings {
        let mut settings = Settings::of(Preset::Safe);
        let target = Target::Path(PathBuf::from("."));
        let app = AppSettings::new("api".to_owned(), target, "/srv".into(), Preset::Safe);
        settings.apps.push(app);
        settings.apps[0].options.workers = workers;
        settings
    }

    #[test]
    fn a_number_given_by_hand_holds_until_the_settings_say_another() {
        let mut by_hand = ByHand::default();
        by_hand.scale("api", 4, Workers::Fixed(1));
        // said again: what is in force then is ours
        by_hand.scale("api", 5, Workers::Fixed(4));
        let read = |by_hand: &ByHand, written| {
            let mut settings = settings(written);
            by_hand.over(&mut settings);
            settings
        };
        let again = read(&by_hand, Workers::Fixed(1));
        assert_eq!(again.apps[0].options.workers, Workers::Fixed(5));
        by_hand.settle(&again);
        let changed = read(&by_hand, Workers::Fixed(2));
        assert_eq!(changed.apps[0].options.workers, Workers::Fixed(2));
        by_hand.settle(&changed);
        let back = read(&by_hand, Workers::Fixed(1));
        assert_eq!(back.apps[0].options.workers, Workers::Fixed(1));
    }

    #[test]
    fn an_app_that_is_no_longer_written_was_not_stopped_either() {
        let mut by_hand = ByHand::default();
        by_hand.halt("api", Some(Halt::Stopped));
        by_hand.settle(&settings(Workers::Auto));
        assert_eq!(by_hand.halted("api"), Some(Halt::Stopped));
        by_hand.settle(&Settings::of(Preset::Safe));
        assert_eq!(by_hand.halted("api"), None);
    }
}
