//! Changes of files below folders, told when nothing more has changed for a while. Of an app's own folder only what
//! somebody edits is watched: not what packages bring along, and nothing hidden.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_supervisor::Descriptors;
use mainstay_supervisor::os::readable;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::handover::{at, until};

/// More folders than a project that people edit has; of others nothing is heard.
const MOST_FOLDERS: usize = 8_192;
/// Deeper than any of them.
const DEEPEST: usize = 32;

/// What is watched for one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Files and folders, absolute.
    pub(super) paths: Vec<PathBuf>,
    /// See [`Filter`].
    pub(super) ignore: Vec<String>,
    /// How long nothing more must have changed.
    pub(super) delay: Duration,
}

/// A running watch over one app's files.
#[derive(Debug)]
pub(super) struct Watch {
    descriptor: AsyncFd<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
    filter: Filter,
    /// Of single files: others beside them are not meant.
    files: Vec<PathBuf>,
    delay: Duration,
    /// When what has changed is told.
    due: Option<Instant>,
    /// The first of what has changed.
    changed: Option<PathBuf>,
    /// Not every folder could be watched.
    is_partial: bool,
}

/// A watch on its way to the next program: what changes meanwhile waits to be read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WatchState {
    descriptor: RawFd,
    folders: Vec<(i32, PathBuf)>,
    files: Vec<PathBuf>,
    left: Option<Duration>,
    changed: Option<PathBuf>,
    is_partial: bool,
}

impl WatchState {
    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor
    }
}

impl Watch {
    /// Watches from now on.
    ///
    /// # Errors
    /// When the system watches nothing more for this user.
    pub(super) fn start(watched: &Watched) -> io::Result<Self> {
        let descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut watch = Self {
            descriptor: readable(descriptor)?,
            folders: HashMap::new(),
            filter: Filter::new(&watched.ignore),
            files: Vec::new(),
            delay: watched.delay,
            due: None,
            changed: None,
            is_partial: false,
        };
        for path in &watched.paths {
            if path.is_dir() {
                watch.add(path, 0);
            } else if let Some(folder) = path.parent() {
                // editors put another file in the place of the old one: only its folder sees that
                watch.add_one(folder);
                watch.files.push(path.clone());
            }
        }
        if watch.folders.is_empty() {
            return Err(io::Error::other(
                "none of what shall be watched is there, or can be",
            ));
        }
        Ok(watch)
    }

    /// What the next program must know.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn state(&self, descriptors: &mut Descriptors) -> io::Result<WatchState> {
        let folders = self.folders.iter();
        Ok(WatchState {
            descriptor: descriptors.keep(self.descriptor.get_ref().try_clone()?),
            folders: folders
                .map(|(number, path)| (*number, path.clone()))
                .collect(),
            files: self.files.clone(),
            left: until(self.due),
            changed: self.changed.clone(),
            is_partial: self.is_partial,
        })
    }

    /// Goes on with one of the program before.
    ///
    /// # Errors
    /// When its descriptor is not there.
    pub(super) fn take_up(
        state: WatchState,
        watched: &Watched,
        descriptors: &mut Descriptors,
    ) -> io::Result<Self> {
        Ok(Self {
            descriptor: readable(descriptors.take(state.descriptor)?)?,
            folders: state.folders.into_iter().collect(),
            filter: Filter::new(&watched.ignore),
            files: state.files,
            delay: watched.delay,
            due: at(state.left),
            changed: state.changed,
            is_partial: state.is_partial,
        })
    }

    /// Whether some folders could not be watched: there are too many.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Waits for changes, and then until nothing more changes; one of what has changed. Cancel-safe.
    pub(super) async fn changed(&mut self) -> PathBuf {
        loop {
            let due = self.due;
            tokio::select! {
                () = super::upkeep::until(due) => {
                    self.due = None;
                    if let Some(path) = self.changed.take() {
                        return path;
                    }
                }
                ready = self.descriptor.readable() => {
                    if let Ok(mut ready) = ready {
                        ready.clear_ready();
                    }
                    self.read();
                }
            }
        }
    }

    fn read(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut seen = Vec::new();
        let mut reader = Reader::new(self.descriptor.get_ref(), &mut buffer);
        while let Ok(event) = reader.next() {
            let name = event
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            seen.push((event.wd(), event.events(), name));
        }
        for (folder, events, name) in seen {
            self.note(folder, events, name.as_deref());
        }
    }

    fn note(&mut self, folder: i32, events: ReadFlags, name: Option<&str>) {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            // what was lost may have been anything
            self.is_news(PathBuf::from("(many files)"));
            return;
        }
        if events.contains(ReadFlags::IGNORED) {
            self.folders.remove(&folder);
            return;
        }
        let (Some(folder), Some(name)) = (self.folders.get(&folder), name) else {
            return;
        };
        let path = folder.join(name);
        if self.filter.ignores(&path) {
            return;
        }
        let is_folder = events.contains(ReadFlags::ISDIR);
        let is_meant = self.files.is_empty() || self.files.contains(&path) || self.is_below(&path);
        if is_folder && events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) && is_meant {
            self.add(&path, 0);
        }
        // the end of writing tells more than its beginning
        if is_meant && (is_folder || !events.contains(ReadFlags::CREATE)) {
            self.is_news(path);
        }
    }

    /// Whether its folder is watched as a whole, not for one file in it.
    fn is_below(&self, path: &Path) -> bool {
        let folder = path.parent();
        self.files.iter().all(|file| file.parent() != folder)
    }

    fn is_news(&mut self, path: PathBuf) {
        self.changed.get_or_insert(path);
        self.due = Some(Instant::now() + self.delay);
    }

    /// A folder and all below it.
    fn add(&mut self, folder: &Path, depth: usize) {
        if depth > DEEPEST || (depth > 0 && self.filter.ignores(folder)) {
            return;
        }
        self.add_one(folder);
        let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in below {
            // links may lead anywhere, and in circles
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(&entry.path(), depth + 1);
            }
        }
    }

    fn add_one(&mut self, folder: &Path) {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        if self.folders.len() >= MOST_FOLDERS {
            self.is_partial = true;
            return;
        }
        match inotify::add_watch(self.descriptor.get_ref(), folder, flags) {
            Ok(number) => drop(self.folders.insert(number, folder.to_owned())),
            Err(_) => self.is_partial = true,
        }
    }
}

/// What is not watched: hidden files and folders, `node_modules`, what editors leave, and what somebody named.
#[derive(Debug)]
struct Filter {
    /// Each is the name of a file or folder, or the end of a path, `*` being any part of a name.
    named: Vec<String>,
}

impl Filter {
    fn new(named: &[String]) -> Self {
        let named = named.iter().map(|name| {
            let name = name.strip_prefix("./").unwrap_or(name);
            name.trim_end_matches(['/', '*']).to_owned()
        });
        Self {
            named: named.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// By its own name: those above it were asked before.
    fn ignores(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.starts_with('.') || name == "node_modules" || name.ends_with('~') {
            return true;
        }
        let full = path.to_string_lossy();
        self.named.iter().any(|named| {
            if named.contains('/') {
                ends_with_path(&full, named)
            } else {
                matches(name, named)
            }
        })
    }
}

/// Whether a path is this one, or ends with it at a border between folders.
fn ends_with_path(full: &str, named: &str) -> bool {
    let rest = full.strip_suffix(named);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/') || named.starts_with('/'))
}

/// Whether a name is like a pattern in which `*` stands for any part.
fn matches(name: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_edits_is_ignored() {
        let filter = Filter::new(&[
            "dist".into(),
            "./logs/*".into(),
            "*.log".into(),
            "a/b".into(),
            "t*t*.js".into(),
        ]);
        for (path, expected) in [
            ("/srv/shop/server.js", false),
            ("/srv/shop/.git", true),
            ("/srv/shop/node_modules", true),
            ("/srv/shop/server.js~", true),
            ("/srv/shop/dist", true),
            ("/srv/shop/distant", false),
            ("/srv/shop/logs", true),
            ("/srv/shop/x.log", true),
            ("/srv/shop/x.logs", false),
            ("/srv/a/b", true),
            ("/srv/xa/b", false),
            ("/srv/test.js", true),
            ("/srv/tes.js", false),
        ] {
            assert_eq!(filter.ignores(Path::new(path)), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn changes_are_told_once_and_what_is_ignored_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(inside("node_modules/x")).expect("folders");
        let watched = Watched {
            paths: vec![folder.path().to_owned()],
            ignore: vec!["*.log".into()],
            delay: Duration::from_millis(50),
        };
        let mut watch = Watch::start(&watched).expect("a watch");
        assert!(!watch.is_partial());
        for name in ["node_modules/x/a.js", "b.log", ".env"] {
            std::fs::write(inside(name), "x").expect("written");
        }
        std::fs::create_dir(inside("new")).expect("a folder");
        assert_eq!(watch.changed().await, inside("new"));
        for text in ["1", "2"] {
            std::fs::write(inside("new/c.js"), text).expect("written");
        }
        assert_eq!(watch.changed().await, inside("new/c.js"));
        let more = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[tokio::test]
    async fn of_a_single_file_only_its_own_changes_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("settings.json");
        std::fs::write(&file, "1").expect("written");
        let watched = Watched {
            paths: vec![file.clone()],
            ignore: Vec::new(),
            delay: Duration::from_millis(50),
        };
        let mut watch = Watch::start(&watched).expect("a watch");
        std::fs::write(folder.path().join("other.json"), "1").expect("written");
        // as editors do
        std::fs::write(folder.path().join("fresh"), "2").expect("written");
        std::fs::rename(folder.path().join("fresh"), &file).expect("renamed");
        assert_eq!(watch.changed().await, file);
    }
}
