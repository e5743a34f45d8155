//! What goes up to the control plane: messages, tidings of endpoints, counts. Decides nothing.

use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::Totals;
use mainstay_pipeline::{Notices, Reported, Standing};
use mainstay_proxy::{Endpoint, Tiding};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::metrics::Metrics;
use crate::protocol::{self, Up};

/// How often notices are looked for.
const NOTICES: Duration = Duration::from_millis(100);
/// How often it is told what members on trial answer: a release that is no good should not serve for long.
const TRIAL: Duration = Duration::from_millis(50);
/// How often counts are told unasked: so much is lost of them when the gateway is killed.
const COUNTED: Duration = Duration::from_secs(1);

/// How often it is looked whether what ran when a pause began has finished: counting, which every request does, wakes nobody.
const QUIET: Duration = Duration::from_millis(20);

/// Waits until nothing runs but what waits for the end of the pause, or this time is over. How much still runs.
pub(super) async fn quiet(metrics: &Metrics, standing: &Standing, within: Duration) -> u64 {
    let end = tokio::time::Instant::now() + within;
    loop {
        // looked at for the first time when requests that were just being let in are counted
        tokio::time::sleep(QUIET).await;
        let active = metrics.totals().requests.active;
        let waiting = i64::try_from(standing.waiting()).unwrap_or(i64::MAX);
        let running = u64::try_from(active - waiting).unwrap_or(0);
        if running == 0 || tokio::time::Instant::now() >= end {
            return running;
        }
    }
}

/// Writes to the control plane.
pub(super) async fn write(
    mut to: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Up>,
    notices: Arc<Notices>,
) {
    let mut interval = tokio::time::interval(NOTICES);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            biased;
            message = messages.recv() => message,
            _ = interval.tick() => {
                let reported = notices.violations().take();
                if !reported.is_empty() && protocol::send(&mut to, &Up::Violations(reported)).await.is_err() {
                    return;
                }
                let sentences = notices.take();
                if !sentences.is_empty() && protocol::send(&mut to, &Up::Notices(sentences)).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Some(message) = message else { return };
        let is_last = matches!(message, Up::Drained);
        let reported = if is_last {
            notices.violations().take()
        } else {
            Reported::default()
        };
        if !reported.is_empty() {
            // the rest of it; whether it arrives is seen by the next message
            let _ = protocol::send(&mut to, &Up::Violations(reported)).await;
        }
        if protocol::send(&mut to, &message).await.is_err() || is_last {
            return;
        }
    }
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

/// Tells what these answered, if they did, until it is dropped.
pub(super) async fn tell_trial(on_trial: Vec<Arc<Endpoint>>, up: mpsc::UnboundedSender<Up>) {
    let mut interval = tokio::time::interval(TRIAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let all = on_trial.iter().map(|known| (known.id, known.tally()));
        let tallies: Vec<_> = all.filter(|(_, tally)| !tally.is_empty()).collect();
        if !tallies.is_empty() && up.send(Up::Trial { tallies }).is_err() {
            return;
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
