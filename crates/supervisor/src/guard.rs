//! The guard: a tiny process that outlives the control plane by a moment and ends every worker tree it left behind.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::cgroup;
use crate::handover::Descriptors;
use crate::tree::Tree;

/// No line of ours is longer: a path may be.
const LONGEST_LINE: u64 = 4_352;

/// Reads `+PGID MARK`, `-PGID` and `=PATH` lines from `pipe`; at its end (nobody holds the other side any more) sends `SIGTERM` and,
/// after `grace`, `SIGKILL` to everything that came of the groups still listed, also what went into a session of its
/// own, and removes the control groups at that path. Blocks until then.
///
/// # Errors
/// What the kernel said about reading the pipe; what was listed so far is ended all the same.
pub fn guard(pipe: OwnedFd, grace: Duration) -> io::Result<()> {
    let mut trees = BTreeMap::new();
    let mut group = None;
    let read = follow(pipe, &mut trees, &mut group);
    let left: Vec<Tree> = trees.into_values().collect();
    end(&left, grace);
    if let Some(group) = group {
        cgroup::remove(&group);
    }
    read
}

fn follow(
    pipe: OwnedFd,
    trees: &mut BTreeMap<u32, Tree>,
    groups: &mut Option<PathBuf>,
) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(256, std::fs::File::from(pipe));
    let mut line = String::new();
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let Some((sign, rest)) = line.trim_end().split_at_checked(1) else {
            continue;
        };
        if sign == "=" {
            *groups = Some(PathBuf::from(rest)).filter(|path| path.is_absolute());
            continue;
        }
        let (number, mark) = rest.split_once(' ').unwrap_or((rest, ""));
        match (sign, number.parse()) {
            // 0 and 1 would be our own group and everybody's; without a mark nobody could be told from others.
            ("+", Ok(group @ 2..)) if !mark.is_empty() => {
                let mark = mark.to_owned();
                trees.insert(group, Tree { group, mark });
            }
            ("-", Ok(group)) => drop(trees.remove(&group)),
            _ => {}
        }
    }
}

fn end(trees: &[Tree], grace: Duration) {
    let signal = |signal| trees.iter().for_each(|tree| tree.signal(signal));
    let alive = || trees.iter().any(|tree| !tree.members().is_empty());
    signal(Signal::TERM);
    let deadline = Instant::now() + grace;
    while alive() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    // Once more for whoever was started in between.
    for _ in 0..2 {
        signal(Signal::KILL);
    }
}

/// The control plane's side: tells the guard which groups to end, and every next guard which there are. Without a guard it
/// only remembers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guarded(Arc<Mutex<Listed>>);

/// What the guard was told, and by which way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GuardedState {
    pipe: Option<RawFd>,
    trees: BTreeMap<u32, String>,
    #[serde(default)]
    group: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Listed {
    pipe: Option<OwnedFd>,
    /// Marks by group.
    trees: BTreeMap<u32, String>,
    /// The control group of the instance.
    group: Option<PathBuf>,
}

impl Guarded {
    pub(crate) fn new(pipe: Option<OwnedFd>) -> Self {
        let trees = BTreeMap::new();
        let group = None;
        Self(Arc::new(Mutex::new(Listed { pipe, trees, group })))
    }

    /// The control group of the instance, which is to be removed at the end.
    pub(crate) fn group(&self, path: Option<PathBuf>) {
        let mut listed = self.listed();
        if path.is_some() && listed.group != path {
            listed.group = path;
            listed.tell_group();
        }
    }

    pub(crate) fn add(&self, tree: &Tree) {
        let mut listed = self.listed();
        listed.trees.insert(tree.group, tree.mark.clone());
        listed.write(&added(tree.group, &tree.mark));
    }

    pub(crate) fn remove(&self, group: u32) {
        let mut listed = self.listed();
        listed.trees.remove(&group);
        listed.write(&format!("-{group}\n"));
    }

    /// The guard behind the other end of `pipe` takes the place of one that is gone.
    pub(crate) fn replace(&self, pipe: OwnedFd) {
        let mut listed = self.listed();
        listed.pipe = Some(pipe);
        listed.tell_group();
        for (group, mark) in &listed.trees {
            listed.write(&added(*group, mark));
        }
    }

    /// The pipe's end, and all that is listed.
    pub(crate) fn state(&self, descriptors: &mut Descriptors) -> io::Result<GuardedState> {
        let listed = self.listed();
        let pipe = listed.pipe.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(GuardedState {
            pipe: pipe.map(|pipe| descriptors.keep(pipe)),
            trees: listed.trees.clone(),
            group: listed.group.clone(),
        })
    }

    pub(crate) fn take_up(state: GuardedState, descriptors: &mut Descriptors) -> io::Result<Self> {
        let pipe = state.pipe.map(|pipe| descriptors.take(pipe)).transpose()?;
        let (trees, group) = (state.trees, state.group);
        Ok(Self(Arc::new(Mutex::new(Listed { pipe, trees, group }))))
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    fn tell_group(&self) {
        if let Some(path) = &self.group {
            self.write(&format!("={}\n", path.display()));
        }
    }

    /// A guard that is gone cannot be helped here; whoever started it notices.
    fn write(&self, line: &str) {
        if let Some(pipe) = &self.pipe {
            let _ = rustix::io::write(pipe, line.as_bytes());
        }
    }
}

fn added(group: u32, mark: &str) -> String {
    format!("+{group} {mark}\n")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::tree::{MARK, handle};

    /// A group of its own with its mark, that has said a line.
    fn start(script: &str, mark: &str) -> (Child, Tree, String) {
        let mut command = Command::new("sh");
        let mut child = command
            .args(["-c", script])
            .env(MARK, mark)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let tree = Tree {
            group: child.id(),
            mark: mark.to_owned(),
        };
        (child, tree, line.trim().to_owned())
    }

    #[test]
    fn control_groups_are_removed_by_the_guard_that_is_there_at_the_end() {
        let kernel = tempfile::tempdir().unwrap();
        let home = kernel.path().join("mainstay-shop.1");
        for group in ["control", "app.api"] {
            std::fs::create_dir_all(home.join(group)).unwrap();
        }
        let (gone, taken) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let guarded = Guarded::new(Some(taken));
        guarded.group(None);
        guarded.group(Some(home.clone()));
        drop(gone); // the first guard
        guarded.replace(write);
        guarded.listed().write("=relative\n");
        guarded.listed().tell_group();
        drop(guarded);
        guard(read, Duration::ZERO).unwrap();
        assert!(!home.exists());
    }

    #[test]
    fn what_is_listed_at_the_end_is_ended() {
        let own = std::process::id();
        let (mut listed, first, _) = start("echo up; sleep 1000 & sleep 1000", &format!("a.{own}"));
        let (mut deaf, second, _) = start(
            "trap '' TERM; echo up; while :; do sleep 1000; done",
            &format!("b.{own}"),
        );
        let (mut unlisted, third, _) = start("echo up; sleep 1000", &format!("c.{own}"));
        let away = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done' & wait";
        let (mut parent, fourth, away) = start(away, &format!("d.{own}"));
        let away = handle(away.parse().unwrap()).unwrap();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (gone, taken) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let guarded = Guarded::new(Some(taken));
        drop(gone); // the first guard
        for tree in [&first, &second, &third] {
            guarded.add(tree);
        }
        guarded.replace(write); // the second is told of those, too
        guarded.add(&fourth);
        guarded.remove(third.group);
        guarded.listed().write("+1 x\n+0 x\n+7\ngarbage\n\n");
        drop(guarded);
        guard(read, Duration::from_millis(200)).unwrap();
        for child in [&mut listed, &mut deaf, &mut parent] {
            assert!(child.wait().unwrap().signal().is_some());
        }
        let mut fds = [rustix::event::PollFd::new(
            &away,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut fds, None).unwrap(); // the one in a session of its own has ended
        assert!(
            unlisted.try_wait().unwrap().is_none(),
            "it was taken off the list"
        );
        third.signal(Signal::KILL);
        unlisted.wait().unwrap();
    }
}
