//! How the program becomes the control plane: it executes itself, so that `ps` shows what it is and
//! nothing of what was typed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use mainstay_config::{Flags, Settings};
use mainstay_supervisor::os::inherited_fd;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::background::{self, Background};
use super::{handover, own};
use crate::failure::Failure;
use crate::{Outcome, commands, demo};

/// Names the descriptor across the exec. No setting can begin like this.
const VARIABLE: &str = "MAINSTAY_INTERNAL_INVOCATION_FD";

/// What the control plane is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) settings: Settings,
    /// The instance's name.
    pub(crate) name: String,
    pub(crate) origin: Origin,
    /// Where each setting that somebody gave came from.
    pub(crate) places: BTreeMap<String, String>,
    /// None: it stays where it was started, and writes to its standard output.
    pub(crate) background: Option<Background>,
}

/// What the settings were loaded from, beside the environment: all it takes to load them again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) flags: Flags,
    /// Where the command was given, as the shell named it.
    pub(crate) folder: PathBuf,
    /// The file that was read, if it said anything.
    pub(crate) file: Option<String>,
    pub(crate) greeting: Greeting,
}

impl Origin {
    /// Before anything was read.
    pub(crate) fn new(flags: Flags, folder: PathBuf, greeting: Greeting) -> Self {
        Self {
            flags,
            folder,
            file: None,
            greeting,
        }
    }

    /// The settings as they are now, with their places, or every complaint about them.
    pub(super) fn load(&self) -> Result<(Settings, BTreeMap<String, String>), Failure> {
        let loaded = commands::read(self.clone())?.loaded;
        let mut settings = loaded.settings;
        if let Greeting::Demo { links } = &self.greeting {
            demo::complete(&mut settings, links.as_deref());
        }
        Ok((settings, loaded.origins.places()))
    }
}

/// What is printed at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Greeting {
    /// What was decided.
    Usual,
    /// And what to try.
    Demo {
        /// The folder of the sample app's links, which goes with the instance; None: they are where the environment
        /// says.
        links: Option<PathBuf>,
    },
}

/// Executes this program again as `mainstay control NAME`: the same process, another title.
pub(crate) fn become_control(invocation: &Invocation) -> Outcome {
    let (mut command, _memory) = hand_over(invocation)?;
    let error = command.exec();
    Err(Failure::internal(HANDING_OVER, error))
}

/// `mainstay control NAME`, about to be executed, and the memory that it is told by, to be kept until it is.
pub(super) fn hand_over(invocation: &Invocation) -> Result<(Command, File), Failure> {
    let internal = |error: std::io::Error| Failure::internal(HANDING_OVER, error);
    let memory = memfd_create("mainstay-invocation", MemfdFlags::CLOEXEC)
        .map_err(|error| internal(error.into()))?;
    let mut file = File::from(memory);
    let json = serde_json::to_vec(invocation).map_err(|error| internal(error.into()))?;
    file.write_all(&json)
        .and_then(|()| file.rewind())
        .map_err(internal)?;
    fcntl_setfd(&file, FdFlags::empty()).map_err(|error| internal(error.into()))?;
    let program = std::env::current_exe().map_err(internal)?;
    let mut command = Command::new(program);
    command
        .arg0("mainstay")
        .args(["control", &invocation.name])
        .env(VARIABLE, file.as_raw_fd().to_string())
        .env(own::SMALL_PAGES.0, own::SMALL_PAGES.1);
    Ok((command, file))
}

const HANDING_OVER: &str = "handing over to the control plane";

/// The allocator switched them off for good, and workers would inherit that.
pub(super) fn allow_huge_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(false);
}

/// What [`hand_over`] left.
pub(super) fn receive() -> Result<Invocation, Failure> {
    let number = std::env::var(VARIABLE)
        .ok()
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            Failure::usage(
                "`mainstay control` is started by `mainstay run` and `mainstay start` only; try `mainstay run --help`",
            )
        })?;
    let internal = |error: std::io::Error| Failure::internal("taking over as control plane", error);
    let descriptor: OwnedFd = inherited_fd(number).map_err(internal)?;
    let mut json = Vec::new();
    File::from(descriptor)
        .read_to_end(&mut json)
        .map_err(internal)?;
    serde_json::from_slice(&json).map_err(|error| internal(error.into()))
}

/// The environment for everything below, without what is between us.
pub(super) fn environment() -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    std::env::vars_os()
        .filter(|(name, _)| {
            let ours = [VARIABLE, background::VARIABLE, own::SMALL_PAGES.0];
            let mut ours = ours.into_iter().chain(handover::VARIABLES);
            ours.all(|own| name != own)
        })
        .collect()
}
