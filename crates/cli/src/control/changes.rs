//! What a reload has to do, from the settings in force and those that are wanted. Pure: does nothing of it.

use mainstay_config::{AppSettings, Ranks, Settings};
use mainstay_values::nearest;

use super::by_hand::ByHand;
use crate::failure::Failure;
use crate::order::Order;

/// All that has to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// In the order in which apps are started, else in that of the file.
    pub(super) apps: Vec<(AppSettings, Change)>,
    /// Apps that are no longer wanted.
    pub(super) gone: Vec<String>,
}

/// What becomes of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is new.
    Start,
    /// It was stopped, and starts again.
    Again,
    /// It gets a new release.
    Replace,
    /// It gets a new release after the old one has ended.
    Restart,
    /// It gets another number of workers; those it has stay.
    Scale,
    /// Only what concerns others than its workers changed.
    Adopt,
}

impl Changes {
    /// From `present` to `wanted`, in the instance of that name.
    ///
    /// # Errors
    /// What cannot be done while the instance runs; nothing was done then.
    pub(super) fn between(
        instance: &str,
        present: &Settings,
        wanted: &Settings,
        order: &Order,
        by_hand: &ByHand,
    ) -> Result<Self, Failure> {
        only_what_can_change(instance, present, wanted)?;
        named_apps_exist(wanted, order)?;
        let apps = wanted.apps.iter().filter_map(|app| {
            let before = present.apps.iter().find(|old| old.name() == app.name());
            let is_halted = by_hand.halted(app.name()).is_some();
            let change = if is_halted {
                order.names(app.name()).then_some(Change::Again)
            } else {
                change(before, app, order)
            };
            change.map(|change| (app.clone(), change))
        });
        let ranks = Ranks::of(&wanted.apps);
        let mut apps: Vec<_> = apps.collect();
        apps.sort_by_key(|(app, _)| ranks.of_app(app.name()));
        let gone = present
            .apps
            .iter()
            .map(AppSettings::name)
            .filter(|name| wanted.apps.iter().all(|app| app.name() != *name));
        Ok(Self {
            apps,
            gone: gone.map(str::to_owned).collect(),
        })
    }
}

fn change(before: Option<&AppSettings>, app: &AppSettings, order: &Order) -> Option<Change> {
    let Some(before) = before else {
        return Some(Change::Start);
    };
    let is_asked_for = match order {
        Order::Everything => true,
        // one that runs has started already
        Order::Start(_) | Order::Fresh(..) | Order::Relieve { .. } => false,
        order => order.names(app.name()),
    };
    let mut as_many = before.options.clone();
    as_many.workers = app.options.workers;
    if is_asked_for && matches!(order, Order::Restart(_)) {
        Some(Change::Restart)
    } else if is_asked_for || as_many != app.options {
        Some(Change::Replace)
    } else if before.options.workers != app.options.workers {
        Some(Change::Scale)
    } else if before != app {
        Some(Change::Adopt)
    } else {
        None
    }
}

fn only_what_can_change(
    instance: &str,
    present: &Settings,
    wanted: &Settings,
) -> Result<(), Failure> {
    let fixed = [
        (
            "name",
            wanted.name.as_ref().is_some_and(|name| name != instance),
        ),
        ("user", wanted.user != present.user),
        ("group", wanted.group != present.group),
        ("app", present.apps.is_empty() && !wanted.apps.is_empty()),
        ("http", serves(present) && !serves(wanted)),
    ];
    let changed: Vec<String> = fixed
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "what the settings say of {} takes another start: `mainstay stop`, then start; nothing has changed",
        changed.join(", ")
    )))
}

/// Whether anybody may come.
fn serves(settings: &Settings) -> bool {
    settings.targets().next().is_some()
}

fn named_apps_exist(wanted: &Settings, order: &Order) -> Result<(), Failure> {
    let (Order::Apps(names) | Order::Restart(names) | Order::Start(names)) = order else {
        return Ok(());
    };
    let known = || wanted.apps.iter().map(AppSettings::name);
    let Some(name) = names.iter().find(|name| known().all(|app| app != *name)) else {
        return Ok(());
    };
    let hint = match nearest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is {}", known().collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::usage(format!("no app `{name}`; {hint}")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mainstay_config::Preset;
    use mainstay_supervisor::launch::Target;
    use mainstay_supervisor::options::Workers;

    use super::super::by_hand::Halt;
    use super::Change::{Adopt, Again, Replace, Restart, Scale, Start};
    use super::*;

    fn settings(apps: &[&str]) -> Settings {
        let mut settings = Settings::of(Preset::Safe);
        settings.apps = apps
            .iter()
            .map(|name| {
                let target = Target::Path(PathBuf::from("."));
                AppSettings::new(
                    (*name).to_owned(),
                    target,
                    PathBuf::from("/srv"),
                    Preset::Safe,
                )
            })
            .collect();
        settings
    }

    fn between(present: &Settings, wanted: &Settings, order: &Order) -> Vec<(String, Change)> {
        let changes =
            Changes::between("i", present, wanted, order, &ByHand::default()).expect("possible");
        let named = |(app, change): &(AppSettings, Change)| (app.name().to_owned(), *change);
        changes.apps.iter().map(named).collect()
    }

    #[test]
    fn an_app_is_touched_when_it_was_named_or_changed() {
        let present = settings(&["a", "b", "c"]);
        let mut wanted = settings(&["a", "b", "c", "d"]);
        wanted.apps[1].options.workers = Workers::Fixed(4);
        wanted.apps[2].release.timeout = std::time::Duration::from_secs(1);
        let of = |order: &Order| -> Vec<(String, Change)> { between(&present, &wanted, order) };
        let list = |changes: &[(&str, Change)]| -> Vec<(String, Change)> {
            let owned = changes
                .iter()
                .map(|(name, change)| ((*name).to_owned(), *change));
            owned.collect()
        };
        for (order, expected) in [
            (
                Order::Settings,
                &[("b", Scale), ("c", Adopt), ("d", Start)][..],
            ),
            (
                Order::Apps(vec!["b".to_owned()]),
                &[("b", Replace), ("c", Adopt), ("d", Start)],
            ),
            (
                Order::Everything,
                &[("a", Replace), ("b", Replace), ("c", Replace), ("d", Start)],
            ),
        ] {
            assert_eq!(of(&order), list(expected), "{order:?}");
        }
        wanted.apps[1].options.port = Some(4000);
        let changed = between(&present, &wanted, &Order::Settings);
        assert_eq!(changed[0], ("b".to_owned(), Replace));
    }

    #[test]
    fn an_app_that_was_stopped_starts_again_only_when_it_is_named() {
        let present = settings(&["a", "b"]);
        let mut by_hand = ByHand::default();
        by_hand.halt("a", Some(Halt::Stopped));
        let named = || vec!["a".to_owned(), "b".to_owned()];
        for (order, expected) in [
            (Order::Everything, &[("b", Replace)][..]),
            (Order::Settings, &[]),
            (Order::Start(named()), &[("a", Again)]),
            (Order::Apps(named()), &[("a", Again), ("b", Replace)]),
            (Order::Restart(named()), &[("a", Again), ("b", Restart)]),
        ] {
            let changes = Changes::between("i", &present, &present, &order, &by_hand);
            let changes = changes.expect("possible").apps;
            let found: Vec<_> = changes
                .iter()
                .map(|(app, what)| (app.name(), *what))
                .collect();
            assert_eq!(found, expected, "{order:?}");
        }
    }

    #[test]
    fn apps_that_are_no_longer_written_go() {
        let changes = Changes::between(
            "i",
            &settings(&["a", "b"]),
            &settings(&["b"]),
            &Order::Settings,
            &ByHand::default(),
        );
        assert_eq!(changes.expect("possible").gone, ["a"]);
    }

    #[test]
    fn what_takes_another_start_is_refused_at_once() {
        let present = settings(&["a"]);
        let mut wanted = settings(&["a"]);
        wanted.name = Some("i".to_owned());
        wanted.user = Some("www-data".to_owned());
        wanted.group = Some("www-data".to_owned());
        let failure =
            Changes::between("i", &present, &wanted, &Order::Settings, &ByHand::default())
                .expect_err("refused");
        assert!(
            failure.message.contains("`user`, `group`"),
            "{}",
            failure.message
        );
        let order = Order::Apps(vec!["aa".to_owned()]);
        let failure = Changes::between("i", &present, &present, &order, &ByHand::default())
            .expect_err("refused");
        assert!(
            failure.message.contains("did you mean `a`?"),
            "{}",
            failure.message
        );
    }
}
