//! All apps with their releases, put down and taken up.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use super::Descriptors;
use super::worker::{Carried, WorkerState};
use crate::events::Event;
use crate::group::Group;
use crate::guard::{Guarded, GuardedState};
use crate::plan::PlanState;
use crate::release::Release;
use crate::socket::Place;
use crate::start_error::StartError;
use crate::supervisor::Supervisor;
use crate::surroundings::Surroundings;
use crate::worker::Shared;

/// Workers after whom nobody looks; by default, none. Must be taken up: by [`Supervisor::resume`], or by the next program.
#[derive(Debug, Default)]
pub struct PutDown {
    workers: Vec<(Arc<str>, Carried)>,
}

/// What is known of all apps and workers, in a form for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub struct SupervisorState {
    apps: Vec<AppState>,
    /// How many there ever were.
    count: usize,
    guarded: GuardedState,
    /// The control group of the instance.
    #[serde(default)]
    cgroup: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AppState {
    name: String,
    folder: String,
    releases: Vec<ReleaseState>,
    settled: Option<u32>,
    last: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReleaseState {
    number: u32,
    plan: PlanState,
    workers: Vec<(WorkerState, Vec<RawFd>)>,
}

/// What keeps workers from being taken up.
#[derive(Debug, Error)]
pub enum HandoverError {
    /// A release that could not be prepared as it was.
    #[error(transparent)]
    Release(#[from] StartError),
    /// A process or descriptor that is not there.
    #[error("worker {worker} of `{app}`: {source}")]
    Worker {
        /// The app.
        app: String,
        /// The worker's number.
        worker: u32,
        /// What the kernel says.
        source: io::Error,
    },
    /// The way to the guard.
    #[error("the guard's pipe: {0}")]
    Guard(io::Error),
}

impl Supervisor {
    /// Stops looking after every worker: they run on, and their ends wait to be seen. The future waits, for some seconds
    /// at most, for what is in between; take [`Event`]s meanwhile, nobody reads on while they have no room.
    pub fn put_down(&mut self) -> impl Future<Output = io::Result<PutDown>> + use<> {
        let mut tasks = Vec::new();
        for group in &mut self.groups {
            let app: Arc<str> = group.app().into();
            for release in &mut group.releases {
                let put_down = release.put_down().into_iter();
                tasks.extend(put_down.map(|task| (Arc::clone(&app), task)));
            }
        }
        async move {
            let (mut workers, mut failed) = (Vec::new(), None);
            for (app, task) in tasks {
                match task.await {
                    Ok(Some(Ok(carried))) => workers.push((app, carried)),
                    // it has ended meanwhile
                    Ok(None) => {}
                    Ok(Some(Err(error))) => failed = Some(error),
                    Err(error) => failed = Some(io::Error::other(error)),
                }
            }
            failed.map_or(Ok(PutDown { workers }), Err)
        }
    }

    /// All that the next program must know of those that were put down, with what must stay open for it.
    ///
    /// # Errors
    /// When descriptors have run out; with what was put down, to be resumed.
    pub fn state(
        &self,
        put_down: PutDown,
        descriptors: &mut Descriptors,
    ) -> Result<SupervisorState, (PutDown, io::Error)> {
        let guarded = match self.guarded.state(descriptors) {
            Ok(guarded) => guarded,
            Err(error) => return Err((put_down, error)),
        };
        let mut workers: BTreeMap<(Arc<str>, u32), Vec<_>> = BTreeMap::new();
        for (app, mut carried) in put_down.workers {
            carried.settle();
            let numbers = carried.descriptors.numbers();
            descriptors.extend(carried.descriptors);
            let release = workers.entry((app, carried.release)).or_default();
            release.push((carried.state, numbers));
        }
        let mut release = |group: &Group, release: &Release| ReleaseState {
            number: release.number,
            plan: release.plan.state(),
            workers: workers
                .remove(&(group.app().into(), release.number))
                .unwrap_or_default(),
        };
        let apps = self.groups.iter().map(|group| AppState {
            name: group.app().to_owned(),
            folder: group.folder.clone(),
            releases: group
                .releases
                .iter()
                .map(|one| release(group, one))
                .collect(),
            settled: group.settled,
            last: group.last,
        });
        Ok(SupervisorState {
            apps: apps.collect(),
            count: self.apps,
            guarded,
            cgroup: self.cgroup(),
        })
    }

    /// Looks after workers again of which nothing was told to anybody.
    ///
    /// # Errors
    /// As [`Supervisor::resume`].
    pub fn take_back(&mut self, put_down: PutDown) -> Result<(), HandoverError> {
        let mut outcome = Ok(());
        for (app, mut carried) in put_down.workers {
            carried.settle();
            let Some(group) = self.find_mut(&app) else {
                continue;
            };
            let (worker, shared) = (carried.state.index, group.shared.clone());
            if let Some(release) = group.release_mut(carried.release) {
                let taken = release.take_up(carried, &shared);
                outcome = outcome.and(taken.map_err(|source| HandoverError::Worker {
                    app: app.to_string(),
                    worker,
                    source,
                }));
            }
        }
        outcome
    }

    /// Looks after workers again that this program has put down itself.
    ///
    /// # Errors
    /// A process or descriptor that is not there; the others are looked after all the same.
    pub fn resume(
        &mut self,
        state: SupervisorState,
        descriptors: &mut Descriptors,
    ) -> Result<(), HandoverError> {
        let mut outcome = Ok(());
        for app in state.apps {
            let Some(group) = self.find_mut(&app.name) else {
                continue;
            };
            for release in app.releases {
                let taken = group.take_up(release, descriptors);
                outcome = outcome.and(taken);
            }
        }
        outcome
    }

    /// Looks after the workers that the program before has put down. Call it as [`Supervisor::start`].
    ///
    /// # Errors
    /// What is not there any more. Nothing was done to any worker then.
    pub fn take_up(
        state: SupervisorState,
        descriptors: &mut Descriptors,
        surroundings: Surroundings,
        events: UnboundedSender<Event>,
    ) -> Result<Self, HandoverError> {
        let guarded = Guarded::take_up(state.guarded, descriptors).map_err(HandoverError::Guard)?;
        if let Some(folder) = state.cgroup {
            surroundings.groups.take_up(folder);
        }
        let mut groups = Vec::new();
        for (number, app) in state.apps.into_iter().enumerate() {
            let shared = Shared {
                events: events.clone(),
                guarded: guarded.clone(),
                turn: Arc::new(Semaphore::new(1)),
            };
            let mut group = Group::new(number, &app.name, shared);
            group.folder = app.folder;
            group.settled = app.settled;
            group.last = app.last;
            for mut release in app.releases {
                let workers = std::mem::take(&mut release.workers);
                let plan = surroundings.planned(release.plan)?;
                let owners = surroundings.owners(&plan);
                let place = Place::new(&surroundings.sockets, owners).named(&group.folder);
                let present = Release::present(release.number, plan, place);
                group.releases.push(present);
                group.take_up_all(release.number, workers, descriptors)?;
            }
            groups.push(group);
        }
        Ok(Self::of(surroundings, events, guarded, groups, state.count))
    }
}

impl Group {
    fn take_up(
        &mut self,
        release: ReleaseState,
        descriptors: &mut Descriptors,
    ) -> Result<(), HandoverError> {
        self.take_up_all(release.number, release.workers, descriptors)
    }

    fn take_up_all(
        &mut self,
        number: u32,
        workers: Vec<(WorkerState, Vec<RawFd>)>,
        descriptors: &mut Descriptors,
    ) -> Result<(), HandoverError> {
        let (app, shared) = (self.app().to_owned(), self.shared.clone());
        let Some(release) = self.release_mut(number) else {
            return Ok(());
        };
        let mut outcome = Ok(());
        for (state, numbers) in workers {
            let worker = state.index;
            let taken = descriptors.part(&numbers).and_then(|own| {
                let carried = Carried::new(number, state, own);
                release.take_up(carried, &shared)
            });
            outcome = outcome.and(taken.map_err(|source| HandoverError::Worker {
                app: app.clone(),
                worker,
                source,
            }));
        }
        outcome
    }
}
