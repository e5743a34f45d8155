//! What is known of every worker, from the supervisor's events: for `mainstay status`, and for whoever
//! replaces releases. Decides nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_supervisor::events::{NodeStats, Why};
use mainstay_supervisor::{Event, WorkerId};
use serde::{Deserialize, Serialize};

use crate::listing::WorkerState;

/// All workers that are wanted or still there.
#[derive(Debug, Default)]
pub(super) struct Roster {
    workers: BTreeMap<WorkerId, Record>,
}

/// One worker.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// None while no process of it runs.
    pub(super) pid: Option<u32>,
    /// The first process of it, below which all others are.
    pub(super) group: Option<u32>,
    pub(super) state: WorkerState,
    /// When its process was started; the last one's, while none runs.
    pub(super) started: Instant,
    /// How often it was started.
    starts: u64,
    /// How its last process ended.
    pub(super) last_exit: Option<String>,
    /// Its starts fail again and again.
    pub(super) is_looping: bool,
    /// It does not react any more.
    pub(super) is_hung: bool,
    /// Bytes in memory, with all below it, when that was looked at last.
    pub(super) memory: Option<u64>,
    /// Requests that it was working on when its process ended, as far as gateways had told.
    pub(super) in_flight: Option<u64>,
    /// What a Node worker measured last, and when it said so.
    pub(super) stats: Option<(Instant, NodeStats)>,
}

/// All of it for the next program. What processes measure of themselves they will say again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RosterState(Vec<(WorkerId, RecordState)>);

#[derive(Debug, Serialize, Deserialize)]
struct RecordState {
    pid: Option<u32>,
    group: Option<u32>,
    state: WorkerState,
    age: Duration,
    starts: u64,
    last_exit: Option<String>,
    is_looping: bool,
    is_hung: bool,
    memory: Option<u64>,
}

impl From<&Record> for RecordState {
    fn from(record: &Record) -> Self {
        Self {
            pid: record.pid,
            group: record.group,
            state: record.state,
            age: record.started.elapsed(),
            starts: record.starts,
            last_exit: record.last_exit.clone(),
            is_looping: record.is_looping,
            is_hung: record.is_hung,
            memory: record.memory,
        }
    }
}

impl From<RecordState> for Record {
    fn from(state: RecordState) -> Self {
        let now = Instant::now();
        Self {
            pid: state.pid,
            group: state.group,
            state: state.state,
            started: now.checked_sub(state.age).unwrap_or(now),
            starts: state.starts,
            last_exit: state.last_exit,
            is_looping: state.is_looping,
            is_hung: state.is_hung,
            memory: state.memory,
            stats: None,
            in_flight: None,
        }
    }
}

impl From<RosterState> for Roster {
    fn from(state: RosterState) -> Self {
        let workers = state.0.into_iter();
        Self {
            workers: workers
                .map(|(worker, record)| (worker, record.into()))
                .collect(),
        }
    }
}

impl Record {
    /// Starts after the first.
    pub(super) fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    /// What its event loop measured last, while it runs.
    pub(super) fn stats(&self) -> Option<&NodeStats> {
        self.stats.as_ref().map(|(_, stats)| stats)
    }

    /// The part of the time its event loop was busy, 0 to 1, if it said so within this time.
    pub(super) fn busy_within(&self, time: Duration) -> Option<f64> {
        let (said, stats) = self.stats.as_ref()?;
        (said.elapsed() <= time).then(|| stats.busy.clamp(0.0, 1.0))
    }
}

impl Roster {
    pub(super) fn state(&self) -> RosterState {
        let workers = self.workers.iter();
        RosterState(
            workers
                .map(|(worker, record)| (worker.clone(), record.into()))
                .collect(),
        )
    }

    /// Takes note of what happened.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Started { worker, pid } => self.change(worker, |record| {
                record.pid = Some(*pid);
                record.group = Some(*pid);
                record.state = WorkerState::Starting;
                record.started = Instant::now();
                record.is_hung = false;
                record.memory = None;
                record.in_flight = None;
                record.stats = None;
                record.starts += 1;
            }),
            Event::Ready(ready) => self.change(&ready.worker, |record| {
                record.pid = Some(ready.pid);
                record.state = WorkerState::Ready;
            }),
            Event::Draining { worker, why } => self.change(worker, |record| {
                record.state = WorkerState::Draining;
                record.is_hung |= *why == Why::Hung;
            }),
            Event::Exited { worker, exit, .. } => self.change(worker, |record| {
                record.pid = None;
                record.group = None;
                record.stats = None;
                record.state = WorkerState::Waiting;
                record.last_exit = Some(exit.to_string());
            }),
            Event::Finished { worker, exit, .. } => self.change(worker, |record| {
                record.pid = None;
                record.group = None;
                record.state = WorkerState::Finished;
                record.last_exit = Some(exit.to_string());
            }),
            Event::CrashLoop { worker, .. } => {
                self.change(worker, |record| record.is_looping = true);
            }
            Event::Recovered { worker } => {
                self.change(worker, |record| record.is_looping = false);
            }
            Event::GaveUp { worker } => {
                self.change(worker, |record| record.state = WorkerState::GivenUp);
            }
            Event::Stopped { worker, .. } => drop(self.workers.remove(worker)),
            Event::Gone { .. } | Event::Failed(_) | Event::Output(_) | Event::Note { .. } => {}
            Event::Stats { worker, stats } => self.change(worker, |record| {
                record.stats = Some((Instant::now(), *stats));
            }),
        }
    }

    /// Those of one app, the oldest release first.
    pub(super) fn of<'a>(
        &'a self,
        app: &'a str,
    ) -> impl Iterator<Item = (&'a WorkerId, &'a Record)> {
        self.workers
            .iter()
            .filter(move |(worker, _)| &*worker.app == app)
    }

    /// What is known of a worker.
    pub(super) fn find(&self, worker: &WorkerId) -> Option<&Record> {
        self.workers.get(worker)
    }

    /// All that have a process: each with the first of it.
    pub(super) fn groups(&self) -> Vec<(WorkerId, u32)> {
        let workers = self.workers.iter();
        workers
            .filter_map(|(worker, record)| Some((worker.clone(), record.group?)))
            .collect()
    }

    /// So much memory does a worker take.
    pub(super) fn takes(&mut self, worker: &WorkerId, memory: Option<u64>) {
        self.change(worker, |record| record.memory = memory.or(record.memory));
    }

    /// A worker is gone; it worked on so many requests.
    pub(super) fn worked_on(&mut self, worker: &WorkerId, in_flight: u64) {
        self.change(worker, |record| record.in_flight = Some(in_flight));
    }

    /// Whether nobody runs, nor will by itself.
    pub(super) fn all_finished(&self) -> bool {
        let mut records = self.workers.values();
        records.all(|record| record.state == WorkerState::Finished)
    }

    /// Whether an app has workers.
    pub(super) fn has(&self, app: &str) -> bool {
        self.of(app).next().is_some()
    }

    /// This one is about to be started.
    pub(super) fn expect(&mut self, worker: &WorkerId) {
        self.workers
            .entry(worker.clone())
            .or_insert_with(|| Record {
                pid: None,
                group: None,
                state: WorkerState::Starting,
                started: Instant::now(),
                starts: 0,
                last_exit: None,
                is_looping: false,
                is_hung: false,
                memory: None,
                in_flight: None,
                stats: None,
            });
    }

    /// This one will not be started after all. If it was, it is left alone.
    pub(super) fn forget(&mut self, worker: &WorkerId) {
        let was_started = self
            .workers
            .get(worker)
            .is_some_and(|known| known.starts > 0);
        if !was_started {
            self.workers.remove(worker);
        }
    }

    fn change(&mut self, worker: &WorkerId, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.workers.get_mut(worker) {
            change(record);
        }
    }
}
