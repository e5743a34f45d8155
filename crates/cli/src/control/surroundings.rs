//! What an instance finds and makes around itself before it starts anything: identities, folders, defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use mainstay_config::Settings;
use mainstay_supervisor::identity::Identity;

use crate::failure::Failure;

/// As whom the gateway runs: as the settings say; as nobody when we are root; else as we.
pub(super) fn gateway_identity(settings: &Settings) -> Result<Option<Identity>, Failure> {
    let resolve = |user: &str| {
        Identity::resolve(user, settings.group.as_deref())
            .map(Some)
            .map_err(|error| Failure::usage(format!("the gateway's user: {error}")))
    };
    match &settings.user {
        Some(user) => resolve(user),
        None if rustix::process::geteuid().is_root() => {
            // 65534 is nobody everywhere, with or without an entry
            Ok(resolve("nobody").unwrap_or(Some(Identity {
                uid: 65_534,
                gid: 65_534,
            })))
        }
        None => Ok(None),
    }
}

/// Opens a folder only to go through it: what is in it is reached by this descriptor.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Tells instances apart in `Via`.
pub(super) fn instance_id() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!(
        "{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    )
}

/// Sets `NODE_ENV` where nobody did, and says whether it had to.
pub(super) fn default_node_env(environment: &mut BTreeMap<OsString, OsString>) -> bool {
    let name = OsString::from("NODE_ENV");
    if environment.contains_key(&name) {
        return false;
    }
    environment.insert(name, OsString::from("production"));
    true
}

/// Load balancers of Kubernetes and ECS hear of a task's end at the same moment as the task: what they still send
/// must be taken.
pub(super) fn usual_shutdown_delay() -> Duration {
    const SIGNS: [&str; 2] = ["KUBERNETES_SERVICE_HOST", "ECS_CONTAINER_METADATA_URI_V4"];
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if SIGNS.into_iter().any(is_set) {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    }
}
