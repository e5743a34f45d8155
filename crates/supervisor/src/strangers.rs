//! Orphans of our workers, and as PID 1 everybody's: reaped when they end, never mistaken for a child of ours.

use std::time::Duration;

use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::process;
use crate::tree::{to_pid, zombie_children};

/// How long an ended child may lie before it counts as nobody's. Other threads start children too (`node --version`,
/// a secret provider) and wait for them at once; a zombie harms nobody meanwhile.
const UNCLAIMED_AFTER: Duration = Duration::from_secs(1);

/// Reaps every ended child that nobody watches, after the kernel says that some child has ended. `waitpid(-1)` would
/// take the exit status from whoever waits for a child of ours.
pub(crate) async fn reap() {
    let Ok(mut ended) = signal(SignalKind::child()) else {
        return; // no signal handling at all: zombies are harmless beside that
    };
    while ended.recv().await.is_some() {
        let found = strangers();
        if found.is_empty() {
            continue;
        }
        sleep_until(Instant::now() + UNCLAIMED_AFTER).await;
        let unclaimed = strangers().into_iter().filter(|pid| found.contains(pid));
        for pid in unclaimed.filter_map(to_pid) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let _ = waitid(WaitId::Pid(pid), options);
        }
    }
}

fn strangers() -> Vec<u32> {
    let mut zombies = zombie_children();
    zombies.retain(|pid| !process::is_watched(*pid));
    zombies
}
