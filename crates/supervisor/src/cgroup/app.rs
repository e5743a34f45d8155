//! The group of one app: made when a process of it is started, with what its limits say then. Decides nothing.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::limits::{Controller, GroupLimits};

/// The file whose lines are the processes of a group; who writes `0` there enters it.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// The group of one app.
#[derive(Debug, Clone)]
pub(crate) struct AppGroup {
    pub(super) folder: PathBuf,
    pub(super) limits: GroupLimits,
    /// What can be shared out here.
    pub(super) controllers: Vec<Controller>,
}

impl AppGroup {
    /// The door that a child enters by, before it becomes the app. The group is there then, and has its limits.
    ///
    /// # Errors
    /// What the kernel says, with the path.
    pub(crate) fn door(&self) -> io::Result<OwnedFd> {
        let told = |error: io::Error, path: PathBuf| {
            let text = format!("its control group, `{}`: {error}", path.display());
            io::Error::other(text)
        };
        if let Err(error) = fs::create_dir(&self.folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(told(error, self.folder.clone()));
        }
        for line in self.limits.lines() {
            if !self.controllers.contains(&line.controller) {
                continue;
            }
            let path = self.folder.join(line.file);
            // also where a release before this one had a limit
            let text = line.value.unwrap_or_else(|| "max".to_owned());
            fs::write(&path, text).map_err(|error| told(error, path))?;
        }
        let path = self.folder.join(PROCESSES);
        let mut options = File::options();
        let door = options.write(true).create(true).truncate(false).open(&path);
        Ok(door.map_err(|error| told(error, path))?.into())
    }

    /// The limit of memory, where the kernel has ended somebody for it.
    pub(crate) fn overrun(&self) -> Option<u64> {
        let limit = self.limits.memory?;
        let events = fs::read_to_string(self.folder.join("memory.events")).ok()?;
        let mut lines = events.lines();
        let count: u64 = lines.find_map(|line| line.strip_prefix("oom ")?.trim().parse().ok())?;
        (count > 0).then_some(limit)
    }
}
