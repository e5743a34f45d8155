//! One version of an app and the workers that were started from it. Each worker lives on its own; here is who may
//! speak to it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::events::WorkerId;
use crate::handover::Carried;
use crate::plan::Plan;
use crate::socket::{Files, Place};
use crate::start_error::StartError;
use crate::worker::{Shared, Wish, Worker};

/// A prepared version of an app.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) number: u32,
    pub(crate) plan: Arc<Plan>,
    place: Place,
    /// Files that were made when the release was prepared, so that what is wrong with them is known before any start.
    prepared: BTreeMap<u32, Files>,
    /// By number and incarnation.
    workers: BTreeMap<(u32, u32), Living>,
}

/// A worker's task, and the way to it.
#[derive(Debug)]
struct Living {
    wishes: UnboundedSender<Wish>,
    task: Option<Task>,
}

/// Ends with its worker, or with what somebody else takes up.
pub(crate) type Task = JoinHandle<Option<io::Result<Carried>>>;

impl Release {
    /// Makes the files of all planned workers; starts nothing.
    pub(crate) fn prepare(number: u32, plan: Plan, place: Place) -> Result<Self, StartError> {
        let files = (0..plan.workers).map(|index| Ok((index, place.files(number, index, 0)?)));
        Ok(Self {
            number,
            prepared: files.collect::<Result<_, _>>()?,
            plan: Arc::new(plan),
            place,
            workers: BTreeMap::new(),
        })
    }

    /// Starts these workers; those that live already are left alone.
    pub(crate) fn launch(
        &mut self,
        indices: Range<u32>,
        shared: &Shared,
    ) -> Result<(), StartError> {
        indices
            .into_iter()
            .try_for_each(|index| self.launch_one(index, 0, shared))
    }

    /// Starts the worker of this number that comes after others of it.
    pub(crate) fn launch_one(
        &mut self,
        index: u32,
        incarnation: u32,
        shared: &Shared,
    ) -> Result<(), StartError> {
        if self.lives(index, incarnation) {
            return Ok(());
        }
        self.workers.retain(|_, worker| !worker.wishes.is_closed());
        let prepared = self.prepared.remove(&index).filter(|_| incarnation == 0);
        let files = match prepared {
            Some(files) => files,
            None => self.place.files(self.number, index, incarnation)?,
        };
        let id = WorkerId {
            app: Arc::clone(&self.plan.app),
            release: self.number,
            index,
            incarnation,
        };
        let (wish, wishes) = unbounded_channel();
        let worker = Worker::new(id, Arc::clone(&self.plan), files, shared.clone(), wishes);
        let living = Living {
            wishes: wish,
            task: Some(tokio::spawn(worker.live())),
        };
        self.workers.insert((index, incarnation), living);
        Ok(())
    }

    /// A release of which somebody else has looked after the workers so far.
    pub(crate) fn present(number: u32, plan: Plan, place: Place) -> Self {
        Self {
            number,
            plan: Arc::new(plan),
            place,
            prepared: BTreeMap::new(),
            workers: BTreeMap::new(),
        }
    }

    /// Nobody looks after its workers any more: their tasks end with what somebody else takes up.
    pub(crate) fn put_down(&mut self) -> Vec<Task> {
        self.wish_all(Wish::PutDown);
        let workers = self.workers.values_mut();
        workers.filter_map(|worker| worker.task.take()).collect()
    }

    /// Looks after a worker that was put down.
    pub(crate) fn take_up(&mut self, carried: Carried, shared: &Shared) -> io::Result<()> {
        let (index, incarnation) = (carried.state.index, carried.state.incarnation);
        let id = WorkerId {
            app: Arc::clone(&self.plan.app),
            release: self.number,
            index,
            incarnation,
        };
        let files = self.place.present_files(self.number, index, incarnation);
        let (wish, wishes) = unbounded_channel();
        for wished in carried.wishes() {
            let _ = wish.send(wished);
        }
        let worker = Worker::new(id, Arc::clone(&self.plan), files, shared.clone(), wishes);
        let (worker, life) = worker.take_up(carried)?;
        let living = Living {
            wishes: wish,
            task: Some(tokio::spawn(worker.live_on(life, VecDeque::new()))),
        };
        self.workers.insert((index, incarnation), living);
        Ok(())
    }

    /// Wishes something of one worker. One that has ended hears nothing.
    pub(crate) fn wish(&self, worker: &WorkerId, wish: Wish) {
        if let Some(worker) = self.workers.get(&(worker.index, worker.incarnation)) {
            let _ = worker.wishes.send(wish);
        }
    }

    /// Wishes something of every worker.
    pub(crate) fn wish_all(&self, wish: Wish) {
        for worker in self.workers.values() {
            let _ = worker.wishes.send(wish);
        }
    }

    /// Waits until every worker has ended for good.
    pub(crate) async fn ended(&self) {
        for worker in self.workers.values() {
            worker.wishes.closed().await;
        }
    }

    /// Whether any worker lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.workers
            .values()
            .any(|worker| !worker.wishes.is_closed())
    }

    fn lives(&self, index: u32, incarnation: u32) -> bool {
        self.workers
            .get(&(index, incarnation))
            .is_some_and(|worker| !worker.wishes.is_closed())
    }
}
