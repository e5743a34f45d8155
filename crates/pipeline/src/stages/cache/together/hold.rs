//! The right to fetch an answer for all machines, as a fetch holds it. Fetches nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::super::memory::Variant;
use super::entry;
use super::{Put, Right, SharedAnswers, SharedName, SharedPlace};

/// Larger ones stay on the machine that fetched them: bytes of fields and body.
const LARGEST: usize = 256 * 1024;
/// Nothing is kept for machines longer than this.
const LONGEST: Duration = Duration::from_hours(24);
/// So much longer than it can be used without asking an answer is kept to ask about.
const TO_ASK_ABOUT: Duration = Duration::from_mins(10);
/// So long machines remember that answers of a resource are not kept.
const PASSING: Duration = Duration::from_mins(2);

/// See the module. Given back with its value.
#[derive(Debug)]
pub(in super::super) struct Hold {
    shared: Arc<dyn SharedAnswers>,
    place: SharedPlace,
    /// The name under which the right was given.
    answer: Option<SharedName>,
    right: Right,
    /// Of the settings by which it is judged whether it may be kept.
    settings: u64,
    /// What tells the answer from others, once it is known.
    selection: OnceLock<(SharedName, Vec<String>)>,
    is_over: AtomicBool,
}

impl Hold {
    pub(super) fn new(
        shared: &Arc<dyn SharedAnswers>,
        place: SharedPlace,
        answer: Option<SharedName>,
        right: Right,
        settings: u64,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            place,
            answer,
            right,
            settings,
            selection: OnceLock::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The answer that is coming is for some requests only.
    pub(in super::super) fn select(&self, answer: SharedName, names: Vec<String>) {
        let _ = self.selection.set((answer, names));
    }

    /// The answer is kept here, and may be kept by all.
    pub(in super::super) fn keep(&self, url: &str, variant: &Variant) {
        if self.is_over.swap(true, Relaxed) {
            return;
        }
        let stored = &variant.stored;
        let lifetime = lifetime(variant);
        if stored.len() > LARGEST || lifetime.is_zero() {
            self.shared
                .release(self.place.name(), self.answer, self.right, None);
            return;
        }
        let about = entry::About {
            settings: self.settings,
            purges: self.right.purges,
            target: &self.place.target,
            url,
        };
        let selection = self.selection.get();
        let answer = selection.map(|(answer, _)| *answer);
        let mut puts = vec![Put {
            answer,
            bytes: entry::of_answer(&about, answer, stored),
            lifetime,
        }];
        if let Some((_, names)) = selection {
            puts.push(Put {
                answer: None,
                bytes: entry::of_selection(&about, names),
                lifetime: LONGEST,
            });
        }
        self.shared
            .keep(self.place.name(), self.answer, self.right, puts);
    }

    /// Answers of this resource are not kept.
    pub(in super::super) fn pass(&self, url: &str) {
        if self.is_over.swap(true, Relaxed) {
            return;
        }
        let about = entry::About {
            settings: self.settings,
            purges: self.right.purges,
            target: &self.place.target,
            url,
        };
        let instead = Put {
            answer: self.answer,
            bytes: entry::of_passing(&about),
            lifetime: PASSING,
        };
        self.shared
            .release(self.place.name(), self.answer, self.right, Some(instead));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_over.swap(true, Relaxed) {
            self.shared
                .release(self.place.name(), self.answer, self.right, None);
        }
    }
}

/// How long an answer can be of use to others.
fn lifetime(variant: &Variant) -> Duration {
    let (head, terms) = (&variant.stored.head, variant.stored.head.terms);
    let fresh = terms.lifetime.saturating_sub(terms.initial_age);
    let longer = terms.while_revalidate.max(terms.if_error);
    let useful = Duration::from_secs(u64::from(fresh) + u64::from(longer));
    let more = if head.may_be_asked_about() {
        TO_ASK_ABOUT
    } else {
        Duration::ZERO
    };
    (useful + more).min(LONGEST)
}
