//! Things an operator should hear once, found while serving. Whoever drains them prints them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::Violations;

/// Never more than this many different notices: they come from what clients send.
const MOST: usize = 16;

/// Sentences for the operator, each said once; and what browsers reported.
#[derive(Debug, Default)]
pub struct Notices {
    sentences: Mutex<Inner>,
    violations: Violations,
}

#[derive(Debug, Default)]
struct Inner {
    said: HashSet<String>,
    waiting: Vec<String>,
}

impl Notices {
    /// Says it, unless it was said before.
    pub fn say(&self, topic: &str, sentence: impl FnOnce() -> String) {
        let mut inner = self
            .sentences
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if inner.said.len() < MOST && !inner.said.contains(topic) {
            inner.said.insert(topic.to_owned());
            inner.waiting.push(sentence());
        }
    }

    /// What browsers reported.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Takes what has not been told yet.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(
            &mut self
                .sentences
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .waiting,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_bounded() {
        let notices = Notices::default();
        notices.say("a", || "first".to_owned());
        notices.say("a", || "again".to_owned());
        assert_eq!(notices.take(), ["first"]);
        for topic in 0..100 {
            notices.say(&topic.to_string(), || topic.to_string());
        }
        assert_eq!(notices.take().len(), MOST - 1);
    }
}
