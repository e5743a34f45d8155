//! What goes up to the control plane: messages, access lines, tidings of endpoints, counts. Decides nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::Totals;
use mainstay_pipeline::{AccessLog, Notices};
use mainstay_proxy::Tiding;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::metrics::Metrics;
use crate::protocol::{self, Up};

/// How often access lines are handed on.
const FLUSH: Duration = Duration::from_millis(25);
/// Lines are handed on in pieces of this size.
const PIECE: usize = 64 * 1024;
/// How often counts are told unasked: so much is lost of them when the gateway is killed.
const COUNTED: Duration = Duration::from_secs(1);

/// Writes to the control plane. Slow reading there makes access lines wait, then drop; never a request.
pub(super) async fn write(
    mut to: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Up>,
    logs: Vec<Arc<AccessLog>>,
    notices: Arc<Notices>,
) {
    let mut interval = tokio::time::interval(FLUSH);
    // the one that is written and those that collect change places, so none is ever made anew
    let mut lines = Vec::new();
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            biased;
            message = messages.recv() => message,
            _ = interval.tick() => {
                let sentences = notices.take();
                if !sentences.is_empty() && protocol::send(&mut to, &Up::Notices(sentences)).await.is_err() {
                    return;
                }
                if flush(&mut to, &logs, &mut lines).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let is_last = matches!(message, None | Some(Up::Drained));
        if is_last && flush(&mut to, &logs, &mut lines).await.is_err() {
            return;
        }
        let Some(message) = message else { return };
        if protocol::send(&mut to, &message).await.is_err() || is_last {
            return;
        }
    }
}

async fn flush(
    to: &mut OwnedWriteHalf,
    logs: &[Arc<AccessLog>],
    lines: &mut Vec<u8>,
) -> io::Result<()> {
    for log in logs {
        log.take_into(lines);
        let mut rest = &lines[..];
        while !rest.is_empty() {
            // pieces end where lines end
            let end = match rest.get(..PIECE) {
                Some(piece) => piece
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(rest.len(), |end| end + 1),
                None => rest.len(),
            };
            protocol::send_lines(to, &rest[..end]).await?;
            rest = &rest[end..];
        }
    }
    Ok(())
}

/// Tells what happens to endpoints, as much at once as there is.
pub(super) async fn tell_tidings(
    mut tidings: mpsc::UnboundedReceiver<Tiding>,
    up: mpsc::UnboundedSender<Up>,
) {
    const MOST: usize = 256;
    let mut some = Vec::new();
    while tidings.recv_many(&mut some, MOST).await > 0 {
        let (mut answered, mut left) = (Vec::new(), Vec::new());
        for tiding in some.drain(..) {
            match tiding {
                Tiding::Answered(id) => answered.push(id),
                Tiding::Left(id) => left.push(id),
            }
        }
        if !answered.is_empty() {
            let _ = up.send(Up::Answered { ids: answered });
        }
        if !left.is_empty() {
            let _ = up.send(Up::Released { ids: left });
        }
    }
}

/// Tells the counts from time to time, if there is anything new.
pub(super) async fn tell_counts(metrics: Arc<Metrics>, up: mpsc::UnboundedSender<Up>) {
    let mut interval = tokio::time::interval(COUNTED);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = Totals::default();
    loop {
        interval.tick().await;
        let totals = metrics.totals();
        if totals != told {
            told.clone_from(&totals);
            if up.send(Up::Counted(Box::new(totals))).is_err() {
                return;
            }
        }
    }
}
