//! The members of one target as one thread sees them: whom to ask, and warm connections to each.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::curfew::Curfew;
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
    /// The part of a hundred requests that those with a share get together, while there are such.
    share: Cell<Option<u8>>,
    /// Those who left, while something runs on them.
    leaving: RefCell<Vec<Weak<Member>>>,
}

/// One member and this thread's idle connections to it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) endpoint: Arc<Endpoint>,
    /// When what runs on it has to end.
    pub(super) curfew: Curfew,
    idle: RefCell<Vec<Idle>>,
    has_left: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
    keep: Duration,
}

impl Group {
    /// Replaces the members; those who stay keep their connections, those who leave only the busy ones. What
    /// runs on anybody who has left has to end after `leave_within`; without it, it takes its time.
    pub(super) fn set(&self, endpoints: &[Arc<Endpoint>], leave_within: Option<Duration>) {
        let share = endpoints.iter().find_map(|endpoint| endpoint.share());
        self.share.set(share);
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
                        curfew: Curfew::default(),
                        idle: RefCell::default(),
                        has_left: Cell::new(false),
                    })
                })
            })
            .collect();
        let before = std::mem::replace(&mut *members, next);
        let mut leaving = self.leaving.borrow_mut();
        leaving.retain(|member| member.strong_count() > 0);
        for member in before {
            if !endpoints.iter().any(|kept| kept.id == member.endpoint.id) {
                member.has_left.set(true);
                member.forget_idle();
                leaving.push(Rc::downgrade(&member));
            }
        }
        if let Some(within) = leave_within {
            let by = Instant::now() + within;
            for member in leaving.iter().filter_map(Weak::upgrade) {
                member.curfew.set(by, by);
            }
        }
    }

    /// The member with the fewest requests in flight, one at random of several; not `except`, unless
    /// there is nobody else. While some have a share of their own, first it is chosen between them and the others.
    pub(super) fn pick(&self, except: Option<u64>) -> Option<Rc<Member>> {
        let members = self.members.borrow();
        if let [only] = &members[..] {
            return Some(Rc::clone(only));
        }
        let others = members
            .iter()
            .filter(|member| Some(member.endpoint.id) != except);
        if let Some(share) = self.share.get() {
            let on_trial = fastrand::u8(..100) < share;
            let side = others
                .clone()
                .filter(|member| member.endpoint.share().is_some() == on_trial);
            if let Some(member) = least_busy(side) {
                return Some(member);
            }
        }
        least_busy(others)
    }
}

/// One at random of those with the fewest requests in flight.
fn least_busy<'a>(members: impl Iterator<Item = &'a Rc<Member>>) -> Option<Rc<Member>> {
    let mut best: Option<(usize, &Rc<Member>)> = None;
    let mut ties = 0;
    for member in members {
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

impl Member {
    /// Whether it is no longer one of those who are asked.
    pub(super) fn has_left(&self) -> bool {
        self.has_left.get()
    }

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
        if !keep.is_zero() && idle.len() < options.idle_connections && !self.has_left.get() {
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
    /// Whether nobody is in it, and nothing runs on those who were.
    pub(super) fn is_over(&self) -> bool {
        let leaving = self.leaving.borrow();
        self.members.borrow().is_empty() && leaving.iter().all(|member| member.strong_count() == 0)
    }

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
    use super::super::trial::Trial;
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
        group.set(&endpoints, None);
        let _busy = InFlight::begin(&endpoints[1]);
        let picked: HashSet<u64> = (0..200)
            .filter_map(|_| group.pick(None))
            .map(|member| member.endpoint.id)
            .collect();
        assert_eq!(picked, HashSet::from([0, 2]));
    }

    #[test]
    fn those_with_a_share_get_about_that_part_of_the_requests() {
        let picks_of_new = |share, except| {
            let (group, endpoints) = (Group::default(), endpoints(4));
            endpoints[3].set_trial(Some(Trial {
                share,
                ..Trial::default()
            }));
            group.set(&endpoints, None);
            let picks = (0..4_000).filter_map(|_| group.pick(except));
            picks.filter(|member| member.endpoint.id == 3).count()
        };
        for (share, expected) in [
            (None, 800..1_200),
            (Some(10), 280..520),
            (Some(0), 0..1),
            (Some(100), 4_000..4_001),
        ] {
            let found = picks_of_new(share, None);
            assert!(expected.contains(&found), "{share:?}: {found}");
        }
        // where the side that was drawn has nobody, the other one is asked
        assert_eq!(picks_of_new(Some(100), Some(3)), 0);
    }

    #[test]
    fn when_only_those_with_a_share_are_left_they_get_everything() {
        let (group, endpoints) = (Group::default(), endpoints(2));
        for endpoint in &endpoints {
            endpoint.set_trial(Some(Trial {
                share: Some(0),
                ..Trial::default()
            }));
        }
        group.set(&endpoints, None);
        assert!((0..50).all(|_| group.pick(None).is_some()));
    }

    #[test]
    fn a_second_attempt_goes_elsewhere_if_there_is_anybody() {
        let group = Group::default();
        assert!(group.pick(None).is_none());
        group.set(&endpoints(2), None);
        assert!((0..50).all(|_| {
            group
                .pick(Some(0))
                .is_some_and(|member| member.endpoint.id == 1)
        }));
        group.set(&endpoints(1), None);
        assert_eq!(
            group.pick(Some(0)).map(|member| member.endpoint.id),
            Some(0)
        );
    }
}
