//! A running process, put down and taken up: its pipes stay open, its number stays its own.

use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{Descriptors, ago, at, until};
use crate::drain::{Drain, Left, LeftState, Output, OutputState};
use crate::events::{Event, WorkerId};
use crate::memory::Kills;
use crate::node::speech::{Ear, EarState};
use crate::os::readable;
use crate::output::Room;
use crate::process::Process;
use crate::ready::{Expected, look};
use crate::running::{FOLLOW_GRACE, Listener, Look, Reading, Running};
use crate::tree::{Tree, handle};

/// All that is known of a running process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunningState {
    pid: i32,
    /// How long it has run.
    age: Duration,
    start: u32,
    ear: Option<EarState>,
    expected: Option<ExpectedState>,
    output: OutputState,
    tree: Tree,
    kills: Option<Kills>,
    killed: bool,
    left: Vec<LeftState>,
    /// The process that was asked to end in its place.
    listener: Option<u32>,
    hurry: Option<Duration>,
    headed_by_shell: bool,
}

/// How it becomes reachable, as long as it is not.
#[derive(Debug, Serialize, Deserialize)]
enum ExpectedState {
    Said,
    Alive { left: Duration },
    Port(u16),
    Accepted { listener: RawFd, path: PathBuf },
}

impl ExpectedState {
    fn of(expected: Expected, age: Duration, descriptors: &mut Descriptors) -> io::Result<Self> {
        Ok(match expected {
            Expected::Said => Self::Said,
            Expected::Alive(time) => Self::Alive {
                left: time.saturating_sub(age),
            },
            Expected::Port(port) => Self::Port(port),
            Expected::Accepted(listener, path) => Self::Accepted {
                listener: descriptors.keep(listener.try_clone()?.into()),
                path,
            },
        })
    }

    fn take_up(self, descriptors: &mut Descriptors) -> io::Result<Expected> {
        Ok(match self {
            Self::Said => Expected::Said,
            Self::Alive { left } => Expected::Alive(left),
            Self::Port(port) => Expected::Port(port),
            Self::Accepted { listener, path } => {
                let listener = descriptors.take(listener)?;
                Expected::Accepted(Arc::new(listener.into()), path)
            }
        })
    }
}

impl Running {
    /// Listens and reads no more. Waits for lines that were read and have no room yet.
    pub(crate) async fn put_down(self, descriptors: &mut Descriptors) -> io::Result<RunningState> {
        self.output.stop_reading();
        let mut left = Vec::new();
        for reading in self.drains {
            // a stream that has ended, or could not be read, has nothing left
            if let Ok(Ok(Some(rest))) = reading.task.await {
                left.push(rest.put_down(reading.stream, descriptors));
            }
        }
        let age = self.started.elapsed();
        let expected = self
            .expected
            .map(|expected| ExpectedState::of(expected, age, descriptors));
        let ear = self.ear.map(|ear| ear.put_down(descriptors));
        Ok(RunningState {
            pid: self.process.put_down().as_raw_nonzero().get(),
            age,
            start: self.start,
            ear: ear.transpose()?,
            expected: expected.transpose()?,
            output: self.output.state(),
            tree: self.tree,
            kills: self.kills,
            killed: self.killed,
            left,
            listener: self.listener.map(|listener| listener.pid),
            hurry: until(self.hurry),
            headed_by_shell: self.headed_by_shell,
        })
    }

    pub(crate) fn take_up(
        state: RunningState,
        worker: &WorkerId,
        room: &Arc<Room>,
        events: &UnboundedSender<Event>,
        descriptors: &mut Descriptors,
    ) -> io::Result<Self> {
        let pid = Pid::from_raw(state.pid).ok_or(io::ErrorKind::InvalidData)?;
        let process = Process::watch(pid)?;
        let output = Arc::new(Output::take_up(state.output, Arc::clone(room)));
        let mut lefts = Vec::new();
        for left in state.left {
            lefts.push((left.stream, Left::take_up(left, descriptors)?));
        }
        let expected = state
            .expected
            .map(|expected| expected.take_up(descriptors))
            .transpose()?;
        let ear = state.ear.map(|ear| Ear::take_up(ear, descriptors));
        let ear = ear.transpose()?;
        let handle = state.listener.and_then(handle).map(readable).transpose()?;
        let listener = handle.zip(state.listener);
        // one that has ended meanwhile has been heard
        let ended = state.listener.is_some() && listener.is_none();
        let drain =
            |stream| Drain::new(worker.clone(), stream, Arc::clone(&output), events.clone());
        let drains = lefts
            .into_iter()
            .map(|(stream, left)| Reading::begin(drain(stream), left));
        let look: Look = match expected.clone() {
            Some(expected) => Box::pin(look(expected, state.tree.clone())),
            None => Box::pin(std::future::pending()),
        };
        Ok(Self {
            process,
            started: ago(state.age),
            start: state.start,
            ear,
            look,
            expected,
            drains: drains.collect(),
            output: Arc::clone(&output),
            tree: state.tree,
            kills: state.kills,
            killed: state.killed,
            listener: listener.map(|(handle, pid)| Listener { pid, handle }),
            hurry: if ended {
                Some(Instant::now() + FOLLOW_GRACE)
            } else {
                at(state.hurry)
            },
            headed_by_shell: state.headed_by_shell,
        })
    }
}
