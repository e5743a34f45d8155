//! Crash reports of an instance that outlive it. Bounded; whoever writes them waits for no disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::folders::{folder_name, make_private, state_folder};
use super::record::{read_bounded, write_whole};
use crate::crash::Crash;

const FILE: &str = "crashes.json";
const VERSION: u32 = 1;
/// More than is ever written.
const MOST: u64 = 4 * 1024 * 1024;
/// Reports that are kept, the last ones.
const KEPT: usize = 32;
/// How long the disk is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the thread that writes.
#[derive(Debug)]
pub(crate) struct CrashStore {
    name: String,
    /// The instance's. None where nothing says where state is kept.
    folder: Option<PathBuf>,
    sender: Option<Sender<Wish>>,
}

#[derive(Debug)]
enum Wish {
    Write(Vec<u8>),
    /// Answered when everything before it is written.
    Barrier(Sender<()>),
}

#[derive(Serialize, Deserialize)]
struct Book {
    version: u32,
    /// The instance; that of the folder may only resemble it.
    name: String,
    reports: Vec<Crash>,
}

impl CrashStore {
    /// For the instance of that name. Nothing is written, nor is a thread started, before somebody dies.
    pub(crate) fn of(name: &str) -> Self {
        let folder = state_folder().ok();
        Self {
            name: name.to_owned(),
            folder: folder.map(|folder| folder.join(folder_name(name))),
            sender: None,
        }
    }

    /// Keeps nothing.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        Self {
            name: String::new(),
            folder: None,
            sender: None,
        }
    }

    /// Keeps the last of these reports. Where nothing can be written, they go with the instance.
    pub(crate) fn keep<'a>(&mut self, reports: impl DoubleEndedIterator<Item = &'a Crash>) {
        let Some(folder) = self.folder.clone() else {
            return;
        };
        let mut kept: Vec<Crash> = reports.rev().take(KEPT).cloned().collect();
        kept.reverse();
        let book = Book {
            version: VERSION,
            name: self.name.clone(),
            reports: kept,
        };
        let Ok(bytes) = serde_json::to_vec(&book) else {
            return;
        };
        let sender = self.sender.get_or_insert_with(|| start(folder));
        let _ = sender.send(Wish::Write(bytes));
    }

    /// Waits until all of it is written, but not for a disk that hangs.
    pub(crate) fn settle(&self) {
        let Some(sender) = &self.sender else { return };
        let (done, waits) = channel();
        if sender.send(Wish::Barrier(done)).is_ok() {
            let _ = waits.recv_timeout(PATIENCE);
        }
    }

    /// What is kept of the instance of that name; nothing, if nothing that can be read is.
    pub(crate) fn read(name: &str) -> Vec<Crash> {
        let book = state_folder().ok().and_then(|folder| {
            let path = folder.join(folder_name(name)).join(FILE);
            read(&path).ok()
        });
        let book = book.filter(|book| book.name == name);
        book.map_or_else(Vec::new, |book| book.reports)
    }

    /// Names of all instances of which something is kept.
    pub(crate) fn names() -> Vec<String> {
        let Ok(folder) = state_folder() else {
            return Vec::new();
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let books = entries.filter_map(|entry| read(&entry.path().join(FILE)).ok());
        let mut names: Vec<String> = books.map(|book| book.name).collect();
        names.sort();
        names
    }

    /// Forgets them.
    pub(crate) fn forget(name: &str) {
        if let Ok(folder) = state_folder() {
            let _ = fs::remove_file(folder.join(folder_name(name)).join(FILE));
        }
    }
}

fn start(folder: PathBuf) -> Sender<Wish> {
    let (sender, wishes) = channel();
    // without a thread they stay in memory
    let _ = thread::Builder::new()
        .name("crash reports".to_owned())
        .spawn(move || write_all(&folder, &wishes));
    sender
}

/// Of several that wait only the last is written: it has the others in it.
fn write_all(folder: &Path, wishes: &Receiver<Wish>) {
    while let Ok(first) = wishes.recv() {
        let mut newest = None;
        let mut waiting = Vec::new();
        for wish in std::iter::once(first).chain(wishes.try_iter()) {
            match wish {
                Wish::Write(bytes) => newest = Some(bytes),
                Wish::Barrier(done) => waiting.push(done),
            }
        }
        if let Some(bytes) = newest {
            let _ = make_private(folder).and_then(|()| write_whole(&folder.join(FILE), &bytes));
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

fn read(path: &Path) -> io::Result<Book> {
    let book: Book = serde_json::from_slice(&read_bounded(path, MOST)?)?;
    if book.version == VERSION {
        Ok(book)
    } else {
        Err(io::Error::other("another version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(read(&path).is_err());
        for text in [
            "",
            "{",
            "[]",
            "{\"version\":2,\"name\":\"x\",\"reports\":[]}",
        ] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).is_err(), "{text}");
        }
        fs::write(&path, "{\"version\":1,\"name\":\"x\",\"reports\":[]}").unwrap();
        assert_eq!(read(&path).unwrap().name, "x");
    }
}
