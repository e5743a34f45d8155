//! The members of one target as one thread sees them: whom to ask, and warm connections to each.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::link::Link;
use crate::options::UpstreamOptions;

use super::endpoint::Endpoint;

/// A connection is not used again so shortly before its origin may close it.
const MARGIN: Duration = Duration::from_secs(1);
/// A connection that has been idle for longer than this is looked at before it is used.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// A target's members.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: RefCell<Vec<Rc<Member>>>,
}

/// One member and this thread's idle connections to it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) endpoint: Arc<Endpoint>,
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
    keep: Duration,
}

impl Group {
    /// Replaces the members; those who stay keep their connections.
    pub(super) fn set(&self, endpoints: &[Arc<Endpoint>]) {
        let mut members = self.members.borrow_mut();
        let kept = |endpoint: &Arc<Endpoint>| {
            members
                .iter()
                .find(|member| member.endpoint.id == endpoint.id)
                .map(Rc::clone)
        };
        let next = endpoints
            .iter()
            .map(|endpoint| {
                kept(endpoint).unwrap_or_else(|| {
                    Rc::new(Member {
                        endpoint: Arc::clone(endpoint),
                        idle: RefCell::default(),
                    })
                })
            })
            .collect();
        *members = next;
    }

    /// The member with the fewest requests in flight, one at random of several; not `except`, unless
    /// there is nobody else.
    pub(super) fn pick(&self, except: Option<u64>) -> Option<Rc<Member>> {
        let members = self.members.borrow();
        if let [only] = &members[..] {
            return Some(Rc::clone(only));
        }
        let mut best: Option<(usize, &Rc<Member>)> = None;
        let mut ties = 0;
        for member in members
            .iter()
            .filter(|member| Some(member.endpoint.id) != except)
        {
            let load = member.endpoint.in_flight();
            match best {
                Some((least, _)) if load > least => {}
                Some((least, _)) if load == least => {
                    ties += 1;
                    if fastrand::usize(..=ties) == 0 {
                        best = Some((load, member));
                    }
                }
                _ => {
                    ties = 0;
                    best = Some((load, member));
                }
            }
        }
        best.map(|(_, member)| Rc::clone(member))
    }
}

impl Member {
    /// The warmest connection that is surely still good.
    pub(super) fn take_idle(&self, now: Instant) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        while let Some(candidate) = idle.pop() {
            let age = now.saturating_duration_since(candidate.since);
            if age >= candidate.keep {
                // those below have been idle for longer
                idle.clear();
                return None;
            }
            if age < LOOK_AFTER || candidate.link.is_quiet() {
                return Some(candidate.link);
            }
        }
        None
    }

    /// Keeps a connection for later, for as long as the origin surely keeps it.
    pub(super) fn give_back(
        &self,
        mut link: Link,
        said: Option<Duration>,
        options: &UpstreamOptions,
        now: Instant,
    ) {
        let keep = said.map_or(options.idle, |said| said.saturating_sub(MARGIN));
        let mut idle = self.idle.borrow_mut();
        if !keep.is_zero() && idle.len() < options.idle_connections {
            link.rest();
            idle.push(Idle {
                link,
                since: now,
                keep,
            });
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        self.idle
            .borrow_mut()
            .retain(|idle| idle.since.elapsed() < idle.keep);
    }

    /// Closes all idle connections: the origin restarted.
    pub(super) fn forget_idle(&self) {
        self.idle.borrow_mut().clear();
    }
}

impl Group {
    /// See [`Member::sweep`].
    pub(super) fn sweep(&self) {
        self.members
            .borrow()
            .iter()
            .for_each(|member| member.sweep());
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::{Address, InFlight};
    use super::*;
    use std::collections::HashSet;

    fn endpoints(count: u64) -> Vec<Arc<Endpoint>> {
        let address = Address::Unix("/nowhere".into());
        (0..count)
            .map(|id| Arc::new(Endpoint::new(id, format!("api/{id}"), address.clone())))
            .collect()
    }

    #[test]
    fn the_least_busy_is_asked_and_ties_fall_at_random() {
        let (group, endpoints) = (Group::default(), endpoints(3));
        group.set(&endpoints);
        let _busy = InFlight::begin(&endpoints[1]);
        let picked: HashSet<u64> = (0..200)
            .filter_map(|_| group.pick(None))
            .map(|member| member.endpoint.id)
            .collect();
        assert_eq!(picked, HashSet::from([0, 2]));
    }

    #[test]
    fn a_second_attempt_goes_elsewhere_if_there_is_anybody() {
        let group = Group::default();
        assert!(group.pick(None).is_none());
        group.set(&endpoints(2));
        assert!((0..50).all(|_| {
            group
                .pick(Some(0))
                .is_some_and(|member| member.endpoint.id == 1)
        }));
        group.set(&endpoints(1));
        assert_eq!(
            group.pick(Some(0)).map(|member| member.endpoint.id),
            Some(0)
        );
    }
}
