//! Users and groups by name or number, from `/etc/passwd` and `/etc/group`. Changes nobody's identity.

use std::path::Path;

use thiserror::Error;

/// As whom a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A user or group that cannot be had.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// Nobody of that name.
    #[error("no user `{0}` in /etc/passwd: create it, or give a number")]
    NoUser(String),
    /// No such group.
    #[error("no group `{0}` in /etc/group: create it, or give a number")]
    NoGroup(String),
    /// A number without an entry, so without a group of its own.
    #[error("user {0} has no entry in /etc/passwd, so its group is unknown: set `group` too")]
    NoPrimaryGroup(u32),
    /// Only root may become someone else.
    #[error("running as `{0}` needs root: start as root, or take `user` out")]
    NotRoot(String),
}

impl Identity {
    /// Finds `user` and `group` (names or numbers); the user's primary group when none is given.
    ///
    /// # Errors
    /// `NoUser`, `NoGroup`, `NoPrimaryGroup`; `NotRoot` if we may not become that user.
    pub fn resolve(user: &str, group: Option<&str>) -> Result<Self, IdentityError> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let identity = Self::from_files(user, group, &passwd, &groups)?;
        let own = rustix::process::geteuid();
        if !own.is_root() && own.as_raw() != identity.uid {
            return Err(IdentityError::NotRoot(user.to_owned()));
        }
        Ok(identity)
    }

    fn from_files(
        user: &str,
        group: Option<&str>,
        passwd: &str,
        groups: &str,
    ) -> Result<Self, IdentityError> {
        let entry = find(passwd, user);
        let uid = entry
            .and_then(|fields| number(fields, 2))
            .or_else(|| user.parse().ok())
            .ok_or_else(|| IdentityError::NoUser(user.to_owned()))?;
        let gid = match group {
            Some(group) => find(groups, group)
                .and_then(|fields| number(fields, 2))
                .or_else(|| group.parse().ok())
                .ok_or_else(|| IdentityError::NoGroup(group.to_owned()))?,
            None => entry
                .and_then(|fields| number(fields, 3))
                .ok_or(IdentityError::NoPrimaryGroup(uid))?,
        };
        Ok(Self { uid, gid })
    }
}

/// The number of a group, from its name or number.
///
/// # Errors
/// `NoGroup`.
pub fn group_id(group: &str) -> Result<u32, IdentityError> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let named = find(&groups, group).and_then(|fields| number(fields, 2));
    named
        .or_else(|| group.parse().ok())
        .ok_or_else(|| IdentityError::NoGroup(group.to_owned()))
}

/// The name of a user; its number where it has none.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let is_meant = |line: &&str| line.split(':').nth(2) == Some(number.as_str());
    let name = passwd
        .lines()
        .find(is_meant)
        .and_then(|line| line.split(':').next());
    name.map_or(number.clone(), str::to_owned)
}

/// Gives a file to someone. Needs root, unless it is ours already.
pub(crate) fn give(path: &Path, uid: Option<u32>, gid: Option<u32>) -> std::io::Result<()> {
    std::os::unix::fs::chown(path, uid, gid)
}

/// The line whose first field is `name`, or whose third is that number.
fn find<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    let by_name = |line: &&str| line.split(':').next() == Some(name);
    let by_number = |line: &&str| line.split(':').nth(2) == Some(name);
    file.lines()
        .find(by_name)
        .or_else(|| file.lines().find(by_number))
}

fn number(line: &str, field: usize) -> Option<u32> {
    line.split(':').nth(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napi:x:900:901::/srv:/bin/false\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:api\n";

    #[test]
    fn names_and_numbers_are_found() {
        let cases = [
            ("api", None, Some((900, 901))),
            ("900", None, Some((900, 901))),
            ("api", Some("web"), Some((900, 33))),
            ("api", Some("12"), Some((900, 12))),
            ("5000", Some("web"), Some((5000, 33))),
            ("5000", None, None),
            ("nobody-here", None, None),
            ("api", Some("no-group"), None),
        ];
        for (user, group, expected) in cases {
            let found = Identity::from_files(user, group, PASSWD, GROUP)
                .ok()
                .map(|identity| (identity.uid, identity.gid));
            assert_eq!(found, expected, "{user} {group:?}");
        }
    }
}
