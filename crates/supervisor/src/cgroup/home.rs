//! The groups of an instance: found, made, and removed again. What is not allowed here is said, and nothing is held then.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::app::{AppGroup, PROCESSES};
use super::limits::{Controller, GroupLimits};

/// What is shared out below a group.
const SHARED: &str = "cgroup.subtree_control";
/// What the kernel offers in a group.
const OFFERED: &str = "cgroup.controllers";
/// Where the instance's own processes are.
const CONTROL: &str = "control";
/// A group is empty a moment after the last process in it has ended: so often it is tried again.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);
/// What to do where it is not allowed.
const CURE: &str = "limits need a control group that is ours alone: run it by systemd with `Delegate=yes` (`mainstay startup` \
                    writes such a unit), or as root in a container with cgroup v2";

/// Where the groups of an instance are.
#[derive(Debug, Default)]
pub struct Groups {
    found: Found,
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum Found {
    /// Nothing is ever held.
    #[default]
    Nowhere,
    /// Below the group that this process is in.
    Own,
    /// Below this folder.
    Below(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    home: Option<Result<Home, String>>,
    /// What nobody was told yet.
    unheld: BTreeSet<String>,
}

/// The group of the instance.
#[derive(Debug, Clone)]
struct Home {
    folder: PathBuf,
    controllers: Vec<Controller>,
}

impl Groups {
    /// Below the group that this process is in when the first app needs one. `name` is the instance's.
    pub fn own(name: &str) -> Self {
        Self {
            found: Found::Own,
            name: name.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Below this folder of the kernel's, or of whoever plays it.
    pub fn below(folder: PathBuf, name: &str) -> Self {
        Self {
            found: Found::Below(folder),
            name: name.to_owned(),
            state: Mutex::default(),
        }
    }

    /// The group of an app with these limits. None: it has none, or they cannot be held, which is remembered to be told.
    pub(crate) fn of(&self, app: &str, limits: &GroupLimits) -> Option<AppGroup> {
        if limits.is_empty() || matches!(self.found, Found::Nowhere) {
            return None;
        }
        let mut state = self.state();
        let home = state.home.get_or_insert_with(|| self.make());
        let home = match home {
            Ok(home) => home.clone(),
            Err(why) => {
                let text = format!("the limits of app `{app}` are not held: {why}; {CURE}");
                state.unheld.insert(text);
                return None;
            }
        };
        for line in limits.lines() {
            if line.value.is_some() && !home.controllers.contains(&line.controller) {
                state.unheld.insert(format!(
                    "`{}` of app `{app}` is not held: the kernel does not share out `{}` here",
                    line.setting,
                    line.controller.name()
                ));
            }
        }
        Some(AppGroup {
            folder: home.folder.join(format!("app.{}", plain(app))),
            limits: *limits,
            controllers: home.controllers,
        })
    }

    /// What cannot be held, in sentences that nobody was told yet.
    pub(crate) fn take_unheld(&self) -> Vec<String> {
        let unheld = std::mem::take(&mut self.state().unheld);
        unheld.into_iter().collect()
    }

    /// The group of the instance, if it has one.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let state = self.state();
        let home = state.home.as_ref()?.as_ref().ok()?;
        Some(home.folder.clone())
    }

    /// The program before has made them.
    pub(crate) fn take_up(&self, folder: PathBuf) {
        let controllers = listed(&folder.join(SHARED));
        self.state().home = Some(Ok(Home {
            folder,
            controllers,
        }));
    }

    fn make(&self) -> Result<Home, String> {
        let root = match &self.found {
            Found::Nowhere => return Err("nobody wants them".to_owned()),
            Found::Own => own()?,
            Found::Below(folder) => folder.clone(),
        };
        make(&root, &self.name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the group of an instance below `root`, moves all of ours out of `root`, and has the kernel share out.
fn make(root: &Path, name: &str) -> Result<Home, String> {
    let controllers = listed(&root.join(OFFERED));
    if controllers.is_empty() {
        return Err(format!(
            "the kernel shares out neither memory nor cpu nor pids in `{}`, by cgroup v2",
            root.display()
        ));
    }
    sweep(root, name);
    let folder = root.join(format!("{}{}", prefix(name), std::process::id()));
    let control = folder.join(CONTROL);
    let told = |path: &Path, error: &io::Error| format!("`{}`: {error}", path.display());
    for path in [&folder, &control] {
        if let Err(error) = fs::create_dir(path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(told(path, &error));
        }
    }
    let made = move_in(root, &control).and_then(|()| {
        share(root, &controllers).map_err(|(path, error)| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                strangers(root)
            } else {
                told(&path, &error)
            }
        })?;
        share(&folder, &controllers).map_err(|(path, error)| told(&path, &error))
    });
    match made {
        Ok(()) => Ok(Home {
            folder,
            controllers,
        }),
        Err(why) => {
            // as it was
            let _ = keep(&folder);
            if !is_shared_by_others(root, &folder) {
                let _ = keep(root);
            }
            let _ = move_in(&control, root);
            let _ = fs::remove_dir(&control);
            let _ = fs::remove_dir(&folder);
            Err(why)
        }
    }
}

/// What is left of instances of this name that nobody removed anything of.
fn sweep(root: &Path, name: &str) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let pid = file
            .to_str()
            .and_then(|file| file.strip_prefix(&prefix(name)));
        let is_left = pid
            .and_then(|pid| pid.parse::<u32>().ok())
            .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if is_left {
            // the kernel refuses where anything lives
            remove_folders(&entry.path());
        }
    }
}

/// Moves this process and all that came of it.
fn move_in(from: &Path, to: &Path) -> Result<(), String> {
    let door = to.join(PROCESSES);
    // whoever is started meanwhile is found the next time
    for _ in 0..ATTEMPTS {
        let processes = fs::read_to_string(from.join(PROCESSES)).unwrap_or_default();
        let inside: BTreeSet<u32> = processes
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        let ours: Vec<u32> = family()
            .into_iter()
            .filter(|pid| inside.contains(pid))
            .collect();
        if ours.is_empty() {
            return Ok(());
        }
        for pid in ours {
            match fs::write(&door, pid.to_string()) {
                Ok(()) => {}
                // it has ended
                Err(error) if error.raw_os_error() == Some(3) => {}
                Err(error) => return Err(format!("`{}`: {error}", door.display())),
            }
        }
    }
    Err(format!(
        "processes are started in `{}` all the time",
        from.display()
    ))
}

/// This process and all below it.
fn family() -> Vec<u32> {
    let mut all = Vec::new();
    let mut next = VecDeque::from([std::process::id()]);
    while let Some(pid) = next.pop_front() {
        let path = format!("/proc/{pid}/task");
        for thread in fs::read_dir(path).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            next.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        all.push(pid);
    }
    all
}

/// Has the kernel share these out below a group.
fn share(folder: &Path, controllers: &[Controller]) -> Result<(), (PathBuf, io::Error)> {
    let file = folder.join(SHARED);
    let shared = listed(&file);
    for controller in controllers.iter().filter(|one| !shared.contains(one)) {
        let text = format!("+{}", controller.name());
        if let Err(error) = append(&file, &text) {
            return Err((file, error));
        }
    }
    Ok(())
}

/// Has the kernel share out nothing more below a group, so that processes may be in it again.
fn keep(folder: &Path) -> io::Result<()> {
    let file = folder.join(SHARED);
    let shared = listed(&file).into_iter();
    let mut orders = shared.map(|controller| format!("-{}", controller.name()));
    orders.try_for_each(|order| append(&file, &order))
}

/// The kernel takes each write as an order; where a plain file plays it, orders stand one behind the other.
fn append(file: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::options().append(true).create(true).open(file)?;
    file.write_all(format!("{text} ").as_bytes())
}

/// Who else is in a group.
fn strangers(folder: &Path) -> String {
    let processes = fs::read_to_string(folder.join(PROCESSES)).unwrap_or_default();
    let named = processes.lines().take(3).map(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("`{}` ({pid})", name.trim())
    });
    let named: Vec<String> = named.collect();
    format!("others are in the same group: {}", named.join(", "))
}

/// Those of a file of the kernel's that we know.
fn listed(file: &Path) -> Vec<Controller> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let has = |one: &Controller| {
        text.split_whitespace()
            .any(|word| word.trim_start_matches('+') == one.name())
    };
    Controller::ALL.into_iter().filter(has).collect()
}

/// Removes the group of an instance whose processes have ended; whatever is left in the groups of its apps is ended, and this
/// process leaves it. For the guard.
pub(crate) fn remove(folder: &Path) {
    for group in folders(folder)
        .iter()
        .filter(|group| !group.ends_with(CONTROL))
    {
        let kill = group.join("cgroup.kill");
        // kernels before 5.14 have none; whoever carries the app's mark has been ended by then
        if kill.exists() {
            let _ = fs::write(kill, "1");
        }
    }
    let Some(root) = folder.parent() else { return };
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        for group in folders(folder)
            .iter()
            .filter(|group| !group.ends_with(CONTROL))
        {
            let _ = fs::remove_dir(group);
        }
        // from below: what a group shares out, the one above it must
        let _ = keep(folder);
        if !is_shared_by_others(root, folder) {
            let _ = keep(root);
        }
        let _ = fs::write(root.join(PROCESSES), std::process::id().to_string());
        remove_folders(folder);
        if !folder.exists() {
            return;
        }
    }
}

/// Whether what is shared out below a group is others' business: the kernel's uppermost group, which has no type, or one with
/// other groups in it.
fn is_shared_by_others(root: &Path, folder: &Path) -> bool {
    !root.join("cgroup.type").exists() || folders(root).iter().any(|other| other != folder)
}

/// A group and those in it, as far as the kernel lets go.
fn remove_folders(folder: &Path) {
    for group in folders(folder) {
        let _ = fs::remove_dir(group);
    }
    let _ = fs::remove_dir(folder);
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// The folder of the group that this process is in.
fn own() -> Result<PathBuf, String> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    place(&groups, &mounts).ok_or_else(|| "cgroup v2 is not mounted here".to_owned())
}

/// The line `0::/path` of `/proc/self/cgroup`, below where `/proc/self/mountinfo` (proc(5)) has a cgroup2: its fourth field is
/// the group that is mounted, its fifth where.
fn place(groups: &str, mounts: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        if after.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (mounted, at) = (fields.next()?, fields.next()?);
        let below = Path::new(group).strip_prefix(mounted).ok()?;
        // nothing of ours is reached through `..`
        let is_plain = below
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        is_plain.then(|| Path::new(at).join(below))
    })
}

fn prefix(name: &str) -> String {
    format!("mainstay-{}.", plain(name))
}

/// As a name of a folder, which cannot leave it.
fn plain(name: &str) -> String {
    let usual = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let letters = name.chars().take(64);
    letters
        .map(|letter| if usual(letter) { letter } else { '-' })
        .collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
