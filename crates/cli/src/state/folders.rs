//! Where state and log files stand, for this user. Looks at nothing in them.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// One folder for everything, for whoever wants it elsewhere: `run`, `state` and `log` are made below it.
pub(crate) fn home() -> Option<PathBuf> {
    let named = variable("MAINSTAY_HOME")?;
    std::path::absolute(named).ok()
}

/// The folder below which each instance has its own.
///
/// # Errors
/// When nothing says where this user keeps state.
pub(crate) fn state_folder() -> Result<PathBuf, Failure> {
    if let Some(home) = home() {
        return Ok(home.join("state"));
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/mainstay"));
    }
    // relative paths are to be ignored (XDG Base Directory, "Basics")
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let own = absolute("XDG_STATE_HOME");
    let usual = || Some(absolute("HOME")?.join(".local/state"));
    let parent = own.or_else(usual).ok_or_else(|| {
        Failure::machine(
            "no folder for state: neither XDG_STATE_HOME nor HOME says where; name one with MAINSTAY_HOME",
        )
    })?;
    Ok(parent.join("mainstay"))
}

/// Where the log files of an instance stand.
pub(crate) fn log_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = folder_name(name);
    if let Some(home) = home() {
        return Ok(home.join("log").join(folder));
    }
    if rustix::process::geteuid().is_root() {
        return Ok(Path::new("/var/log/mainstay").join(folder));
    }
    Ok(state_folder()?.join(folder))
}

/// What an instance's folders are called: a path of one part, short enough for sockets below it.
pub(crate) fn folder_name(name: &str) -> String {
    let usual = |byte: char| byte.is_ascii_alphanumeric() || "-_.".contains(byte);
    let spelled = name
        .chars()
        .map(|byte| if usual(byte) { byte } else { '-' });
    let folder: String = spelled.take(32).collect();
    // the two that mean other folders
    match folder.as_str() {
        "" | "." | ".." => "-".to_owned(),
        _ => folder,
    }
}

/// Makes a folder that is ours alone, with those above it. One that is there must be ours: in `/tmp`
/// somebody else could have made it first.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to somebody else",
        ));
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_part_of_a_path() {
        let long = "x".repeat(40);
        for (name, folder) in [
            ("shop", "shop"),
            ("my shop/éàü", "my-shop----"),
            ("..", "-"),
            ("", "-"),
            (&long, &long[..32]),
        ] {
            assert_eq!(folder_name(name), folder);
        }
    }
}
