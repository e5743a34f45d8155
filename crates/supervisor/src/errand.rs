//! A command that is run once on behalf of an app, as the app itself would run: same environment, folder and user.
//! Knows nothing of what it is for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::drain::Output;
use crate::events::{Event, WorkerId};
use crate::guard::Guarded;
use crate::plan::{Plan, Prepared};
use crate::process::Exit;
use crate::report::not_started;
use crate::running::{Happened, Haste, Looking, Running};

/// How many of its last lines a failure shows.
const SHOWN: usize = 10;

/// A command that is ready to be run.
#[derive(Debug)]
pub struct Errand {
    program: String,
    prepared: io::Result<Prepared>,
    /// Under whose name its output is passed on.
    worker: WorkerId,
    events: UnboundedSender<Event>,
    guarded: Guarded,
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum ErrandError {
    /// There is no process.
    #[error("{0}")]
    NotStarted(String),
    /// It ended, and not with status 0.
    #[error("failed, {exit}{}", shown(.last_lines))]
    Failed {
        /// How it ended.
        exit: Exit,
        /// The last lines it wrote, oldest first.
        last_lines: Vec<String>,
    },
    /// It took too long and was killed.
    #[error("did not end within {} s and was killed{}", .limit.as_secs_f32(), shown(.last_lines))]
    TimedOut {
        /// How long it had.
        limit: Duration,
        /// The last lines it wrote, oldest first.
        last_lines: Vec<String>,
    },
}

impl Errand {
    pub(crate) fn new(plan: &Plan, events: UnboundedSender<Event>, guarded: Guarded) -> Self {
        Self {
            program: plan.launch.words.first().cloned().unwrap_or_default(),
            prepared: plan.errand(),
            worker: WorkerId {
                app: Arc::clone(&plan.app),
                release: 0,
                index: 0,
                incarnation: 0,
            },
            events,
            guarded,
        }
    }

    /// Runs it to its end; its output comes as [`Event::Output`]. Whoever drops this future ends the command and all
    /// that came of it. Call it on the main thread, inside a tokio runtime.
    ///
    /// # Errors
    /// See [`ErrandError`].
    pub async fn run(self, limit: Duration) -> Result<(), ErrandError> {
        let output = Arc::new(Output::new(Arc::default(), None));
        let started = self
            .prepared
            .and_then(|prepared| Running::start(prepared, 0, &self.worker, &output, &self.events));
        let running =
            started.map_err(|error| ErrandError::NotStarted(not_started(&self.program, &error)))?;
        let mut held = Held {
            group: running.id(),
            guarded: self.guarded,
            running: Some(running),
        };
        if let Some(running) = &held.running {
            held.guarded.add(&running.tree);
        }
        let in_time = timeout(limit, held.ended()).await.is_ok();
        if !in_time {
            held.kill();
        }
        let exit = held.finish().await;
        let last_lines = last(output.last_lines());
        match exit {
            _ if !in_time => Err(ErrandError::TimedOut { limit, last_lines }),
            Exit::Code(0) => Ok(()),
            exit => Err(ErrandError::Failed { exit, last_lines }),
        }
    }
}

/// A process that goes with its value.
struct Held {
    group: u32,
    guarded: Guarded,
    running: Option<Running>,
}

impl Held {
    async fn ended(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        while !matches!(running.happening(Looking::No).await, Happened::Ended) {}
    }

    fn kill(&mut self) {
        if let Some(running) = &mut self.running {
            running.kill();
        }
    }

    /// With all that came of it.
    async fn finish(mut self) -> Exit {
        self.ended().await;
        let Some(mut running) = self.running.take() else {
            return Exit::Unknown;
        };
        let exit = running.exit(Haste::No).await;
        running.bury().await;
        self.guarded.remove(self.group);
        exit
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
            self.guarded.remove(self.group);
        }
    }
}

fn last(mut lines: Vec<String>) -> Vec<String> {
    lines.split_off(lines.len().saturating_sub(SHOWN))
}

fn shown(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| {
        // what a terminal would act on is not for a terminal
        let plain = |character: char| {
            if character.is_control() && character != '\t' {
                '\u{fffd}'
            } else {
                character
            }
        };
        format!("\n  │ {}", line.chars().map(plain).collect::<String>())
    });
    lines.collect()
}
