//! Through what files are read: the disk, or a map for tests. Reads bytes and names; what they mean is not here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

/// A folder that holds more is not one of settings.
const MOST_ENTRIES: usize = 10_000;

/// Where files lie.
pub trait Files {
    /// The bytes of a file, one more than `most` at most: who reads that much knows that there are too many.
    ///
    /// # Errors
    /// Those of the system, and what is not a regular file.
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>>;

    /// The names of the files in a folder, without those of folders and without names that are not UTF-8.
    ///
    /// # Errors
    /// Those of the system, and more than 10 000 entries.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// What is the same for two paths that lead to one file.
    fn identity(&self, path: &Path) -> PathBuf;
}

/// The files that settings may name besides settings files, such as those with users.
#[derive(Clone, Debug, Default)]
pub enum Reachable {
    /// None: whatever is named is not there.
    #[default]
    Nothing,
    /// Those of this machine.
    Disk,
    /// Those of a map.
    Memory(BTreeMap<PathBuf, Vec<u8>>),
}

impl Reachable {
    /// The bytes of a file, at most `most` of them.
    ///
    /// # Errors
    /// Those of the system, what is not a regular file, and a longer file.
    pub(crate) fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let bytes = match self {
            Self::Nothing => Err(ErrorKind::NotFound.into()),
            Self::Disk => Disk.read(path, most),
            Self::Memory(files) => files.read(path, most),
        }?;
        if bytes.len() > most {
            return Err(io::Error::other(format!("it is longer than {most} bytes")));
        }
        Ok(bytes)
    }
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        // a pipe would keep its reader waiting, and a reload reads again
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        read_bounded(path, most)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (count, entry) in folder.read_dir()?.enumerate() {
            if count == MOST_ENTRIES {
                return Err(io::Error::other(format!("more than {MOST_ENTRIES} files")));
            }
            let entry = entry?;
            // a link to a file is a file
            let is_file = entry.path().metadata().is_ok_and(|file| file.is_file());
            if let (true, Ok(name)) = (is_file, entry.file_name().into_string()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    }
}

/// One byte more than `most` at most, of whatever can be read.
pub(crate) fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Files that are nowhere but here, by their paths, which are without `.` and `..`.
impl Files for BTreeMap<PathBuf, Vec<u8>> {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.get(&plain(path)).ok_or(ErrorKind::NotFound)?;
        Ok(bytes.iter().take(most + 1).copied().collect())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = plain(folder);
        let inside = self.keys().filter(|path| path.parent() == Some(&folder));
        let names: Vec<String> = inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        if names.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(names)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        plain(path)
    }
}

/// Without `.` and `..`, as where there are no links.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
