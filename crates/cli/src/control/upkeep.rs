//! What an instance does to its workers without anybody asking: fresh ones by the clock, after changes of files, and in
//! the place of those that take too much memory. Says when; the orders are carried out as all others.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mainstay_config::{AppSettings, MaxMemory, UpkeepSettings};
use mainstay_supervisor::footprint::Footprint;
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::{Descriptors, WorkerId, count};
use mainstay_values::Schedule;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::state::Control;
use super::watch::{Watch, WatchState, Watched};
use crate::listing::WorkerState;
use crate::order::{Fresh, Order, Relief};
use crate::say;

/// How often memory is looked at where it is bounded, and work where the number of workers follows it.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is where it is not, for whoever asks how things stand.
const RARE_LOOK: Duration = Duration::from_secs(10);
/// A worker is left alone for so long: who takes too much from the start is not replaced all the time.
const YOUNG: Duration = Duration::from_secs(5);
/// The longest sleep until something is due by the clock, which may be set meanwhile.
const CLOCK: Duration = Duration::from_secs(30);

/// Something is to be done.
#[derive(Debug)]
pub(super) enum Chore {
    /// Look at how much memory workers take.
    Memory,
    /// Look at how much work there is for those whose number follows it.
    Scale,
    /// Give these apps fresh workers.
    Fresh(Vec<String>, Fresh),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// What was understood of each app, so that nothing begins anew for which nothing changed.
    known: BTreeMap<String, Known>,
    timetables: BTreeMap<String, (Schedule, Option<Zoned>)>,
    watches: BTreeMap<String, Watch>,
    /// Bytes that a worker of an app may take.
    limits: BTreeMap<String, u64>,
    /// When memory is looked at next. None: nothing is run.
    look: Option<Instant>,
    /// When the work is looked at next. None: no number of workers follows it.
    scale: Option<Instant>,
    /// What the program before has left of each app.
    left: BTreeMap<String, Left>,
}

/// On the way to the next program: by app, what is due.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct UpkeepState {
    apps: BTreeMap<String, DueState>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DueState {
    /// By the clock, in seconds since 1970.
    next: Option<i64>,
    watch: Option<WatchState>,
}

#[derive(Debug)]
struct Left {
    next: Option<i64>,
    watch: Option<(WatchState, Descriptors)>,
}

#[derive(Debug, PartialEq)]
struct Known {
    upkeep: UpkeepSettings,
    folder: Option<PathBuf>,
}

impl Upkeep {
    /// These apps are there from now on, with so many workers each.
    pub(super) fn set(&mut self, apps: &[AppSettings], workers: &[(String, u32)], folder: &Path) {
        self.limits = limits(apps, workers, count::memory_limit());
        let next = self.next_look();
        self.look = (!apps.is_empty()).then(|| self.look.unwrap_or(next).min(next));
        let is_scaled = |app: &AppSettings| matches!(app.options.workers, Workers::Between(_));
        self.scale = apps
            .iter()
            .any(is_scaled)
            .then(|| self.scale.unwrap_or_else(|| Instant::now() + LOOK));
        let is_there = |name: &String| apps.iter().any(|app| app.name() == name);
        self.known.retain(|name, _| is_there(name));
        self.timetables.retain(|name, _| is_there(name));
        self.watches.retain(|name, _| is_there(name));
        for app in apps {
            let known = Known {
                upkeep: app.upkeep.clone(),
                folder: app.options.cwd.clone(),
            };
            if self.known.get(app.name()) == Some(&known) {
                continue;
            }
            self.known.insert(app.name().to_owned(), known);
            self.set_app(app, folder);
        }
        self.left.clear();
    }

    /// What the next program must know.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn state(&self, descriptors: &mut Descriptors) -> io::Result<UpkeepState> {
        let mut apps = BTreeMap::new();
        for app in self.known.keys() {
            let timetable = self.timetables.get(app);
            let next = timetable.and_then(|(_, next)| Some(next.as_ref()?.timestamp().as_second()));
            let watch = self.watches.get(app);
            let watch = watch.map(|watch| watch.state(descriptors)).transpose()?;
            apps.insert(app.clone(), DueState { next, watch });
        }
        Ok(UpkeepState { apps })
    }

    /// What the program before has left: nothing that was due, or has changed, in between is missed.
    pub(super) fn take_up(state: UpkeepState, descriptors: &mut Descriptors) -> Self {
        let left = state.apps.into_iter().map(|(app, due)| {
            let watch = due.watch.and_then(|watch| {
                let own = descriptors.part(&[watch.descriptor()]).ok()?;
                Some((watch, own))
            });
            let next = due.next;
            (app, Left { next, watch })
        });
        Self {
            left: left.collect(),
            ..Self::default()
        }
    }

    /// Whether workers may be started again without anybody asking.
    pub(super) fn starts_something(&self) -> bool {
        !self.timetables.is_empty() || !self.watches.is_empty()
    }

    fn set_app(&mut self, app: &AppSettings, folder: &Path) {
        let name = app.name().to_owned();
        let left = self.left.remove(&name);
        let (moment, watching) = left.map_or((None, None), |left| (left.next, left.watch));
        self.timetables.remove(&name);
        if let Some(schedule) = app.upkeep.cron_restart.clone() {
            let moment = moment.and_then(|seconds| Timestamp::from_second(seconds).ok());
            let next = match moment {
                Some(moment) => Some(moment.to_zoned(TimeZone::system())),
                None => schedule.next_after(&Zoned::now()),
            };
            self.timetables.insert(name.clone(), (schedule, next));
        }
        self.watches.remove(&name);
        if app.upkeep.watch.is_empty() {
            return;
        }
        let base = app.options.cwd.as_deref().unwrap_or(folder);
        let paths = app.upkeep.watch.iter();
        let watched = Watched {
            // without `.` and `/` at its end, by which it would be another one
            paths: paths
                .map(|path| base.join(path).components().collect())
                .collect(),
            ignore: app.upkeep.watch_ignore.clone(),
            delay: app.upkeep.watch_delay,
        };
        let taken = watching.map(|(state, mut own)| Watch::take_up(state, &watched, &mut own));
        match taken.unwrap_or_else(|| Watch::start(&watched)) {
            Ok(watch) => {
                if watch.is_partial() {
                    say::warning(&format!(
                        "`{name}`: not every folder can be watched, there are too many; name fewer with `watch`, or leave \
                         some out with `watch_ignore`, or raise fs.inotify.max_user_watches"
                    ));
                }
                self.watches.insert(name, watch);
            }
            Err(error) => say::warning(&format!("`{name}`: its files are not watched: {error}")),
        }
    }

    /// The next thing to be done. Cancel-safe.
    pub(super) async fn due(&mut self) -> Chore {
        loop {
            let by_clock = self.next_by_clock();
            tokio::select! {
                () = until(self.look) => {
                    self.look = Some(self.next_look());
                    return Chore::Memory;
                }
                () = until(self.scale) => {
                    self.scale = Some(Instant::now() + LOOK);
                    return Chore::Scale;
                }
                (app, path) = changed(&mut self.watches) => {
                    let what = path.display().to_string();
                    return Chore::Fresh(vec![app], Fresh::Changed(what));
                }
                () = until(by_clock) => {
                    let apps = self.take_due(&Zoned::now());
                    if !apps.is_empty() {
                        return Chore::Fresh(apps, Fresh::Clock);
                    }
                }
            }
        }
    }

    fn next_look(&self) -> Instant {
        let is_bounded = !self.limits.is_empty();
        Instant::now() + if is_bounded { LOOK } else { RARE_LOOK }
    }

    /// When the clock is looked at next.
    fn next_by_clock(&self) -> Option<Instant> {
        let now = Zoned::now();
        let due = self.timetables.values().filter_map(|(_, next)| {
            let left = next.as_ref()?.timestamp().duration_since(now.timestamp());
            Some(Duration::try_from(left).unwrap_or_default().min(CLOCK))
        });
        due.min().map(|left| Instant::now() + left)
    }

    /// Apps whose moment has come, with the next one noted. What was missed, since the machine slept, is done once.
    fn take_due(&mut self, now: &Zoned) -> Vec<String> {
        let mut apps = Vec::new();
        for (app, (schedule, next)) in &mut self.timetables {
            if next.as_ref().is_some_and(|next| next <= now) {
                *next = schedule.next_after(now);
                apps.push(app.clone());
            }
        }
        apps
    }
}

/// How many bytes a worker of each app may take. `machine` is what our control group may take.
fn limits(
    apps: &[AppSettings],
    workers: &[(String, u32)],
    machine: Option<u64>,
) -> BTreeMap<String, u64> {
    let all: u64 = workers.iter().map(|(_, count)| u64::from(*count)).sum();
    let nine_tenths = |of: u64, workers: u64| of / 10 * 9 / workers.max(1);
    let share = |app: &AppSettings| {
        let own = workers.iter().find(|(name, _)| name == app.name());
        let own = own.map_or(1, |(_, count)| u64::from(*count));
        let of_app = app.options.group_limits.memory;
        let of_app = of_app.map(|limit| nine_tenths(limit, own));
        let of_all = machine.map(|machine| nine_tenths(machine, all));
        of_app.into_iter().chain(of_all).min()
    };
    let limit = |app: &AppSettings| match app.upkeep.max_memory {
        MaxMemory::Of(size) => Some(size.as_bytes()),
        MaxMemory::Share => share(app),
        MaxMemory::Unbounded => None,
    };
    apps.iter()
        .filter_map(|app| Some((app.name().to_owned(), limit(app)?)))
        .collect()
}

/// For people.
fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Waits for the moment, for ever without one.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The first app whose files changed, with one of them.
async fn changed(watches: &mut BTreeMap<String, Watch>) -> (String, PathBuf) {
    if watches.is_empty() {
        return std::future::pending().await;
    }
    let mut waiting: Vec<_> = watches
        .iter_mut()
        .map(|(app, watch)| (app, Box::pin(watch.changed())))
        .collect();
    std::future::poll_fn(|context| {
        for (app, change) in &mut waiting {
            if let std::task::Poll::Ready(path) = change.as_mut().poll(context) {
                return std::task::Poll::Ready(((*app).clone(), path));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

impl Control {
    /// What is to be done without anybody asking, by the settings that are in force.
    pub(super) fn set_upkeep(&mut self) {
        // as many as there may be: one more takes nothing from the others
        let most = |app: &str| {
            let mut apps = self.settings.apps.iter();
            let app = apps.find(|known| known.name() == app);
            app.map_or(0, |app| count::most(app.options.workers))
        };
        let workers = self.workers().into_iter();
        let workers: Vec<_> = workers
            .map(|(app, count)| match count {
                0 => (app, 0),
                count => {
                    let most = count.max(most(&app));
                    (app, most)
                }
            })
            .collect();
        let folder = self.origin.folder.clone();
        self.upkeep.set(&self.settings.apps, &workers, &folder);
    }

    pub(super) fn on_chore(&mut self, chore: Chore) {
        match chore {
            Chore::Memory => self.look_at_memory(),
            Chore::Scale => self.autoscale(),
            Chore::Fresh(apps, why) => {
                say::note(&format!("{}: {}", apps.join(", "), why.sentence()));
                self.reload(Order::Fresh(apps, why), None);
            }
        }
    }

    /// One at a time is replaced: whoever else takes too much still does when the next look comes.
    fn look_at_memory(&mut self) {
        let mut found = None;
        for (worker, group) in self.roster.groups() {
            let footprint = Footprint::of(group);
            let resident = footprint.as_ref().map(|footprint| footprint.resident);
            self.roster.takes(&worker, resident);
            let limit = self.upkeep.limits.get(&*worker.app).copied();
            let record = self.roster.find(&worker);
            let may_go = record.is_some_and(|record| {
                record.state == WorkerState::Ready && record.started.elapsed() >= YOUNG
            });
            if let (Some(footprint), Some(limit), true) = (footprint, limit, may_go)
                && let Some(taken) = footprint.above(limit)
            {
                found = Some((worker, taken, limit));
            }
        }
        // it waits for what runs now: others that come again and again must not keep it out
        if let Some((worker, taken, limit)) = found
            && !self.reloads.relieves(&worker)
        {
            self.relieve(worker, taken, limit);
        }
    }

    fn relieve(&mut self, worker: WorkerId, taken: u64, limit: u64) {
        let room = count::memory_limit().zip(count::memory_taken());
        let way = Relief::of(room, taken);
        say::warning(&format!(
            "{worker} takes {}, more than the {} of `max_memory`; it is replaced",
            megabytes(taken),
            megabytes(limit)
        ));
        if let Some(gateways) = &mut self.gateways {
            gateways.count_replacement(&worker.app, "memory");
        }
        let WorkerId {
            app,
            release,
            index,
            incarnation,
        } = worker;
        let app = app.to_string();
        self.reload(
            Order::Relieve {
                app,
                release,
                index,
                incarnation,
                way,
            },
            None,
        );
    }
}

#[cfg(test)]
mod tests {
    use mainstay_config::Preset;
    use mainstay_supervisor::launch::Target;

    use super::*;

    fn app(name: &str, max_memory: MaxMemory) -> AppSettings {
        let target = Target::Path(PathBuf::from("."));
        let mut app = AppSettings::new(name.to_owned(), target, PathBuf::from("/"), Preset::Safe);
        app.upkeep.max_memory = max_memory;
        app
    }

    #[test]
    fn without_a_word_workers_share_nine_tenths_of_what_there_is() {
        let size = mainstay_values::Size::mb(256);
        let apps = [
            app("api", MaxMemory::Share),
            app("jobs", MaxMemory::Of(size)),
            app("big", MaxMemory::Unbounded),
        ];
        let workers = [
            ("api".to_owned(), 3),
            ("jobs".to_owned(), 1),
            ("big".to_owned(), 1),
        ];
        let found = |machine| {
            let limits = limits(&apps, &workers, machine).into_iter();
            limits.collect::<Vec<_>>()
        };
        let jobs = ("jobs".to_owned(), 256 << 20);
        assert_eq!(found(None), std::slice::from_ref(&jobs));
        assert_eq!(found(Some(1000)), [("api".to_owned(), 180), jobs]);
        let mut limited = app("api", MaxMemory::Share);
        limited.options.group_limits.memory = Some(300);
        let limits = |machine| {
            limits(&[limited.clone()], &workers, machine)
                .into_values()
                .collect::<Vec<_>>()
        };
        assert_eq!(limits(None), [90]);
        assert_eq!(limits(Some(100)), [18]);
    }

    #[test]
    fn what_was_missed_is_done_once() {
        let schedule: Schedule = "*/5 * * * *".parse().expect("a timetable");
        let at = |text: &str| -> Zoned { text.parse().expect("a moment") };
        let first = schedule.next_after(&at("2026-01-01T00:01:00Z[UTC]"));
        let mut upkeep = Upkeep::default();
        upkeep
            .timetables
            .insert("api".to_owned(), (schedule, first));
        assert!(upkeep.take_due(&at("2026-01-01T00:04:59Z[UTC]")).is_empty());
        assert_eq!(upkeep.take_due(&at("2026-01-01T03:02:00Z[UTC]")), ["api"]);
        assert!(upkeep.take_due(&at("2026-01-01T03:02:01Z[UTC]")).is_empty());
        assert_eq!(upkeep.take_due(&at("2026-01-01T03:05:00Z[UTC]")), ["api"]);
    }

    #[tokio::test]
    async fn what_comes_due_while_the_program_becomes_another_one_is_done_by_that() {
        let mut api = app("api", MaxMemory::Unbounded);
        // once a year: a moment that was missed would not come again for long
        api.upkeep.cron_restart = Some("0 0 1 1 *".parse().expect("a timetable"));
        let apps = [api];
        let mut before = Upkeep::default();
        before.set(&apps, &[], Path::new("/"));
        let (_, next) = before.timetables.get_mut("api").expect("known");
        let minute = jiff::SignedDuration::from_mins(1);
        *next = Some(Zoned::now().checked_sub(minute).expect("a moment"));
        let mut descriptors = Descriptors::default();
        let state = before.state(&mut descriptors).expect("descriptors");
        let mut after = Upkeep::take_up(state, &mut descriptors);
        after.set(&apps, &[], Path::new("/"));
        assert_eq!(after.take_due(&Zoned::now()), ["api"]);
        assert!(after.take_due(&Zoned::now()).is_empty());
    }
}
