//! The decision: target to program, arguments, folder and runtime. Starts nothing but `node --version`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{LaunchError, Runtime, Target};

/// What is executed for an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// Folders put in front of `PATH`, the nearest first (`node_modules/.bin`).
    pub path_prefix: Vec<PathBuf>,
    /// How it is told where to listen.
    pub runtime: Runtime,
    /// A name for the app: the package's, else the folder's.
    pub name: String,
    /// What is run, in one line for people: the words of the script or command.
    pub shown: String,
}

impl Launch {
    /// Finds out how to run `target`. `environment` tells the `PATH` in which `node` is looked for, `cwd` is what
    /// relative paths are relative to.
    ///
    /// # Errors
    /// Each [`LaunchError`] says what was looked for.
    pub fn resolve(
        target: &Target,
        environment: &BTreeMap<OsString, OsString>,
        cwd: &Path,
    ) -> Result<Self, LaunchError> {
        let _ = (target, environment, cwd);
        Err(LaunchError::Empty)
    }
}
