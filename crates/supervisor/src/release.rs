//! One version of an app and the workers that were started from it. Each worker lives on its own; here is who may
//! speak to it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::events::WorkerId;
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
    workers: BTreeMap<(u32, u32), UnboundedSender<Wish>>,
}

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
        self.workers.retain(|_, wishes| !wishes.is_closed());
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
        self.workers.insert((index, incarnation), wish);
        tokio::spawn(worker.live());
        Ok(())
    }

    /// Wishes something of one worker. One that has ended hears nothing.
    pub(crate) fn wish(&self, worker: &WorkerId, wish: Wish) {
        if let Some(worker) = self.workers.get(&(worker.index, worker.incarnation)) {
            let _ = worker.send(wish);
        }
    }

    /// Wishes something of every worker.
    pub(crate) fn wish_all(&self, wish: Wish) {
        for worker in self.workers.values() {
            let _ = worker.send(wish);
        }
    }

    /// Waits until every worker has ended for good.
    pub(crate) async fn ended(&self) {
        for worker in self.workers.values() {
            worker.closed().await;
        }
    }

    /// Whether any worker lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.workers.values().any(|worker| !worker.is_closed())
    }

    fn lives(&self, index: u32, incarnation: u32) -> bool {
        self.workers
            .get(&(index, incarnation))
            .is_some_and(|worker| !worker.is_closed())
    }
}
