//! Small numbers for workers, one for each, unique among all instances of a user and stable as long as an instance is
//! known: what people type, and what apps read as `pm_id`. Handed out under a lock, since instances start side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use mainstay_supervisor::Numbers as WorkerNumbers;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::folders::{make_private, state_folder};
use super::record::{Record, read_bounded, write_whole};

const FILE: &str = "ids.json";
const LOCK: &str = "ids.lock";
const VERSION: u32 = 1;
/// Far more than one machine runs.
const MOST: u64 = 4 * 1024 * 1024;

/// The numbers of one instance's workers.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    instance: String,
    /// Of the instance: tells those who clean up whether it lives.
    runtime: PathBuf,
    numbers: Numbers,
    /// None where nothing can be written: numbers are the instance's own then.
    folder: Option<PathBuf>,
    /// Where workers learn theirs.
    told: WorkerNumbers,
}

/// App, then the numbers of its workers by index.
type Numbers = BTreeMap<String, Vec<u32>>;

/// Whether numbers outlive the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// It has a record, by which it will be started again.
    Keep,
    /// Nobody will ask for it again.
    Forget,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Book {
    version: u32,
    instances: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Entry {
    runtime: PathBuf,
    apps: Numbers,
}

impl Ids {
    /// Numbers for the instance of that name. Nobody has one yet.
    pub(crate) fn of(instance: &str, runtime: &Path, told: WorkerNumbers) -> Self {
        Self {
            instance: instance.to_owned(),
            runtime: runtime.to_owned(),
            numbers: Numbers::new(),
            folder: state_folder().ok(),
            told,
        }
    }

    /// As handed out by the program before.
    pub(crate) fn take_up(mut self, numbers: BTreeMap<String, Vec<u32>>) -> Self {
        for (app, numbers) in &numbers {
            self.told.set(app, numbers.clone());
        }
        self.numbers = numbers;
        self
    }

    /// All that were handed out.
    pub(crate) fn numbers(&self) -> &BTreeMap<String, Vec<u32>> {
        &self.numbers
    }

    /// Gives every worker of these apps a number: those it had before, where it had one. More workers get more, fewer
    /// keep theirs for the time when there are more again.
    pub(crate) fn claim(&mut self, apps: &[(String, u32)]) {
        let known = |app: &String, count: u32| {
            let numbers = self.numbers.get(app);
            numbers.is_some_and(|numbers| numbers.len() >= count as usize)
        };
        if apps.iter().all(|(app, count)| known(app, *count)) {
            return;
        }
        let claimed = self.folder.clone().map(|folder| {
            change(&folder, |book| {
                book.clean();
                book.claim(&self.instance, &self.runtime, apps)
            })
        });
        self.numbers = claimed
            .and_then(io::Result::ok)
            .unwrap_or_else(|| self.claim_alone(apps));
        for (app, numbers) in &self.numbers {
            self.told.set(app, numbers.clone());
        }
    }

    /// A machine that cannot be written to has, as a rule, this instance alone.
    fn claim_alone(&mut self, apps: &[(String, u32)]) -> Numbers {
        self.folder = None;
        let mut book = Book::default();
        let entry = Entry {
            runtime: PathBuf::new(),
            apps: std::mem::take(&mut self.numbers),
        };
        book.instances.insert(self.instance.clone(), entry);
        book.claim(&self.instance, &self.runtime, apps)
    }

    /// The number of one worker.
    pub(crate) fn number(&self, app: &str, index: u32) -> Option<u32> {
        self.numbers.get(app)?.get(index as usize).copied()
    }

    /// The instance ends.
    pub(crate) fn end(&self, release: Release) {
        if release == Release::Forget
            && let Some(folder) = &self.folder
        {
            let _ = change(folder, |book| book.instances.remove(&self.instance));
        }
    }

    /// Numbers of an instance that does not run, by its record.
    pub(crate) fn recorded(instance: &str) -> BTreeMap<String, Vec<u32>> {
        let book = state_folder().ok().and_then(|folder| read(&folder).ok());
        let entry = book.and_then(|mut book| book.instances.remove(instance));
        entry.map(|entry| entry.apps).unwrap_or_default()
    }

    /// The instance of that name is forgotten.
    pub(crate) fn forget(instance: &str) {
        if let Ok(folder) = state_folder() {
            let _ = change(&folder, |book| book.instances.remove(instance));
        }
    }
}

impl Book {
    /// The least numbers that nobody has.
    fn claim(&mut self, instance: &str, runtime: &Path, apps: &[(String, u32)]) -> Numbers {
        let mut taken: BTreeSet<u32> = self
            .instances
            .values()
            .flat_map(|entry| entry.apps.values().flatten().copied())
            .collect();
        let entry = self.instances.entry(instance.to_owned()).or_default();
        runtime.clone_into(&mut entry.runtime);
        for (app, count) in apps {
            let numbers = entry.apps.entry(app.clone()).or_default();
            while numbers.len() < *count as usize {
                let free = (0..=u32::MAX).find(|number| !taken.contains(number));
                let free = free.unwrap_or_default();
                taken.insert(free);
                numbers.push(free);
            }
        }
        entry.apps.clone()
    }

    /// Numbers of instances that neither run nor can be started again are free.
    fn clean(&mut self) {
        self.instances.retain(|name, entry| {
            is_locked(&entry.runtime) || Record::find(name).is_ok_and(|record| record.is_some())
        });
    }
}

/// Whether a living instance holds this runtime directory.
fn is_locked(runtime: &Path) -> bool {
    let lock = File::open(runtime.join(crate::control::runtime_dir::LOCK));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
}

/// Reads the book, changes it and writes it, one after the other among all instances. A book that cannot be read is
/// begun anew: numbers are then handed out again, which only whoever wrote them down notices.
fn change<T>(folder: &Path, change: impl FnOnce(&mut Book) -> T) -> io::Result<T> {
    make_private(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let mut book = read(folder).unwrap_or_default();
    let answer = change(&mut book);
    book.version = VERSION;
    write_whole(&folder.join(FILE), &serde_json::to_vec(&book)?)?;
    Ok(answer)
}

fn read(folder: &Path) -> io::Result<Book> {
    let book: Book = serde_json::from_slice(&read_bounded(&folder.join(FILE), MOST)?)?;
    if book.version == VERSION {
        Ok(book)
    } else {
        Err(io::Error::other("another version"))
    }
}

/// Files of this module in the state folder, for whoever removes all of it.
pub(crate) const FILES: [&str; 2] = [FILE, LOCK];

#[cfg(test)]
mod tests {
    use super::*;

    fn apps(counts: &[(&str, u32)]) -> Vec<(String, u32)> {
        let owned = counts
            .iter()
            .map(|(app, count)| ((*app).to_owned(), *count));
        owned.collect()
    }

    #[test]
    fn the_least_free_numbers_are_handed_out_and_kept() {
        let mut book = Book::default();
        let here = Path::new("/run/x");
        let shop = book.claim("shop", here, &apps(&[("api", 2), ("web", 1)]));
        assert_eq!(shop["api"], [0, 1]);
        assert_eq!(shop["web"], [2]);
        assert_eq!(book.claim("blog", here, &apps(&[("blog", 1)]))["blog"], [3]);
        let shop = book.claim("shop", here, &apps(&[("api", 3)]));
        assert_eq!(shop["api"], [0, 1, 4], "those it has stay");
        assert_eq!(shop["web"], [2]);
        book.instances.remove("shop");
        assert_eq!(book.claim("new", here, &apps(&[("new", 2)]))["new"], [0, 1]);
        assert_eq!(
            book.claim("blog", here, &apps(&[("blog", 2)]))["blog"],
            [3, 2]
        );
    }

    #[test]
    fn garbage_in_the_file_costs_numbers_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "{\"version\":7,\"instances\":{}}", "null"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let numbers = change(folder.path(), |book| {
                book.claim("shop", Path::new("/"), &apps(&[("a", 1)]))
            });
            assert_eq!(numbers.unwrap()["a"], [0], "{text}");
        }
    }
}
