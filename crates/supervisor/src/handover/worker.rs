//! A worker, put down at any point of its life and taken up there. What is being taken down of an earlier start is waited
//! for: everything else goes on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::running::RunningState;
use super::{Descriptors, ago, at, until};
use crate::events::Cause;
use crate::heard::Heard;
use crate::hung::Watch;
use crate::lifecycle::Life;
use crate::process::Exit;
use crate::running::Running;
use crate::worker::{Wish, Worker};

/// A worker on its way.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) release: u32,
    pub(crate) state: WorkerState,
    pub(crate) descriptors: Descriptors,
    /// What is wished meanwhile.
    waiting: Option<UnboundedReceiver<Wish>>,
}

/// All that is known of a worker. Times are those that have passed, or are left.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "as the worker remembers them"
)]
pub(crate) struct WorkerState {
    pub(crate) index: u32,
    pub(crate) incarnation: u32,
    age: Duration,
    life: Life,
    starts: u32,
    running: Option<RunningState>,
    timer: Option<Duration>,
    silence: Option<Duration>,
    is_silent: bool,
    heard: Heard,
    watch: Watch,
    suspicion: Watch,
    next_look: Option<Duration>,
    has_turn: bool,
    exit: Option<Exit>,
    uptime: Duration,
    cause: Option<Cause>,
    ever_ready: bool,
    failure_told: bool,
    /// Not yet heeded.
    wishes: Vec<Wish>,
}

impl Carried {
    /// As it was handed over.
    pub(crate) fn new(release: u32, state: WorkerState, descriptors: Descriptors) -> Self {
        Self {
            release,
            state,
            descriptors,
            waiting: None,
        }
    }

    /// Writes down what was wished since it was put down.
    pub(crate) fn settle(&mut self) {
        while let Some(Ok(wish)) = self.waiting.as_mut().map(UnboundedReceiver::try_recv) {
            self.state.wishes.push(wish);
        }
    }

    /// All that is wished of it, in order.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        self.state.wishes.clone()
    }
}

impl Worker {
    /// See the module.
    pub(crate) async fn put_down(self, life: Life) -> io::Result<Carried> {
        let mut descriptors = Descriptors::default();
        let running = match self.running {
            Some(running) => Some(running.put_down(&mut descriptors).await?),
            None => None,
        };
        let files = self.files;
        let state = WorkerState {
            index: self.id.index,
            incarnation: self.id.incarnation,
            age: self.born.elapsed(),
            life,
            starts: self.starts,
            running,
            timer: until(self.timer),
            silence: until(self.silence),
            is_silent: self.is_silent,
            heard: self.heard,
            watch: self.watch,
            suspicion: self.suspicion,
            next_look: until(self.next_look),
            has_turn: self.turn.is_some(),
            exit: self.exit,
            uptime: self.uptime,
            cause: self.cause,
            ever_ready: self.ever_ready,
            failure_told: self.failure_told,
            wishes: Vec::new(),
        };
        // they stay where they are
        if let Some(files) = Arc::into_inner(files) {
            files.leave();
        }
        Ok(Carried {
            release: self.id.release,
            state,
            descriptors,
            waiting: self.wishes,
        })
    }

    /// Makes a new worker one that was put down, at the point of its life where it was.
    pub(crate) fn take_up(mut self, carried: Carried) -> io::Result<(Self, Life)> {
        let Carried {
            state,
            mut descriptors,
            ..
        } = carried;
        let running = state.running.map(|running| {
            let events = &self.shared.events;
            Running::take_up(running, &self.id, &self.room, events, &mut descriptors)
        });
        self.running = match running.transpose() {
            Ok(running) => running,
            Err(error) => {
                // whoever goes on with it needs them
                if let Some(files) = Arc::into_inner(self.files) {
                    files.leave();
                }
                return Err(error);
            }
        };
        if let Some(running) = &self.running {
            self.output = Arc::clone(&running.output);
        }
        self.born = ago(state.age);
        self.starts = state.starts;
        self.timer = at(state.timer);
        self.silence = at(state.silence);
        self.is_silent = state.is_silent;
        self.heard = state.heard;
        self.watch = state.watch;
        self.suspicion = state.suspicion;
        self.next_look = state.next_look.map(|left| Instant::now() + left);
        if state.has_turn {
            self.turn = Arc::clone(&self.shared.turn).try_acquire_owned().ok();
        }
        self.exit = state.exit;
        self.uptime = state.uptime;
        self.cause = state.cause;
        self.ever_ready = state.ever_ready;
        self.failure_told = state.failure_told;
        self.ask_again();
        Ok((self, state.life))
    }
}
