//! Whose turn it is among the tasks of a thread. Decides nothing about requests.

use std::future::poll_fn;
use std::task::Poll;

/// Lets those go first who are ready already. What is written one right after the other wakes a client or proxy on
/// this machine once and not each time, and waking somebody costs more than another turn does.
pub(crate) async fn behind_the_others() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
