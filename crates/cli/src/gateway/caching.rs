//! What the control plane asks about kept answers. Keeps none.

use std::sync::Arc;

use mainstay_pipeline::{CacheMemory, Inventory};

use crate::protocol::{CacheAnswer, CacheQuestion};

/// From what is kept, if anything is.
pub(super) fn answer(memory: Option<&Arc<CacheMemory>>, question: CacheQuestion) -> CacheAnswer {
    match question {
        CacheQuestion::Purge(purge) => {
            let answers = memory.map_or(0, |memory| memory.purge(&purge));
            CacheAnswer::Purged {
                answers: answers as u64,
            }
        }
        CacheQuestion::List { extent, most } => CacheAnswer::Listed(match memory {
            Some(memory) => memory.inventory(&extent, most),
            None => Inventory::default(),
        }),
    }
}
