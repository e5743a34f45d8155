//! The file of a Unix socket: made, guarded, given to whom it is for, and removed if it still is ours. Accepts nothing.

use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use socket2::{Domain, SockAddr, Socket, Type};

use super::error::BindError;

/// Who may connect to a Unix socket: whoever may write to its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketAccess {
    /// The file's permissions, 0 to 0o777.
    pub mode: u32,
    /// The file's group; `None`: that of the control plane.
    pub group: Option<u32>,
}

impl Default for SocketAccess {
    fn default() -> Self {
        Self {
            mode: 0o660,
            group: None,
        }
    }
}

/// A socket's file. Removed when this goes, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// What it takes to know it again.
    pub(super) fn parts(&self) -> (PathBuf, (u64, u64)) {
        (self.path.clone(), self.identity)
    }

    /// One that is there already.
    pub(super) fn of((path, identity): (PathBuf, (u64, u64))) -> Self {
        Self { path, identity }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes a socket that is not listened on yet, so that nobody is let in before it is clear who may come. One that a dead
/// instance left is taken over.
pub(super) fn make(
    path: &Path,
    allowed: &SocketAccess,
) -> Result<(UnixListener, SocketFile), BindError> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(|source| other(path, source))?;
    let address = SockAddr::unix(path).map_err(|source| other(path, source))?;
    if examine(path)? == Found::Stale {
        std::fs::remove_file(path).map_err(|source| other(path, source))?;
    }
    socket
        .bind(&address)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(shown(path)),
            _ => other(path, source),
        })?;
    let found = path
        .symlink_metadata()
        .map_err(|source| other(path, source))?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: (found.dev(), found.ino()),
    };
    allow(path, allowed)?;
    Ok((OwnedFd::from(socket).into(), file))
}

/// Lets these connect.
pub(super) fn allow(path: &Path, allowed: &SocketAccess) -> Result<(), BindError> {
    if let Some(gid) = allowed.group {
        std::os::unix::fs::chown(path, None, Some(gid)).map_err(|source| BindError::Group {
            address: shown(path),
            gid,
            source,
        })?;
    }
    let mode = Permissions::from_mode(allowed.mode);
    std::fs::set_permissions(path, mode).map_err(|source| other(path, source))
}

/// What is where a socket is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A socket that we may remove, on which nobody listens.
    Stale,
}

/// Looks whether a socket can be made there, and makes none.
pub(super) fn examine(path: &Path) -> Result<Found, BindError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        return Err(BindError::NoFolder {
            address: shown(path),
            folder: folder.to_owned(),
        });
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(BindError::FolderNotOurs {
            address: shown(path),
            folder: folder.to_owned(),
        });
    }
    let there = match path.symlink_metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => return Err(other(path, source)),
    };
    if !there.file_type().is_socket() {
        return Err(BindError::NoSocket(shown(path)));
    }
    if somebody_listens(path) {
        return Err(BindError::InUse(shown(path)));
    }
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == there.uid() {
        return Ok(Found::Stale);
    }
    Err(BindError::LeftByOthers {
        address: shown(path),
        uid: there.uid(),
    })
}

/// Nobody does only if the kernel says so: a full queue, or one that we may not join, is somebody's.
fn somebody_listens(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    !connect().is_err_and(refused)
}

fn shown(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn other(path: &Path, source: io::Error) -> BindError {
    BindError::Other {
        address: shown(path),
        source,
    }
}
