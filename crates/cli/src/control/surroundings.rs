//! What an instance finds and makes around itself before it starts anything: identities, folders, defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use mainstay_config::Settings;
use mainstay_pipeline::DebugToken;
use mainstay_supervisor::identity::Identity;

use crate::failure::Failure;

/// As whom the gateway runs: as the settings say; as nobody when we are root; else as we.
pub(crate) fn gateway_identity(settings: &Settings) -> Result<Option<Identity>, Failure> {
    let resolve = |user: &str| {
        Identity::resolve(user, settings.group.as_deref())
            .map(Some)
            .map_err(|error| Failure::usage(format!("the gateway's user: {error}")))
    };
    match &settings.user {
        Some(user) => resolve(user),
        None if rustix::process::geteuid().is_root() && may_become(NOBODY) => {
            // 65534 is nobody everywhere, with or without an entry
            Ok(resolve("nobody").unwrap_or(Some(Identity {
                uid: NOBODY,
                gid: NOBODY,
            })))
        }
        None => Ok(None),
    }
}

/// The user and group without rights.
const NOBODY: u32 = 65_534;

/// Whether root can do here what root usually can: in a container its capabilities may have been dropped, and in a user
/// namespace others may not exist. Then there is nobody to become, and little to be gained by it.
fn may_become(user: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let maps = [read("/proc/self/uid_map"), read("/proc/self/gid_map")];
    has_capabilities(&read("/proc/self/status")) && maps.iter().all(|map| maps_to(map, user))
}

/// CHOWN, KILL, SETGID and SETUID are in effect: to give sockets away, to become another, and to end it then.
fn has_capabilities(status: &str) -> bool {
    const NEEDED: u64 = 1 | 1 << 5 | 1 << 6 | 1 << 7;
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & NEEDED == NEEDED)
}

/// Whether a map of a user namespace (`INSIDE OUTSIDE COUNT` in each line) has this number inside.
fn maps_to(map: &str, number: u32) -> bool {
    let covers = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(inside)), _, Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        (inside..inside.saturating_add(count)).contains(&u64::from(number))
    };
    map.lines().any(covers)
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

/// Whoever knows it is told how answers come about.
pub(super) fn debug_token() -> Result<DebugToken, Failure> {
    unguessable().map(DebugToken::new)
}

/// 128 bits that nobody can guess, as hex.
pub(crate) fn unguessable() -> Result<String, Failure> {
    use std::fmt::Write as _;
    use std::io::Read as _;
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| Failure::machine(format!("`/dev/urandom`: {error}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_without_its_rights_is_known() {
        for (mask, expected) in [
            ("000001ffffffffff", true),
            ("00000000a80425fb", true), // what Docker leaves
            ("0000000000000000", false),
            ("00000000a804253b", false), // without SETUID and SETGID
        ] {
            let status = format!("Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t{mask}\n");
            assert_eq!(has_capabilities(&status), expected, "{mask}");
        }
        assert!(!has_capabilities(""));
    }

    #[test]
    fn a_user_that_does_not_exist_in_the_namespace_is_known() {
        for (map, expected) in [
            ("         0          0 4294967295\n", true),
            ("         0       1000          1\n", false),
            ("0 1000 1\n1 100000 65536\n", true),
            ("", false),
        ] {
            assert_eq!(maps_to(map, NOBODY), expected, "{map:?}");
        }
    }
}
