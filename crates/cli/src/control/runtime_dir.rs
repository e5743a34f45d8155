//! The runtime directory of an instance: worker sockets, the admin socket, the preload script.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

/// The admin socket's name.
pub(crate) const ADMIN: &str = "admin.sock";
/// Held by the instance that the directory belongs to; holds its name, which the directory's own may only resemble.
const LOCK: &str = "lock";

/// A directory that belongs to this instance for as long as this is held.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    pub(crate) path: PathBuf,
    /// Workers' sockets; others may pass through it by name, not list it.
    pub(crate) sockets: PathBuf,
    _lock: File,
}

impl RuntimeDir {
    /// Makes the directory, or takes over the one that a dead instance of this name left.
    pub(crate) fn claim(name: &str) -> Result<Self, Failure> {
        let mut last = None;
        for path in candidates(name) {
            match make(&path) {
                Ok(()) => return Self::lock(path, name),
                Err(error) => last = Some((path, error)),
            }
        }
        let (path, error) =
            last.unwrap_or_else(|| (PathBuf::from("/run"), io::ErrorKind::NotFound.into()));
        Err(Failure::machine(format!(
            "no folder for sockets: `{}` cannot be made: {error}; name one with MAINSTAY_RUNTIME_DIR",
            path.display()
        )))
    }

    fn lock(path: PathBuf, name: &str) -> Result<Self, Failure> {
        let machine = |error: io::Error| Failure::machine(format!("`{}`: {error}", path.display()));
        let mut lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(machine)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::usage(format!(
                "an instance `{name}` is already running (it holds `{}`); stop it, or give this one another `--name`",
                path.display()
            )));
        }
        lock.set_len(0)
            .and_then(|()| lock.write_all(name.as_bytes()))
            .map_err(machine)?;
        let sockets = path.join("w");
        // what a dead instance left: nobody listens there
        let _ = std::fs::remove_dir_all(&sockets);
        make(&sockets).map_err(machine)?;
        let _ = std::fs::remove_file(path.join(ADMIN));
        Ok(Self {
            path,
            sockets,
            _lock: lock,
        })
    }

    /// Lets other users pass through the folder of sockets: each socket says itself who may connect.
    pub(crate) fn let_pass(&self) -> io::Result<()> {
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o711))?;
        std::fs::set_permissions(&self.sockets, Permissions::from_mode(0o711))
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Running instances of this user: name and admin socket.
pub(crate) fn instances() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut add = |path: &Path| {
        let socket = path.join(ADMIN);
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            let name = std::fs::read_to_string(path.join(LOCK)).unwrap_or_default();
            found.push((name, socket));
        }
    };
    if let Some(own) = std::env::var_os("MAINSTAY_RUNTIME_DIR") {
        add(Path::new(&own));
    } else {
        for parent in parents() {
            for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
                add(&entry.path());
            }
        }
    }
    found
}

fn candidates(name: &str) -> Vec<PathBuf> {
    for variable in ["MAINSTAY_RUNTIME_DIR", "RUNTIME_DIRECTORY"] {
        if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
            return vec![path.into()];
        }
    }
    let usual = |byte: char| byte.is_ascii_alphanumeric() || "-_.".contains(byte);
    let folder: String = name
        .chars()
        .map(|byte| if usual(byte) { byte } else { '-' })
        .take(32)
        .collect();
    parents()
        .into_iter()
        .map(|parent| parent.join(&folder))
        .collect()
}

fn parents() -> Vec<PathBuf> {
    let uid = rustix::process::geteuid();
    let mut parents = Vec::new();
    if uid.is_root() {
        parents.push(PathBuf::from("/run/mainstay"));
    }
    if let Some(own) = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
        parents.push(PathBuf::from(own).join("mainstay"));
    }
    parents.push(std::env::temp_dir().join(format!("mainstay-{}", uid.as_raw())));
    parents
}

/// Makes a folder that is ours alone, with those above it. One that is there must be ours: in `/tmp`
/// somebody else could have made it first.
fn make(path: &Path) -> io::Result<()> {
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
