//! The preload script that gives unmodified Node apps their worker socket, and the environment it needs. The script
//! decides nothing about traffic.

pub(crate) mod environment;
pub(crate) mod message;
pub(crate) mod speech;

use std::io;
use std::path::{Path, PathBuf};

/// The script, as it is written to the runtime folder.
pub const PRELOAD: &str = include_str!("preload.cjs");

/// Its file's name there.
pub const PRELOAD_NAME: &str = "preload.cjs";

/// Writes the script to `folder` and returns its path. An old one is replaced in one step, so that a worker starting at
/// this moment reads one of the two whole.
///
/// # Errors
/// What the kernel said about writing there.
pub fn install(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(PRELOAD_NAME);
    // one that is there already needs no room on a disk that may be full
    if std::fs::read(&path).is_ok_and(|present| present == PRELOAD.as_bytes()) {
        return Ok(path);
    }
    let fresh = folder.join(format!(".preload.{}", std::process::id()));
    std::fs::write(&fresh, PRELOAD)?;
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}
