//! Reloads, one after the other: the one that runs, those that wait, and how the last one ended.

use std::collections::VecDeque;
use std::time::Instant;

use mainstay_supervisor::WorkerId;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::hands::{Hands, News, Wish};
use super::reload::{Reload, reload};
use crate::failure::Failure;
use crate::order::{Asker, Ending, Order};
use crate::{clock, say};

/// Orders that may wait. Equal ones wait together.
const WAITING: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Reloads {
    wisher: mpsc::UnboundedSender<Wish>,
    running: Option<Running>,
    waiting: VecDeque<(Order, Vec<Asker>)>,
    last: Option<Last>,
}

#[derive(Debug)]
struct Running {
    order: Order,
    begun: Instant,
    news: mpsc::UnboundedSender<News>,
    askers: Vec<Asker>,
    task: JoinHandle<Result<String, Failure>>,
}

/// How a reload ended.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Last {
    /// What was asked for.
    pub(super) order: Order,
    /// As in the table of exit codes; 0 is well.
    pub(super) code: u8,
    pub(super) message: String,
    /// When it ended, in seconds since 1970.
    pub(super) ended_at: u64,
    /// How long it took.
    pub(super) took_ms: u64,
}

impl Reloads {
    pub(super) fn new(wisher: mpsc::UnboundedSender<Wish>) -> Self {
        Self {
            wisher,
            running: None,
            waiting: VecDeque::new(),
            last: None,
        }
    }

    /// With orders that waited at the program before.
    pub(super) fn take_up(wisher: mpsc::UnboundedSender<Wish>, waiting: Vec<Order>) -> Self {
        let mut reloads = Self::new(wisher);
        let waiting = waiting.into_iter().take(WAITING);
        reloads.waiting = waiting.map(|order| (order, Vec::new())).collect();
        reloads
    }

    /// Takes an order in. An equal one that has not begun is joined: what it will find is what both want.
    pub(super) fn add(&mut self, order: Order, asker: Option<Asker>) {
        if let Some(asker) = &asker
            && (self.running.is_some() || !self.waiting.is_empty())
        {
            asker.progress("another reload runs; this one waits for it");
        }
        let mut waiting = self.waiting.iter_mut();
        if let Some((_, askers)) = waiting.find(|(known, _)| *known == order) {
            askers.extend(asker);
        } else if self.waiting.len() < WAITING {
            self.waiting.push_back((order, asker.into_iter().collect()));
        } else if let Some(asker) = asker {
            let failure = Failure::machine("too many reloads wait already; try again later");
            asker.done(&Ending::from(failure));
        }
    }

    /// Takes an order in before all others: nobody asks for it, and they are to find what it leaves.
    pub(super) fn add_first(&mut self, order: Order) {
        self.waiting.push_front((order, Vec::new()));
    }

    /// The next order, if none runs.
    pub(super) fn next(&mut self) -> Option<(Order, Vec<Asker>)> {
        if self.running.is_some() {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Begins a reload. Only when none runs.
    pub(super) fn begin(&mut self, what: Reload, askers: Vec<Asker>) {
        let (news, heard) = mpsc::unbounded_channel();
        let hands = Hands::new(self.wisher.clone(), heard, askers.clone());
        self.running = Some(Running {
            order: what.order.clone(),
            begun: Instant::now(),
            news,
            askers,
            task: tokio::spawn(reload(what, hands)),
        });
    }

    /// Tells the running one what happened. Whether there is one.
    pub(super) fn tell(&self, news: News) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.news.send(news).is_ok())
    }

    /// Waits for the end of the running one. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Ending {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let ended = (&mut running.task).await;
        let ending = match ended {
            Ok(Ok(message)) => Ending::well(message),
            Ok(Err(failure)) => Ending::from(failure),
            Err(error) => Ending::from(Failure::internal("the reload", error)),
        };
        if let Some(running) = self.running.take() {
            self.last = Some(Last {
                order: running.order,
                code: ending.code,
                message: ending.message.clone(),
                ended_at: clock::seconds(),
                took_ms: u64::try_from(running.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            for asker in running.askers {
                asker.done(&ending);
            }
        }
        ending
    }

    /// Ends what runs and what waits: the instance stops.
    pub(super) fn cut_short(&mut self) {
        let running = self.running.take();
        let waiting = self.waiting.drain(..).flat_map(|(_, askers)| askers);
        let ending = Ending::from(Failure::cut_short("the instance was stopped meanwhile"));
        if let Some(running) = running {
            running.task.abort();
            say::warning("the reload was cut short by the stop");
            running
                .askers
                .into_iter()
                .for_each(|asker| asker.done(&ending));
        }
        waiting.for_each(|asker| asker.done(&ending));
    }

    /// Tells this asker, too, how the running one ends.
    pub(super) fn join(&mut self, asker: Asker) {
        if let Some(running) = &mut self.running {
            running.askers.push(asker);
        }
    }

    /// Tells those who wait that they have to ask again: the program becomes another one. What nobody waits for stays.
    pub(super) fn turn_away(&mut self) {
        let ending = Ending::ask_next();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (unasked, asked) = waiting.partition(|(_, askers)| askers.is_empty());
        self.waiting = unasked;
        let askers = asked.into_iter().flat_map(|(_, askers)| askers);
        askers.for_each(|asker| asker.done(&ending));
    }

    /// What waits and nobody can ask for again: the clock, changed files, a signal, a worker that takes too much.
    pub(super) fn unasked(&self) -> Vec<Order> {
        let waiting = self.waiting.iter();
        let unasked = waiting.filter(|(_, askers)| askers.is_empty());
        unasked.map(|(order, _)| order.clone()).collect()
    }

    /// What runs now, and since when.
    pub(super) fn running(&self) -> Option<(&Order, Instant)> {
        let running = self.running.as_ref()?;
        Some((&running.order, running.begun))
    }

    /// Whether a successor for this worker is on its way, or waits for its turn.
    pub(super) fn relieves(&self, worker: &WorkerId) -> bool {
        let running = self.running.as_ref().map(|running| &running.order);
        let waiting = self.waiting.iter().map(|(order, _)| order);
        running.into_iter().chain(waiting).any(|order| {
            matches!(
                order,
                Order::Relieve { app, release, index, incarnation, .. }
                    if **app == *worker.app
                        && *release == worker.release
                        && *index == worker.index
                        && *incarnation == worker.incarnation
            )
        })
    }

    /// How the last one ended.
    pub(super) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }
}
