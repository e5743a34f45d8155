//! What all machines are to forget and do not know yet. Tells nobody.

use std::collections::HashMap;

use mainstay_pipeline::{Extent, Purge, PurgeMode, SharedName, SharedPlace};

/// Changes that are remembered one by one; of more, everything counts as changed.
const MOST: usize = 10_000;

/// Things by the number under which it is known that they were said.
type Turns<T> = Vec<(u64, T)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unsaid {
    turn: u64,
    purges: Vec<(u64, Purge)>,
    changes: HashMap<SharedName, (u64, SharedPlace)>,
}

impl Unsaid {
    /// Whether nothing of this resource is to be used until something was said.
    pub(super) fn is_about(&self, resource: &SharedName) -> bool {
        !self.purges.is_empty() || self.changes.contains_key(resource)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.purges.is_empty() && self.changes.is_empty()
    }

    /// Returns by which number it is known that it was said.
    pub(super) fn purge(&mut self, purge: Purge) -> u64 {
        self.turn += 1;
        if self.purges.len() >= MOST {
            self.purges.clear();
            self.purges.push((self.turn, everything()));
        } else {
            self.purges.push((self.turn, purge));
        }
        self.turn
    }

    pub(super) fn has_purge(&self, turn: u64) -> bool {
        self.purges.iter().any(|(own, _)| *own == turn)
    }

    pub(super) fn forget(&mut self, place: &SharedPlace) -> u64 {
        self.turn += 1;
        if self.changes.len() >= MOST {
            self.changes.clear();
            self.purges.push((self.turn, everything()));
        } else {
            let change = (self.turn, place.clone());
            self.changes.insert(place.name(), change);
        }
        self.turn
    }

    /// The purges, in their order, and some changes.
    pub(super) fn some(&self) -> (Turns<Purge>, Turns<SharedPlace>) {
        let changes = self.changes.values().take(100);
        (self.purges.clone(), changes.cloned().collect())
    }

    pub(super) fn purge_was_said(&mut self, turn: u64) {
        self.purges.retain(|(own, _)| *own != turn);
    }

    /// One that was changed again meanwhile is to be said again.
    pub(super) fn change_was_said(&mut self, resource: &SharedName, turn: u64) {
        if self
            .changes
            .get(resource)
            .is_some_and(|(own, _)| *own == turn)
        {
            self.changes.remove(resource);
        }
    }
}

fn everything() -> Purge {
    Purge {
        extent: Extent::All,
        mode: PurgeMode::Hard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> SharedPlace {
        SharedPlace {
            target: "api".to_owned(),
            scheme: "http".to_owned(),
            host: "a.example".to_owned(),
            port: 80,
            path: path.to_owned(),
        }
    }

    #[test]
    fn what_was_changed_twice_is_said_twice() {
        let mut unsaid = Unsaid::default();
        let (here, there) = (place("/"), place("/other"));
        let first = unsaid.forget(&here);
        let second = unsaid.forget(&here);
        assert!(unsaid.is_about(&here.name()) && !unsaid.is_about(&there.name()));
        unsaid.change_was_said(&here.name(), first);
        assert!(unsaid.is_about(&here.name()));
        unsaid.change_was_said(&here.name(), second);
        assert!(unsaid.is_empty());
    }

    #[test]
    fn too_many_changes_are_one_of_everything() {
        let mut unsaid = Unsaid::default();
        for number in 0..=MOST {
            unsaid.forget(&place(&format!("/{number}")));
        }
        assert!(unsaid.is_about(&place("/never-seen").name()));
        let (purges, changes) = unsaid.some();
        assert_eq!((purges.len(), changes.len()), (1, 0));
        unsaid.purge_was_said(purges[0].0);
        assert!(unsaid.is_empty());
    }
}
