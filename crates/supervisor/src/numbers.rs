//! The numbers by which people know workers, and workers themselves (`pm_id`). Handed out by whoever uses this crate: they
//! are unique beyond one supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers by app and index. All clones are one table.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    table: Arc<Mutex<BTreeMap<String, Vec<u32>>>>,
}

impl Numbers {
    /// Workers of `app` that are started from now on have these numbers, in their order.
    pub fn set(&self, app: &str, numbers: Vec<u32>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(app.to_owned(), numbers);
    }

    /// That of one worker. Without a word about it, it is known by its place in its app.
    pub fn of(&self, app: &str, index: u32) -> u32 {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = table.get(app);
        let number = numbers.and_then(|numbers| numbers.get(index as usize));
        number.copied().unwrap_or(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_a_number_has_its_index() {
        let numbers = Numbers::default();
        numbers.clone().set("api", vec![7, 3]);
        let found = [("api", 0), ("api", 1), ("api", 2), ("web", 4)];
        let found = found.map(|(app, index)| numbers.of(app, index));
        assert_eq!(found, [7, 3, 2, 4]);
    }
}
