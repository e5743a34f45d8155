//! Asking a worker whether it is well, by whatever it speaks. The supervisor does not know HTTP: the program lends it
//! somebody who does.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::events::Endpoint;

/// The answer to one question: whether the worker answered as it should. It must have an end by itself.
pub type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Who asks: given where a worker answers and a path there, says whether it answered with a status below 500 in time.
#[derive(Clone)]
pub struct Prober(Arc<dyn Fn(Endpoint, String) -> Answer + Send + Sync>);

impl Prober {
    /// Asks by calling `ask`.
    pub fn new<F>(ask: impl Fn(Endpoint, String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self(Arc::new(move |endpoint, path| {
            Box::pin(ask(endpoint, path))
        }))
    }

    /// Asks until the answer is good. Cancel it when it has taken too long.
    pub(crate) async fn until_well(self, endpoint: Endpoint, path: String) {
        let mut pause = FIRST_PAUSE;
        while !(self.0)(endpoint.clone(), path.clone()).await {
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

/// An app that just began to listen is often well in a moment; one that waits for its database is not asked to death.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(500);

impl fmt::Debug for Prober {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Prober")
    }
}
