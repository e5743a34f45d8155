//! How busy a gateway is, as the control plane is told from time to time. Counts nothing itself, and judges nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_pipeline::Standing;
use mainstay_proxy::Endpoint;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::protocol::Load;

/// How often it is told: how many workers an app needs is decided as often.
const EVERY: Duration = Duration::from_secs(1);

/// What was told last, and when it is told next.
#[derive(Debug)]
pub(super) struct Telling {
    due: Interval,
    told: Load,
}

impl Telling {
    pub(super) fn new() -> Self {
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            due,
            told: Load::default(),
        }
    }

    /// Waits until it is to be told again. Cancel-safe.
    pub(super) async fn due(&mut self) {
        self.due.tick().await;
    }

    /// How busy these are, if that is news.
    pub(super) fn news(
        &mut self,
        members: &HashMap<String, Vec<Arc<Endpoint>>>,
        standing: &Standing,
    ) -> Option<Load> {
        let load = load(members, standing);
        // waits are told once: whoever adds them up must not miss equal ones
        if load == self.told && load.waited_ms.is_empty() {
            return None;
        }
        self.told.clone_from(&load);
        Some(load)
    }
}

fn load(members: &HashMap<String, Vec<Arc<Endpoint>>>, standing: &Standing) -> Load {
    let mut in_flight: Vec<_> = members
        .values()
        .flatten()
        .map(|known| (known.id, known.in_flight()))
        .filter(|(_, count)| *count > 0)
        .collect();
    in_flight.sort_unstable();
    let waits = standing.take_waits().into_iter();
    let mut waited_ms: Vec<_> = waits
        .map(|(target, wait)| (target, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
        .collect();
    waited_ms.sort_unstable();
    Load {
        in_flight,
        waited_ms,
    }
}
