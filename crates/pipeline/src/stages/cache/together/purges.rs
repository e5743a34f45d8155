//! The purges of all machines, by number: what was fetched before one that is about it is not used. Purges nothing itself.

use std::collections::VecDeque;

use super::super::memory::CacheMemory;
use super::super::purge::{self, Extent, Purge, PurgeMode};
use super::super::stored::Head;

/// Purges that are remembered. What was fetched before all of them counts as purged.
const MOST: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Purges {
    /// All up to this one are forgotten.
    base: u64,
    /// The last.
    known: u64,
    all: VecDeque<(u64, Purge)>,
}

impl Purges {
    /// What becomes of an answer that was fetched when this one was the last. None: it may be used.
    pub(super) fn since(&self, number: u64, url: &str, head: &Head) -> Option<PurgeMode> {
        if number < self.base {
            return Some(PurgeMode::Hard);
        }
        let later = self.all.iter().rev();
        let later = later.take_while(|(own, _)| *own > number);
        let about = later.filter(|(_, purge)| match &purge.extent {
            Extent::Tag(tag) => purge::has_tag(head, tag),
            extent => extent.is_about(url),
        });
        let mut mode = None;
        for (_, purge) in about {
            if purge.mode == PurgeMode::Hard {
                return Some(PurgeMode::Hard);
            }
            mode = Some(PurgeMode::Soft);
        }
        mode
    }

    fn add(&mut self, number: u64, purge: Purge) {
        self.known = number;
        self.all.push_back((number, purge));
        if self.all.len() > MOST
            && let Some((forgotten, _)) = self.all.pop_front()
        {
            self.base = forgotten;
        }
    }
}

impl CacheMemory {
    /// The number of the last purge of all machines that is known here.
    pub fn purges_known(&self) -> u64 {
        self.purges().known
    }

    /// What purges since this one make of an answer. None: it may be used.
    pub(in super::super) fn purged_since(
        &self,
        number: u64,
        url: &str,
        head: &Head,
    ) -> Option<PurgeMode> {
        self.purges().since(number, url, head)
    }

    /// Another machine, or this one, has purged. Numbers grow; one that is known already is nothing new.
    pub fn purge_by_number(&self, number: u64, purge: &Purge) {
        if number <= self.purges_known() {
            return;
        }
        // first what is kept, so that who knows the number finds nothing of it
        self.purge(purge);
        self.purges().add(number, purge.clone());
    }

    /// Purges up to this number are known nowhere any more. If some of them were not heard of here, all that is kept may be meant.
    pub fn purges_forgotten(&self, up_to: u64) {
        if up_to <= self.purges_known() {
            return;
        }
        self.purge(&Purge {
            extent: Extent::All,
            mode: PurgeMode::Hard,
        });
        let mut purges = self.purges();
        purges.base = up_to;
        purges.known = up_to;
        purges.all.clear();
    }
}
