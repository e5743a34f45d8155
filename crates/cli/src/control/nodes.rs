//! Whether apps are run by another Node than their projects want: found out beside the start, said once, and named first where
//! such an app does not come up. Refuses nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_supervisor::events::Failure as AppFailure;
use mainstay_supervisor::launch::{NodeQuestion, OtherNode};
use tokio::task::JoinSet;

use super::report;
use super::state::Control;
use crate::failure::Failure;
use crate::say;

/// What is known of the Nodes that run apps.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    asking: JoinSet<Answer>,
    others: BTreeMap<Arc<str>, OtherNode>,
    /// What did not come up before all was known: it is told some seconds later at most.
    failed: Vec<AppFailure>,
}

/// Apps that another Node runs than is wanted.
pub(super) type Answer = Vec<(Arc<str>, OtherNode)>;

impl Nodes {
    pub(super) fn ask(&mut self, questions: Vec<NodeQuestion>) {
        for question in questions {
            self.asking.spawn(question.ask());
        }
    }

    /// The next answer; never, when nobody is asked. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answer {
        match self.asking.join_next().await {
            Some(answer) => answer.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }
}

impl Control {
    /// It is known of some apps which Node runs them.
    pub(super) fn on_nodes(&mut self, answer: Answer) -> Result<(), Failure> {
        for (app, other) in answer {
            say::warning(&report::other_node(&app, &other));
            self.nodes.others.insert(app, other);
        }
        let failed = std::mem::take(&mut self.nodes.failed);
        failed
            .into_iter()
            .try_for_each(|failure| self.on_failed(failure))
    }

    /// A worker has failed before it was ever ready.
    pub(super) fn on_failed(&mut self, mut failure: AppFailure) -> Result<(), Failure> {
        if !self.nodes.asking.is_empty() {
            self.nodes.failed.push(failure);
            return Ok(());
        }
        let app = Arc::clone(&failure.worker.app);
        if let Some(other) = self.nodes.others.get(&app) {
            failure.hint = Some(match failure.hint {
                Some(hint) => format!("{other}; {hint}"),
                None => other.to_string(),
            });
        }
        self.tell_failed(&failure)
    }
}
