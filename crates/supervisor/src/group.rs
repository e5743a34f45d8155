//! The workers of one app: started together, wished well or ill together. Each lives on its own.

use std::sync::Arc;

use tokio::sync::watch;

use crate::plan::Plan;
use crate::socket::Files;
use crate::worker::{Shared, Wish, Worker};

/// The workers of one app.
#[derive(Debug)]
pub(crate) struct Group {
    app: Arc<str>,
    workers: u32,
    wish: watch::Sender<Wish>,
}

impl Group {
    pub(crate) fn start(plan: &Arc<Plan>, files: Vec<Files>, shared: &Shared) -> Self {
        let (wish, wishes) = watch::channel(Wish::Run);
        for (index, files) in (0..).zip(files) {
            let worker = Worker::new(
                Arc::clone(plan),
                index,
                files,
                shared.clone(),
                wishes.clone(),
            );
            tokio::spawn(worker.live());
        }
        Self {
            app: Arc::clone(&plan.app),
            workers: plan.workers,
            wish,
        }
    }

    /// Wishes only grow: who was told to end now is not asked to end later.
    pub(crate) fn wish(&self, wish: Wish) {
        self.wish.send_if_modified(|current| {
            let grows = wish > *current;
            *current = wish.max(*current);
            grows
        });
    }

    /// Waits until every worker has ended for good.
    pub(crate) async fn ended(&self) {
        self.wish.closed().await;
    }

    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// The app and its number of workers.
    pub(crate) fn size(&self) -> (Arc<str>, u32) {
        (Arc::clone(&self.app), self.workers)
    }
}
