//! The files by which a worker is reached and speaks: its folder, its Unix socket, its control FIFO. Moves no bytes.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::identity::{Identity, give};
use crate::start_error::StartError;

/// The kernel cuts Unix socket paths at 107 bytes; what a worker appends to its own needs some room.
pub(crate) const LONGEST_PATH: usize = 100;

/// Who has to do with a worker's files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owners {
    /// The worker, when it runs as somebody else.
    pub(crate) worker: Option<Identity>,
    /// The group of those who connect, when they run as somebody else.
    pub(crate) gateway_group: Option<u32>,
}

/// Where the files of an app's workers are, and whose they are.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    sockets: PathBuf,
    owners: Owners,
    name: String,
}

impl Place {
    /// Under `sockets`, without a name yet.
    pub(crate) fn new(sockets: &Path, owners: Owners) -> Self {
        Self {
            sockets: sockets.to_owned(),
            owners,
            name: String::new(),
        }
    }

    /// For the app with this short name.
    pub(crate) fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// Makes the folder of one worker of a release. Releases live side by side, and so do a worker and its successor: each
    /// has its own.
    pub(crate) fn files(
        &self,
        release: u32,
        index: u32,
        incarnation: u32,
    ) -> Result<Files, StartError> {
        let name = self.folder(release, index, incarnation);
        Files::create(&self.sockets, &name, self.owners)
    }

    /// The files of a worker that lives.
    pub(crate) fn present_files(&self, release: u32, index: u32, incarnation: u32) -> Files {
        Files {
            folder: self.sockets.join(self.folder(release, index, incarnation)),
            owners: self.owners,
        }
    }

    fn folder(&self, release: u32, index: u32, incarnation: u32) -> String {
        let mut name = format!("{}.{release}.{index}", self.name);
        if incarnation > 0 {
            let _ = write!(name, ".{incarnation}");
        }
        name
    }
}

/// The files of one worker. A folder of its own, since a Node worker binds its socket itself.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    owners: Owners,
}

impl Files {
    /// Makes the folder `name` under `sockets`, reachable by the worker and the gateway only.
    pub(crate) fn create(sockets: &Path, name: &str, owners: Owners) -> Result<Self, StartError> {
        let folder = sockets.join(name);
        // What will be the longest: the socket of a high start number, with the number of an absorbed listen.
        let longest = folder.join("s4294967295");
        let length = longest.as_os_str().as_bytes().len();
        if length > LONGEST_PATH {
            return Err(StartError::PathTooLong {
                path: longest,
                length,
                limit: LONGEST_PATH,
            });
        }
        let failed = |doing| {
            let path = folder.clone();
            move |source| StartError::Io {
                doing,
                path,
                source,
            }
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => empty(&folder),
            other => other,
        }
        .map_err(failed("make the folder"))?;
        let mode = if owners.gateway_group.is_some() {
            0o2750 // new files get the gateway's group
        } else {
            0o700
        };
        if owners.worker.is_some() || owners.gateway_group.is_some() {
            let uid = owners.worker.map(|worker| worker.uid);
            give(&folder, uid, owners.gateway_group).map_err(failed("give away the folder"))?;
        }
        fs::set_permissions(&folder, Permissions::from_mode(mode))
            .map_err(failed("set the permissions of"))?;
        Ok(Self { folder, owners })
    }

    /// The socket of the start with this number. A new name each time: an old worker may still be draining on its own.
    pub(crate) fn socket(&self, start: u32) -> PathBuf {
        self.folder.join(format!("s{start}"))
    }

    /// Binds that socket and listens, for a worker that takes it as an open descriptor.
    pub(crate) fn bind(&self, start: u32) -> io::Result<UnixListener> {
        let path = self.socket(start);
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        // std asks for a backlog of its own choice; a burst of new connections needs more.
        rustix::net::listen(&listener, 1024)?;
        self.hand_over(&path, 0o660)?;
        Ok(listener)
    }

    /// Makes the FIFO on which the worker speaks; the returned end reads, and holds a writer too, so that it never ends.
    pub(crate) fn control(&self, start: u32) -> io::Result<(PathBuf, OwnedFd)> {
        let path = self.folder.join(format!("c{start}"));
        remove(&path)?;
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
        self.hand_over(&path, 0o600)?;
        let file = fs::OpenOptions::new().read(true).write(true).open(&path)?;
        Ok((path, file.into()))
    }

    /// Takes away what a start left behind.
    pub(crate) fn remove(&self, start: u32) {
        let _ = fs::remove_file(self.folder.join(format!("c{start}")));
        let socket = self.socket(start);
        let _ = fs::remove_file(&socket);
        for absorbed in 1..=8 {
            let mut name = socket.clone().into_os_string();
            name.push(format!(".{absorbed}"));
            if fs::remove_file(PathBuf::from(name)).is_err() {
                break;
            }
        }
    }

    /// Leaves everything where it is, for whoever takes it up.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }

    fn hand_over(&self, path: &Path, mode: u32) -> io::Result<()> {
        if let Some(worker) = self.owners.worker {
            give(path, Some(worker.uid), None)?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = empty(&self.folder);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes the files in `folder`, left over by a life that ended without a word.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove(&entry?.path())?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_dropped_listener_refuses_at_once() {
        let sockets = tempfile::tempdir().unwrap();
        let files = Files::create(sockets.path(), "api.0", Owners::default()).unwrap();
        let listener = files.bind(1).unwrap();
        let path = files.socket(1);
        assert!(UnixStream::connect(&path).is_ok());
        drop(listener);
        let error = UnixStream::connect(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(files.bind(1).is_ok(), "an old file is no obstacle");
        let mode = fs::metadata(sockets.path().join("api.0"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o7777, 0o700);
        drop(files);
        assert_eq!(fs::read_dir(sockets.path()).unwrap().count(), 0);
    }

    #[test]
    fn paths_the_kernel_would_cut_are_refused() {
        let sockets = tempfile::tempdir().unwrap();
        let long = "x".repeat(90);
        let error = Files::create(sockets.path(), &long, Owners::default()).unwrap_err();
        assert!(matches!(error, StartError::PathTooLong { .. }));
        assert!(error.to_string().contains("MAINSTAY_RUNTIME_DIR"));
    }
}
