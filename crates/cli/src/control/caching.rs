//! What is kept of answers, and what shall not be kept any longer: asked by an operator, known by the gateways. Keeps nothing.

use mainstay_pipeline::{Inventory, Purge};
use tokio::sync::oneshot;

use super::gateways::Inquired;
use super::state::Control;
use crate::order::{CacheCounts, CacheList, Purged};
use crate::protocol::{CacheAnswer, CacheQuestion, PurgeKnown, PurgeReach};
use crate::say;

impl Control {
    /// `mainstay cache stats`.
    pub(super) fn cache_counts(&mut self, asker: oneshot::Sender<String>) {
        match &mut self.gateways {
            Some(gateways) => gateways.cache_counts(asker),
            None => drop(asker.send(json(&CacheCounts::default()))),
        }
    }

    /// `mainstay cache list`.
    pub(super) fn cache_list(&mut self, wish: CacheList, asker: oneshot::Sender<String>) {
        let CacheList { extent, most } = wish;
        let told = |inquired: Inquired| {
            let mut inventory = Inventory::default();
            for answer in inquired.answers {
                if let CacheAnswer::Listed(listed) = answer {
                    inventory = listed;
                }
            }
            json(&inventory)
        };
        self.inquire(&CacheQuestion::List { extent, most }, asker, told);
    }

    /// `mainstay cache purge`.
    pub(super) fn cache_purge(&mut self, purge: Purge, asker: oneshot::Sender<String>) {
        let told = |inquired: Inquired| {
            let mut purged = Purged {
                answers: 0,
                known: PurgeKnown::Here,
                silent: inquired.silent,
            };
            for answer in inquired.answers {
                if let CacheAnswer::Purged { answers, known } = answer {
                    purged.answers += answers;
                    if known != PurgeKnown::Here {
                        purged.known = known;
                    }
                }
            }
            // which, is between those who asked: URLs may hold what is nobody's business
            say::line(&format!("{} kept answers were purged", purged.answers));
            json(&purged)
        };
        self.inquire(
            &CacheQuestion::Purge(purge, PurgeReach::Everywhere),
            asker,
            told,
        );
    }

    /// Asks the gateways, and tells what they say when all have. Without any, nothing is kept.
    fn inquire(
        &mut self,
        question: &CacheQuestion,
        asker: oneshot::Sender<String>,
        told: impl FnOnce(Inquired) -> String + Send + 'static,
    ) {
        let Some(gateways) = &mut self.gateways else {
            let _ = asker.send(told(Inquired::default()));
            return;
        };
        // of too many at once the last go unanswered
        if let Some(answer) = gateways.inquire(question) {
            tokio::spawn(async move {
                if let Ok(inquired) = answer.await {
                    let _ = asker.send(told(inquired));
                }
            });
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
