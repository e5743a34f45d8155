//! Looks at every instance once a second, on a thread of its own, and tells what it sees. Orders nothing.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use mainstay_supervisor::usage::{self, Usage};

use super::counts::Counts;
use super::lines::last_lines;
use super::view::{Chosen, Mood, Row, Traffic, View};
use crate::commands::landscape::{Known, gather};
use crate::commands::list::uptime;
use crate::listing::{ListedApp, ListedWorker, WorkerState};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The thread that looks, and whose log it follows.
pub(super) struct Looking(Sender<Option<Chosen>>);

impl Looking {
    /// Begins; `tell` is told each view. Ends with the value, or when nobody listens any more.
    pub(super) fn start<T: Send + 'static>(
        name: Option<String>,
        tell: Sender<T>,
        word: fn(View) -> T,
    ) -> Self {
        let (follow, whom) = channel();
        thread::spawn(move || {
            look_on(name.as_deref(), &whom, |view| tell.send(word(view)).is_ok());
        });
        Self(follow)
    }

    /// The log of this app is shown from now on.
    pub(super) fn follow(&self, whom: Option<Chosen>) {
        // without the thread nothing is shown any more either
        let _ = self.0.send(whom);
    }
}

fn look_on(
    name: Option<&str>,
    follow: &Receiver<Option<Chosen>>,
    mut tell: impl FnMut(View) -> bool,
) {
    let mut followed = None;
    let mut before: Option<Seen> = None;
    loop {
        let instances = gather(name);
        let now = Seen::of(&instances);
        let mut view = View {
            rows: rows(&instances, &now, before.as_ref()),
            traffic: before.as_ref().and_then(|before| now.traffic(before)),
            ..View::default()
        };
        if followed.is_none() {
            followed = view.chosen(0);
        }
        log(&instances, followed.as_ref(), &mut view);
        before = Some(now);
        if !tell(view) {
            return;
        }
        let end = Instant::now() + EVERY;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match follow.recv_timeout(left) {
                // another row was chosen: its log is shown without waiting
                Ok(whom) if whom.is_some() && whom != followed => {
                    followed = whom;
                    break;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// What was measured at one moment.
struct Seen {
    at: Instant,
    usage: BTreeMap<u32, Usage>,
    /// Of instances that answer.
    counts: BTreeMap<String, Counts>,
}

impl Seen {
    fn of(instances: &[Known]) -> Self {
        let apps = instances.iter().flat_map(|known| &known.apps);
        let workers = apps.flat_map(|app| &app.workers);
        let pids: Vec<u32> = workers.filter_map(|worker| worker.pid).collect();
        let running = instances.iter().filter_map(|known| {
            let (instance, listing) = known.running.as_ref()?;
            // an instance without a gateway counts nothing
            let text = (!listing.addresses.is_empty()).then(|| instance.ask("/metrics"))?;
            let mut counts = Counts::default();
            counts.add(&text.ok()?);
            Some((known.name.clone(), counts))
        });
        Self {
            counts: running.collect(),
            usage: usage::of(&pids),
            at: Instant::now(),
        }
    }

    /// All instances together; one that was not there before has counted nothing yet.
    fn traffic(&self, before: &Self) -> Option<Traffic> {
        let seconds = (self.at - before.at).as_secs_f64();
        let known = self.counts.iter().filter_map(|(name, counts)| {
            let before = before.counts.get(name)?;
            Some(counts.since(before, seconds))
        });
        known.reduce(|all, one| Traffic {
            requests: all.requests + one.requests,
            errors: all.errors + one.errors,
            active: all.active + one.active,
            // of several the slowest: nobody is hidden behind another one's speed
            percentiles: match (all.percentiles, one.percentiles) {
                (Some(all), Some(one)) => Some(std::array::from_fn(|at| all[at].max(one[at]))),
                (all, one) => all.or(one),
            },
        })
    }

    fn cpu(&self, before: Option<&Self>, worker: &ListedWorker) -> f64 {
        let used = |seen: &Self| Some(seen.usage.get(&worker.pid?)?.cpu);
        let Some((now, (then, before))) = used(self).zip(before.and_then(|b| Some((used(b)?, b))))
        else {
            return 0.0;
        };
        let passed = (self.at - before.at).as_secs_f64().max(0.001);
        100.0 * now.saturating_sub(then).as_secs_f64() / passed
    }

    fn memory(&self, worker: &ListedWorker) -> u64 {
        let usage = worker.pid.and_then(|pid| self.usage.get(&pid));
        usage.map_or(0, |usage| usage.memory)
    }
}

fn rows(instances: &[Known], now: &Seen, before: Option<&Seen>) -> Vec<Row> {
    let mut rows = Vec::new();
    for known in instances.iter().filter(|known| known.running.is_some()) {
        for app in &known.apps {
            let workers: Vec<Row> = app
                .workers
                .iter()
                .map(|worker| Row {
                    instance: known.name.clone(),
                    app: app.name.clone(),
                    worker: Some(worker.index),
                    state: worker.state.word().to_owned(),
                    mood: mood_of(worker),
                    cpu: now.cpu(before, worker),
                    memory: now.memory(worker),
                    lag_ms: worker.lag_ms,
                    in_flight: worker.in_flight,
                    restarts: worker.restarts,
                    uptime: match worker.pid {
                        Some(_) => uptime(worker.started_at_ms),
                        None => String::new(),
                    },
                })
                .collect();
            rows.push(app_row(&known.name, app, &workers));
            rows.extend(workers);
        }
    }
    rows
}

fn app_row(instance: &str, app: &ListedApp, workers: &[Row]) -> Row {
    let is_looping = app.workers.iter().any(|worker| worker.crash_loop);
    let oldest = app.workers.iter().filter(|worker| worker.pid.is_some());
    let oldest = oldest.map(|worker| worker.started_at_ms).min();
    Row {
        instance: instance.to_owned(),
        app: app.name.clone(),
        worker: None,
        state: if is_looping {
            "crash loop".to_owned()
        } else if app.is_stopped {
            "stopped".to_owned()
        } else {
            format!("{}/{} ready", app.ready, app.wanted)
        },
        mood: if is_looping {
            Mood::Bad
        } else if app.ready >= app.wanted && !app.is_stopped {
            Mood::Good
        } else {
            Mood::Pending
        },
        cpu: workers.iter().map(|row| row.cpu).sum(),
        memory: workers.iter().map(|row| row.memory).sum(),
        lag_ms: workers.iter().filter_map(|row| row.lag_ms).max(),
        in_flight: workers.iter().map(|row| row.in_flight).sum(),
        restarts: workers.iter().map(|row| row.restarts).sum(),
        uptime: oldest.map(uptime).unwrap_or_default(),
    }
}

fn mood_of(worker: &ListedWorker) -> Mood {
    match worker.state {
        _ if worker.crash_loop => Mood::Bad,
        WorkerState::Ready | WorkerState::Finished => Mood::Good,
        WorkerState::Starting | WorkerState::Draining => Mood::Pending,
        WorkerState::Waiting | WorkerState::GivenUp => Mood::Bad,
    }
}

/// The last lines of the app that is followed.
fn log(instances: &[Known], followed: Option<&Chosen>, view: &mut View) {
    let Some(Chosen { instance, app }) = followed else {
        return;
    };
    let running = instances.iter().filter_map(|known| known.running.as_ref());
    let mut named = running.filter(|(known, _)| known.name == *instance);
    if let Some((instance, _)) = named.next() {
        view.source = format!(" {app} ");
        view.lines = last_lines(instance, app);
    }
}
