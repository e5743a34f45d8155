//! What the control plane asks about kept answers. Keeps none.

use mainstay_pipeline::{Inventory, Standing};
use tokio::sync::mpsc;

use crate::protocol::{CacheAnswer, CacheQuestion, PurgeKnown, PurgeReach, Up};

/// From what is kept, if anything is. Of a purge it is said when other machines know it too, or cannot be told.
pub(super) fn answer(
    standing: &Standing,
    ticket: u64,
    question: CacheQuestion,
    up: &mpsc::UnboundedSender<Up>,
) {
    let memory = standing.used_cache();
    let (purge, reach) = match question {
        CacheQuestion::Purge(purge, reach) => (purge, reach),
        CacheQuestion::List { extent, most } => {
            let listed =
                memory.map_or_else(Inventory::default, |memory| memory.inventory(&extent, most));
            let answer = CacheAnswer::Listed(listed);
            let _ = up.send(Up::Cache { ticket, answer });
            return;
        }
    };
    let answers = memory.map_or(0, |memory| memory.purge(&purge)) as u64;
    let others = standing
        .answers()
        .filter(|_| reach == PurgeReach::Everywhere);
    let others = others.map(|others| others.purge(purge));
    let up = up.clone();
    tokio::spawn(async move {
        let known = match others {
            None => PurgeKnown::Here,
            Some(told) => {
                if told.await {
                    PurgeKnown::Everywhere
                } else {
                    PurgeKnown::NotYet
                }
            }
        };
        let answer = CacheAnswer::Purged { answers, known };
        let _ = up.send(Up::Cache { ticket, answer });
    });
}
