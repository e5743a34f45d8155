//! The files that belong to the repository, as git knows them.
//!
//! What may not be here: opinions on them.

use std::fs;
use std::path::PathBuf;

use crate::command::{output, program, root};
use crate::failure::Failure;

/// A text file of the repository.
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// All text files: tracked, and new ones that are not ignored.
pub(crate) fn all() -> Result<Vec<Source>, Failure> {
    let listed = output(&mut program(
        "git",
        [
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ],
    ))?;
    let paths = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    // What is no text, or was deleted and not yet committed, has no words to judge.
    Ok(paths
        .filter_map(|path| {
            fs::read_to_string(root().join(&path))
                .ok()
                .map(|text| Source { path, text })
        })
        .collect())
}

impl Source {
    /// Whether the name ends so (`rs`, `md`).
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|own| own == extension)
    }
}
