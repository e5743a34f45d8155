//! Access lines on their way to the control plane, which writes them out: through a pipe of their own, so that
//! a reader that stands still holds up nothing else. They wait then, and drop; requests never do.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use mainstay_pipeline::AccessLog;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::{Notify, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often lines are handed on, where they are few.
const FLUSH: Duration = Duration::from_millis(25);
/// The last lines have so long to go out.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The task that hands lines on.
#[derive(Debug)]
pub(super) struct AccessLines {
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl AccessLines {
    /// Hands on what collects in `logs`.
    ///
    /// # Errors
    /// When `pipe` is none.
    pub(super) fn start(
        pipe: OwnedFd,
        logs: (Vec<Arc<AccessLog>>, Arc<Notify>),
    ) -> io::Result<Self> {
        let pipe = pipe::Sender::from_owned_fd(pipe)?;
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(hand_on(pipe, logs, ended));
        Ok(Self { end, task })
    }

    /// Hands on what has collected by now, and ends.
    pub(super) async fn finish(self) {
        drop(self.end);
        let _ = timeout(LAST_LINES, self.task).await;
    }
}

async fn hand_on(
    mut pipe: pipe::Sender,
    (logs, full): (Vec<Arc<AccessLog>>, Arc<Notify>),
    mut ended: oneshot::Receiver<()>,
) {
    let mut ticks = interval(FLUSH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // the one that is written and those that collect change places, so none is ever made anew
    let mut lines = Vec::new();
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            _ = &mut ended => is_last = true,
            _ = ticks.tick() => {}
            () = full.notified() => {}
        }
        for log in &logs {
            log.take_into(&mut lines);
            if pipe.write_all(&lines).await.is_err() {
                return;
            }
        }
    }
}
