//! What gateways keep of answers when there are several, or when one ends: each hears what requests change at another, and what one could
//! not tell other machines is not lost with it. Keeps nothing itself.

use mainstay_pipeline::{Extent, Purge, PurgeMode, SharedPlace};
use mainstay_store::Owing;

use super::generation::Phase;
use super::{Gateways, Heard};
use crate::protocol::{CacheQuestion, Company, Down, PurgeReach};

/// A ticket under which nobody waits.
const NOBODY: u64 = 0;

impl Gateways {
    /// A request changed this at one of them: the others forget it.
    pub(super) fn on_change(&self, number: u64, place: &SharedPlace) {
        let others = self.generations.iter();
        for other in others.filter(|other| other.number != number) {
            other.tell(Down::Forget(Box::new(place.clone())));
        }
    }

    /// Each is told whether there are others: who is alone need not say what requests change.
    pub(super) fn keep_company(&mut self) {
        let company = if self.generations.len() > 1 {
            Company::Others
        } else {
            Company::Alone
        };
        for generation in &mut self.generations {
            if std::mem::replace(&mut generation.company, company) != company {
                generation.tell(Down::Company(company));
            }
        }
    }

    /// One has ended, and perhaps with it what other machines were to be told.
    pub(super) fn inherit(&mut self, owing: Owing) {
        if owing == Owing::Something && self.end.is_none() {
            self.owing = owing;
            self.pay();
        }
    }

    /// What was to be told is not known any more, so all is forgotten by everybody, as soon as the store is back.
    pub(super) fn pay(&mut self) {
        if self.owing == Owing::Nothing {
            return;
        }
        let Some(serving) = self.find(Phase::Serving) else {
            return;
        };
        let purge = Purge {
            extent: Extent::All,
            mode: PurgeMode::Hard,
        };
        serving.tell(Down::Cache {
            ticket: NOBODY,
            question: CacheQuestion::Purge(purge, PurgeReach::Everywhere),
        });
        self.owing = Owing::Nothing;
        self.news.push_back(Heard::Notices(vec![
            "a gateway ended before the store could be told what was changed meanwhile: all machines that share the cache forget what they keep when it is back".to_owned(),
        ]));
    }
}
