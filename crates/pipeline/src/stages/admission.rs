//! Lets requests in.
//!
//! - **Does**: makes a request wait while its app has no worker that is ready (bounded in number and
//!   time); lets requests in while draining, since connections are closed by their answers.
//! - **Refuses**: 503 with `Retry-After` when too many wait, or none came up in time.

use std::sync::Arc;

use crate::{Exchange, Refusal, Standing, Step};

#[derive(Debug)]
pub(crate) struct Admission {
    standing: Arc<Standing>,
}

impl Admission {
    pub(crate) fn new(standing: Arc<Standing>) -> Self {
        Self { standing }
    }

    pub(crate) async fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        exchange.pass(Step::Admit);
        self.standing.ready(exchange.target).await
    }
}
