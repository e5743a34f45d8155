//! A temporary folder that goes away with its value.
//!
//! What may not be here: names a second test could choose too; paths so long that Unix sockets inside them
//! would be cut off.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::packages;

/// A fresh, empty folder directly under the system's temporary folder, removed on drop.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a folder that did not exist before.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("ms-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Self { path },
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file below the folder, with the folders on the way to it.
    #[track_caller]
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", parent.display()));
        }
        fs::write(&path, text)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Links the Node packages of `tests/apps` here, once.
    #[track_caller]
    pub fn link_packages(&self) {
        let link = self.path.join("node_modules");
        if !link.exists() {
            std::os::unix::fs::symlink(packages::node_modules(), &link)
                .expect("the folder is ours to write");
        }
    }

    /// Copies everything below `from` into the folder.
    #[track_caller]
    pub fn copy_from(&self, from: &Path) {
        copy(from, &self.path);
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A worker that is just dying may still write here; what stays behind is in the temporary folder.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[track_caller]
fn copy(from: &Path, to: &Path) {
    let entries = fs::read_dir(from)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder has readable entries");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            fs::create_dir_all(&target).expect("the folder's copy can be made");
            copy(&source, &target);
        } else {
            fs::copy(&source, &target)
                .unwrap_or_else(|error| panic!("cannot copy {}: {error}", source.display()));
        }
    }
}
