//! Which gateways still work on members that left. Pure bookkeeping: nobody is told anything here.

use std::collections::{HashMap, HashSet};

use crate::protocol::Member;

/// Members that left, and the generations that have not let go of them.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Holds(HashMap<u64, HashSet<u64>>);

impl Holds {
    /// Members change from `before` to `after` while these generations live. Gives those whom nobody holds.
    pub(super) fn change(
        &mut self,
        before: &[Member],
        after: &[Member],
        generations: &HashSet<u64>,
    ) -> Vec<u64> {
        for member in after {
            self.0.remove(&member.id);
        }
        for member in before {
            if after.iter().all(|kept| kept.id != member.id) {
                self.0.insert(member.id, generations.clone());
            }
        }
        self.free()
    }

    /// A generation holds these no longer. Gives those whom nobody holds now.
    pub(super) fn released(&mut self, generation: u64, ids: &[u64]) -> Vec<u64> {
        for id in ids {
            if let Some(holders) = self.0.get_mut(id) {
                holders.remove(&generation);
            }
        }
        self.free()
    }

    /// A generation has ended, and with it all it held.
    pub(super) fn ended(&mut self, generation: u64) -> Vec<u64> {
        for holders in self.0.values_mut() {
            holders.remove(&generation);
        }
        self.free()
    }

    fn free(&mut self) -> Vec<u64> {
        let mut free: Vec<u64> = self
            .0
            .extract_if(|_, holders| holders.is_empty())
            .map(|(id, _)| id)
            .collect();
        free.sort_unstable();
        free
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mainstay_proxy::Address;

    use super::*;

    fn members<const N: usize>(ids: [u64; N]) -> Vec<Member> {
        ids.map(|id| Member {
            id,
            name: format!("api/{id}"),
            address: Address::Unix(PathBuf::new()),
            trial: None,
        })
        .into()
    }

    #[test]
    fn a_member_is_free_when_every_generation_has_let_go() {
        let mut holds = Holds::default();
        let left = holds.change(&members([1, 2, 3]), &members([3]), &[7, 8].into());
        assert_eq!(left, [0; 0]);
        assert_eq!(holds.released(7, &[1, 2]), [0; 0]);
        assert_eq!(holds.released(8, &[2]), [2]);
        assert_eq!(holds.released(8, &[2]), [0; 0], "said once");
        assert_eq!(holds.ended(8), [1]);
    }

    #[test]
    fn without_a_gateway_everybody_is_free_at_once() {
        let mut holds = Holds::default();
        let left = holds.change(&members([1, 2]), &members([]), &[].into());
        assert_eq!(left, [1, 2]);
    }

    #[test]
    fn who_comes_back_is_not_leaving() {
        let mut holds = Holds::default();
        holds.change(&members([1]), &members([]), &[7].into());
        holds.change(&members([]), &members([1]), &[7].into());
        assert_eq!(holds.ended(7), [0; 0]);
    }
}
