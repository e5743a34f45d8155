//! Who answers for each target now. Kept by the control plane, told to every gateway.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_config::UpstreamSettings;
use mainstay_proxy::{Address, Trial};
use mainstay_supervisor::WorkerId;
use mainstay_supervisor::events::{Endpoint, ReadyWorker};
use mainstay_values::Address as Written;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::gateway::FOLDER_FD;
use crate::protocol::Member;

/// All targets' members.
#[derive(Debug)]
pub(super) struct Members {
    /// The folder of the workers' sockets.
    folder: PathBuf,
    targets: BTreeMap<String, Vec<Entry>>,
    /// Workers that were taken out of rotation, until nobody works on them any more.
    leaving: HashMap<u64, WorkerId>,
    /// By app, while a release of it is on trial.
    trials: HashMap<String, OnTrial>,
    next_id: u64,
}

/// The same for the next program. Nobody is tried out then.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MembersState {
    targets: BTreeMap<String, Vec<Entry>>,
    leaving: Vec<(u64, WorkerId)>,
    next_id: u64,
}

/// A release that is being tried out.
#[derive(Clone, Debug)]
pub(super) struct OnTrial {
    /// Those that are new; some may not have come up yet.
    pub(super) workers: Vec<WorkerId>,
    /// About so many of a hundred requests go to them; absent: what falls to them.
    pub(super) share: Option<u8>,
    /// Answers of all that take longer are counted apart; absent: none are.
    pub(super) slow_after: Option<Duration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    member: Member,
    /// None for a server that runs elsewhere.
    worker: Option<WorkerId>,
}

impl Members {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            targets: BTreeMap::new(),
            leaving: HashMap::new(),
            trials: HashMap::new(),
            next_id: 0,
        }
    }

    pub(super) fn state(&self) -> MembersState {
        let leaving = self.leaving.iter();
        MembersState {
            targets: self.targets.clone(),
            leaving: leaving.map(|(id, worker)| (*id, worker.clone())).collect(),
            next_id: self.next_id,
        }
    }

    pub(super) fn take_up(state: MembersState, folder: PathBuf) -> Self {
        Self {
            targets: state.targets,
            leaving: state.leaving.into_iter().collect(),
            next_id: state.next_id,
            ..Self::new(folder)
        }
    }

    /// A worker is ready; an earlier process of the same worker is gone with it. One that listens nowhere is no member.
    pub(super) fn add(&mut self, ready: &ReadyWorker) {
        let worker = &ready.worker;
        let Some(endpoint) = &ready.endpoint else {
            return;
        };
        let address = match endpoint {
            Endpoint::Tcp(address) => Address::Tcp(*address),
            Endpoint::Unix(path) => Address::Unix(self.by_folder(path)),
        };
        let member = Member {
            id: self.id(),
            name: format!("{}/{}", worker.app, worker.index),
            address,
            trial: None,
        };
        let members = self.targets.entry(worker.app.to_string()).or_default();
        members.retain(|entry| entry.worker.as_ref() != Some(worker));
        members.push(Entry {
            member,
            worker: Some(worker.clone()),
        });
    }

    /// A worker is gone. Whether it was there.
    pub(super) fn remove(&mut self, worker: &WorkerId) -> bool {
        self.take(worker).is_some()
    }

    /// A worker shall get nothing new; [`Members::released`] knows it until it is gone. Whether it was there.
    pub(super) fn withdraw(&mut self, worker: &WorkerId) -> bool {
        let Some(id) = self.take(worker) else {
            return false;
        };
        self.leaving.insert(id, worker.clone());
        true
    }

    /// Nobody works on this member any more: the worker that waits for that, if one does.
    pub(super) fn released(&mut self, id: u64) -> Option<WorkerId> {
        self.leaving.remove(&id)
    }

    /// A worker has ended: nothing waits for it.
    pub(super) fn forget(&mut self, worker: &WorkerId) {
        self.leaving.retain(|_, leaving| leaving != worker);
    }

    /// Which worker a member is.
    pub(super) fn worker(&self, id: u64) -> Option<&WorkerId> {
        let mut members = self.targets.values().flatten();
        members
            .find(|entry| entry.member.id == id)
            .and_then(|entry| entry.worker.as_ref())
            .or_else(|| self.leaving.get(&id))
    }

    /// The member that a worker is.
    pub(super) fn number(&self, worker: &WorkerId) -> Option<u64> {
        let mut members = self.targets.values().flatten();
        let member = members.find(|entry| entry.worker.as_ref() == Some(worker));
        let leaving = || {
            let mut leaving = self.leaving.iter();
            leaving.find(|(_, leaving)| *leaving == worker)
        };
        member
            .map(|entry| entry.member.id)
            .or_else(|| leaving().map(|(id, _)| *id))
    }

    /// Servers as members of an upstream. One that was there keeps its number, and with it the connections to it.
    pub(super) fn numbered(&mut self, servers: Servers) -> (String, Vec<Member>) {
        let known = self.of(&servers.upstream);
        let number = |(name, address): (String, Address)| {
            let same = |member: &&Member| member.name == name && member.address == address;
            let id = known.iter().find(same).map(|member| member.id);
            Member {
                id: id.unwrap_or_else(|| self.id()),
                name,
                address,
                trial: None,
            }
        };
        let members = servers.addresses.into_iter().map(number).collect();
        (servers.upstream, members)
    }

    /// These servers answer for an upstream from now on.
    pub(super) fn set_servers(&mut self, upstream: &str, servers: Vec<Member>) {
        let entries = servers.into_iter().map(|member| Entry {
            member,
            worker: None,
        });
        self.targets.insert(upstream.to_owned(), entries.collect());
    }

    /// A target is no longer wanted.
    pub(super) fn drop_target(&mut self, target: &str) {
        self.targets.remove(target);
        self.trials.remove(target);
    }

    /// Some workers of an app are on trial from now on, and the others are what they are compared with; or that
    /// is over.
    pub(super) fn set_trial(&mut self, app: &str, trial: Option<OnTrial>) {
        match trial {
            Some(trial) => drop(self.trials.insert(app.to_owned(), trial)),
            None => drop(self.trials.remove(app)),
        }
    }

    /// Who answers for a target.
    pub(super) fn of(&self, target: &str) -> Vec<Member> {
        let entries = self.targets.get(target).into_iter().flatten();
        let trial = self.trials.get(target);
        let member = |entry: &Entry| Member {
            trial: trial.map(|trial| {
                let is_new = entry
                    .worker
                    .as_ref()
                    .is_some_and(|worker| trial.workers.contains(worker));
                Trial {
                    share: trial.share.filter(|_| is_new),
                    slow_after_ms: trial
                        .slow_after
                        .map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
                }
            }),
            ..entry.member.clone()
        };
        entries.map(member).collect()
    }

    /// How many a target has.
    pub(super) fn count(&self, target: &str) -> usize {
        self.targets.get(target).map_or(0, Vec::len)
    }

    fn take(&mut self, worker: &WorkerId) -> Option<u64> {
        let members = self.targets.get_mut(&*worker.app)?;
        let index = members
            .iter()
            .position(|entry| entry.worker.as_ref() == Some(worker))?;
        Some(members.remove(index).member.id)
    }

    /// A worker's socket by the folder that the gateway holds open: it need not be allowed to walk there,
    /// and the path cannot be too long.
    fn by_folder(&self, path: &Path) -> PathBuf {
        let held = Path::new("/proc/self/fd").join(FOLDER_FD.to_string());
        path.strip_prefix(&self.folder)
            .map_or_else(|_| path.to_path_buf(), |below| held.join(below))
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// The servers of an upstream, as they can be reached.
#[derive(Debug)]
pub(crate) struct Servers {
    upstream: String,
    /// With their names.
    addresses: Vec<(String, Address)>,
}

impl Servers {
    /// Looks names up, which takes as long as it takes: not for the event loop.
    pub(crate) fn resolve(upstream: &UpstreamSettings) -> Result<Self, Failure> {
        let address = |server: &Written| {
            let address = resolve(server).ok_or_else(|| {
                Failure::machine(format!(
                    "upstream `{}`: the name in `{server}` cannot be resolved; check it, or write the address",
                    upstream.name
                ))
            })?;
            Ok((format!("{}/{server}", upstream.name), address))
        };
        let addresses = upstream.servers.iter().map(address);
        Ok(Self {
            upstream: upstream.name.clone(),
            addresses: addresses.collect::<Result<_, Failure>>()?,
        })
    }

    /// Each with its name.
    pub(crate) fn addresses(&self) -> &[(String, Address)] {
        &self.addresses
    }
}

fn resolve(server: &Written) -> Option<Address> {
    match server {
        Written::Unix(path) => Some(Address::Unix(path.clone())),
        Written::Socket(address) => Some(Address::Tcp(*address)),
        Written::Port(port) => Some(Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))),
        Written::Name { host, port } => {
            let mut found: Vec<_> = (host.as_str(), *port).to_socket_addrs().ok()?.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            found.into_iter().next().map(Address::Tcp)
        }
    }
}
