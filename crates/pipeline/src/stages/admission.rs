//! Lets requests in.
//!
//! - **Does**: makes a request wait while the operator has paused the instance, and while its app has no worker that is
//!   ready (both bounded in number and time); lets requests in while draining, since connections are closed by their answers.
//! - **Refuses**: 503 with `Retry-After` when too many wait, when none came up or the pause did not end in time, and during
//!   maintenance.
//! - **Deployment caveat**: probes were answered before: neither a pause nor maintenance takes an instance out of a balancer's
//!   rotation.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mainstay_values::Network;
use serde::{Deserialize, Serialize};

use crate::{Exchange, Refusal, Standing, Step, Suspension};

/// What holds during maintenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceOptions {
    /// Clients who are let through.
    pub allow: Vec<Network>,
    /// When clients are told to come again, where nobody said how long it lasts. Told in whole seconds.
    pub retry_after: Duration,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            retry_after: Duration::from_mins(1),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Admission {
    standing: Arc<Standing>,
    maintenance: MaintenanceOptions,
}

impl Admission {
    pub(crate) fn new(standing: Arc<Standing>, maintenance: MaintenanceOptions) -> Self {
        Self {
            standing,
            maintenance,
        }
    }

    pub(crate) async fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        exchange.pass(Step::Admit);
        if self.standing.is_suspended() {
            // boxed, so that requests that meet no suspension do not carry the room for one
            Box::pin(self.outlast(exchange)).await?;
        }
        self.standing.ready(exchange.target).await
    }

    /// Waits for the end of a suspension, where it is one that is waited for.
    async fn outlast(&self, exchange: &Exchange) -> Result<(), Refusal> {
        match self.standing.suspension() {
            Suspension::None => Ok(()),
            Suspension::Maintenance { until } => self.maintain(exchange, until),
            Suspension::Pause { deadline } => match self.standing.resumed(deadline).await? {
                Suspension::Maintenance { until } => self.maintain(exchange, until),
                Suspension::None | Suspension::Pause { .. } => Ok(()),
            },
        }
    }

    fn maintain(&self, exchange: &Exchange, until: Option<u64>) -> Result<(), Refusal> {
        let is_let_through = |network: &Network| network.contains(exchange.client);
        if self.maintenance.allow.iter().any(is_let_through) {
            return Ok(());
        }
        let now = exchange.began().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let left = until.map_or(self.maintenance.retry_after.as_secs(), |until| {
            until.saturating_sub(now)
        });
        let retry_after = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
        Err(Refusal::Maintenance { retry_after })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Target, TargetKind, WaitOptions};

    fn admission(queue: usize) -> Arc<Admission> {
        let target = Target::new("api", TargetKind::App, 1);
        target.set_ready(1);
        let wait = WaitOptions {
            queue,
            ..WaitOptions::default()
        };
        let options = MaintenanceOptions {
            allow: vec!["192.0.2.0/24".parse().expect("a network")],
            ..MaintenanceOptions::default()
        };
        let standing = Arc::new(Standing::new(vec![target], wait));
        Arc::new(Admission::new(standing, options))
    }

    fn exchange(client: &str) -> Exchange {
        let mut exchange = Exchange::unread(&Arc::default(), Instant::now());
        exchange.client = client.parse().expect("an address");
        exchange
    }

    async fn admit(admission: &Admission) -> Result<(), Refusal> {
        admission.admit(&mut exchange("198.51.100.1")).await
    }

    const PAUSE: Suspension = Suspension::Pause {
        deadline: Duration::from_secs(10),
    };

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_requests_and_lets_them_go() {
        let admission = admission(10);
        admission.standing.suspend(PAUSE);
        let held = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admit(&admission).await }
        });
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!held.is_finished());
        // said again, it goes on: whoever waits waits on
        admission.standing.suspend(PAUSE);
        tokio::task::yield_now().await;
        assert!(!held.is_finished());
        admission.standing.suspend(Suspension::None);
        assert_eq!(held.await.expect("no panic"), Ok(()));
        assert_eq!(admit(&admission).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_lasts_too_long_is_503() {
        let admission = admission(10);
        admission.standing.suspend(PAUSE);
        let before = tokio::time::Instant::now();
        assert_eq!(admit(&admission).await, Err(Refusal::Paused));
        assert_eq!(before.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_held() {
        let admission = admission(1);
        admission.standing.suspend(PAUSE);
        let held = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admit(&admission).await }
        });
        tokio::task::yield_now().await;
        let before = tokio::time::Instant::now();
        assert_eq!(admit(&admission).await, Err(Refusal::Paused));
        assert_eq!(before.elapsed(), Duration::ZERO);
        admission.standing.suspend(Suspension::None);
        assert_eq!(held.await.expect("no panic"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn maintenance_refuses_all_but_those_that_are_let_through() {
        let admission = admission(10);
        let maintenance = |until| {
            let maintenance = Suspension::Maintenance { until };
            admission.standing.suspend(maintenance);
        };
        let refused = |retry_after| Err(Refusal::Maintenance { retry_after });
        maintenance(None);
        assert_eq!(admit(&admission).await, refused(60));
        let mut friend = exchange("192.0.2.7");
        assert_eq!(admission.admit(&mut friend).await, Ok(()));
        let mut stranger = exchange("198.51.100.1");
        let began = stranger.began().duration_since(UNIX_EPOCH);
        let began = began.expect("after 1970").as_secs();
        for (until, left) in [(began + 90, 90), (began, 1), (0, 1)] {
            maintenance(Some(until));
            assert_eq!(admission.outlast(&stranger).await, refused(left));
        }
        admission.standing.suspend(Suspension::None);
        assert_eq!(admission.admit(&mut stranger).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_when_maintenance_begins_is_told() {
        let admission = admission(10);
        admission.standing.suspend(PAUSE);
        let held = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admit(&admission).await }
        });
        tokio::task::yield_now().await;
        admission
            .standing
            .suspend(Suspension::Maintenance { until: None });
        let told = held.await.expect("no panic");
        assert_eq!(told, Err(Refusal::Maintenance { retry_after: 60 }));
    }

    #[tokio::test]
    async fn other_settings_change_nothing_about_it() {
        let before = Standing::new(Vec::new(), WaitOptions::default());
        before.suspend(PAUSE);
        let after = before.succeed(Vec::new(), WaitOptions::default());
        assert!(after.is_suspended());
        after.suspend(Suspension::None);
        assert!(!before.is_suspended());
    }
}
