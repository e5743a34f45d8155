//! The runtime directory of an instance: worker sockets, the admin socket, the preload script.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mainstay_supervisor::node;
use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;
use crate::state::{Record, folder_name, home, make_private as make};

/// The admin socket's name.
pub(crate) const ADMIN: &str = "admin.sock";
/// Workers' sockets are below this; the name is short because paths of sockets are.
const SOCKETS: &str = "w";
/// Held by the instance that the directory belongs to; holds its name, which the directory's own may only resemble.
pub(crate) const LOCK: &str = "lock";

/// A directory that belongs to this instance for as long as this is held.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    pub(crate) path: PathBuf,
    /// Workers' sockets; others may pass through it by name, not list it.
    pub(crate) sockets: PathBuf,
    lock: File,
}

impl RuntimeDir {
    /// Makes the directory, or takes over the one that a dead instance of this name left.
    pub(crate) fn claim(name: &str) -> Result<Self, Failure> {
        let mut last = None;
        for path in candidates(name) {
            match nobody_elses(&path).and_then(|()| make(&path)) {
                Ok(()) => return Self::lock(path, name),
                Err(error) => last = Some((path, error)),
            }
        }
        Err(no_folder(last))
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
        let sockets = path.join(SOCKETS);
        // what a dead instance left: nobody listens there
        let _ = std::fs::remove_dir_all(&sockets);
        make(&sockets).map_err(machine)?;
        let _ = std::fs::remove_file(path.join(ADMIN));
        Ok(Self {
            path,
            sockets,
            lock,
        })
    }

    /// One that the program before has claimed, with its lock.
    pub(super) fn take_up(path: PathBuf, lock: OwnedFd) -> Self {
        Self {
            sockets: path.join(SOCKETS),
            path,
            lock: lock.into(),
        }
    }

    /// Another descriptor for the lock: as long as it is open, the directory is claimed.
    pub(super) fn lock_descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.lock.try_clone()?.into())
    }

    /// Lets other users pass through the folder of sockets: each socket says itself who may connect.
    pub(crate) fn let_pass(&self) -> io::Result<()> {
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o711))?;
        std::fs::set_permissions(&self.sockets, Permissions::from_mode(0o711))
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        // only what we made: the folder may have been named by somebody, and may hold more by now
        let _ = std::fs::remove_dir_all(&self.sockets);
        for file in [ADMIN, node::PRELOAD_NAME, LOCK] {
            let _ = std::fs::remove_file(self.path.join(file));
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// The folder that an instance of this name would get. Makes nothing.
pub(crate) fn choose(name: &str) -> Result<PathBuf, Failure> {
    let mut last = None;
    for path in candidates(name) {
        match nobody_elses(&path).and_then(|()| could_be_made(&path)) {
            Ok(()) => return Ok(path),
            Err(error) => last = Some((path, error)),
        }
    }
    Err(no_folder(last))
}

/// Whether the nearest folder that is there may be written to.
fn could_be_made(path: &Path) -> io::Result<()> {
    let there = path.ancestors().find(|folder| folder.exists());
    let there = there.ok_or(io::ErrorKind::NotFound)?;
    Ok(rustix::fs::access(there, rustix::fs::Access::WRITE_OK)?)
}

fn no_folder(last: Option<(PathBuf, io::Error)>) -> Failure {
    let (path, error) =
        last.unwrap_or_else(|| (PathBuf::from("/run"), io::ErrorKind::NotFound.into()));
    Failure::machine(format!(
        "no folder for sockets: `{}` cannot be used: {error}; name another with MAINSTAY_RUNTIME_DIR",
        path.display()
    ))
}

/// Running instances of this user: name and admin socket.
pub(crate) fn instances() -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    let mut add = |path: &Path| {
        let socket = path.join(ADMIN);
        let is_known = found.iter().any(|(_, known)| *known == socket);
        if !is_known && std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            let name = std::fs::read_to_string(path.join(LOCK)).unwrap_or_default();
            found.push((name, socket));
        }
    };
    let named = std::env::var_os("MAINSTAY_RUNTIME_DIR").filter(|path| !path.is_empty());
    if let Some(own) = named {
        add(Path::new(&own));
    } else {
        for parent in parents() {
            for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
                add(&entry.path());
            }
        }
        // those that were started with another folder
        for (_, record) in Record::all() {
            if let Ok(record) = record {
                add(&record.runtime);
            }
        }
    }
    found.sort();
    found
}

fn candidates(name: &str) -> Vec<PathBuf> {
    for variable in ["MAINSTAY_RUNTIME_DIR", "RUNTIME_DIRECTORY"] {
        if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
            return vec![path.into()];
        }
    }
    let folder = folder_name(name);
    parents()
        .into_iter()
        .map(|parent| parent.join(&folder))
        .collect()
}

fn parents() -> Vec<PathBuf> {
    if let Some(home) = home() {
        return vec![home.join("run")];
    }
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

/// A folder in which others keep something is not taken: we would set its rights, and remove what has our names.
fn nobody_elses(path: &Path) -> io::Result<()> {
    let is_ours = path.join(LOCK).exists();
    let is_empty = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if is_ours || is_empty {
        return Ok(());
    }
    Err(io::Error::other(
        "it is not empty, and no instance has used it before",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_others_is_not_taken_and_nothing_of_theirs_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        std::fs::create_dir(path.join("w")).unwrap();
        assert!(nobody_elses(&path).is_err());
        std::fs::remove_dir(path.join("w")).unwrap();
        nobody_elses(&path).unwrap();
        nobody_elses(&path.join("absent")).unwrap();

        let claimed = RuntimeDir::lock(path.clone(), "shop").unwrap();
        nobody_elses(&path).expect("ours from the last time");
        std::fs::write(path.join("notes.txt"), "theirs").unwrap();
        drop(claimed);
        let left: Vec<_> = std::fs::read_dir(&path).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].file_name(), "notes.txt");
    }
}
