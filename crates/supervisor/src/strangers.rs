//! Orphans of our workers, and as PID 1 everybody's: reaped when they end, never mistaken for a child of ours.

use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

use crate::supervisor::Children;
use crate::tree::{to_pid, zombie_children};

/// Reaps every ended child that nobody registered, each time the kernel says that some child has ended. `waitpid(-1)`
/// would take the exit status from whoever waits for a child of ours.
pub(crate) async fn reap(children: Children) {
    let Ok(mut ended) = signal(SignalKind::child()) else {
        return; // no signal handling at all: zombies are harmless beside that
    };
    loop {
        reap_once(&children);
        if ended.recv().await.is_none() {
            return;
        }
    }
}

fn reap_once(children: &Children) {
    let strangers = zombie_children()
        .into_iter()
        .filter(|pid| !children.knows(*pid));
    for pid in strangers.filter_map(to_pid) {
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}
