//! Who answers for each target now. Kept by the control plane, told to every gateway.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use mainstay_config::UpstreamSettings;
use mainstay_proxy::Address;
use mainstay_supervisor::WorkerId;
use mainstay_supervisor::events::{Endpoint, ReadyWorker};
use mainstay_values::Address as Written;

use crate::failure::Failure;
use crate::gateway::FOLDER_FD;
use crate::protocol::Member;

/// All targets' members.
#[derive(Debug)]
pub(super) struct Members {
    /// The folder of the workers' sockets.
    folder: PathBuf,
    targets: Vec<Vec<Member>>,
    next_id: u64,
}

impl Members {
    pub(super) fn new(targets: usize, folder: PathBuf) -> Self {
        Self {
            folder,
            targets: vec![Vec::new(); targets],
            next_id: 0,
        }
    }

    /// A worker is ready; an earlier process of the same worker is gone with it.
    pub(super) fn add(&mut self, target: usize, worker: &ReadyWorker) -> Option<&[Member]> {
        let name = name_of(&worker.worker);
        let address = match &worker.endpoint {
            Endpoint::Tcp(address) => Address::Tcp(*address),
            Endpoint::Unix(path) => Address::Unix(self.by_folder(path)),
        };
        let id = self.id();
        let members = self.targets.get_mut(target)?;
        members.retain(|member| member.name != name);
        members.push(Member { id, name, address });
        Some(members)
    }

    /// A worker is gone. None if it was not there.
    pub(super) fn remove(&mut self, target: usize, worker: &WorkerId) -> Option<&[Member]> {
        let name = name_of(worker);
        let members = self.targets.get_mut(target)?;
        let before = members.len();
        members.retain(|member| member.name != name);
        if members.len() == before {
            None
        } else {
            Some(members)
        }
    }

    /// The servers of an upstream.
    pub(super) fn set_upstream(
        &mut self,
        target: usize,
        upstream: &UpstreamSettings,
    ) -> Result<(), Failure> {
        let mut found = Vec::new();
        for server in &upstream.servers {
            let id = self.id();
            let address = resolve(server).ok_or_else(|| {
                Failure::machine(format!(
                    "upstream `{}`: the name in `{server}` cannot be resolved; check it, or write the address",
                    upstream.name
                ))
            })?;
            found.push(Member {
                id,
                name: format!("{}/{server}", upstream.name),
                address,
            });
        }
        if let Some(members) = self.targets.get_mut(target) {
            *members = found;
        }
        Ok(())
    }

    /// Who answers for a target.
    pub(super) fn of(&self, target: usize) -> &[Member] {
        self.targets.get(target).map_or(&[], Vec::as_slice)
    }

    /// How many a target has.
    pub(super) fn count(&self, target: usize) -> usize {
        self.targets.get(target).map_or(0, Vec::len)
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

fn name_of(worker: &WorkerId) -> String {
    format!("{}/{}", worker.app, worker.index)
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
