//! What workers wrote, as a running instance tells it to `mainstay logs`. Does nothing with it.

use std::path::PathBuf;

use mainstay_supervisor::output::{LineEnd, Stream};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LogWish {
    /// Of these apps; of all, if none is named.
    pub(crate) apps: Vec<String>,
    /// What comes from now on is told too.
    pub(crate) follow: bool,
}

impl LogWish {
    pub(crate) fn means(&self, app: &str) -> bool {
        self.apps.is_empty() || self.apps.iter().any(|named| named == app)
    }
}

/// What is told, in this order: the memory, its lines, `Now`, what comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Memory(Memory),
    Line(Said),
    /// So many lines are missing here: they came faster than they were taken.
    Missed(u64),
    /// What was remembered has been told.
    Now,
}

/// How far back is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// When the instance began, in milliseconds since 1970.
    pub(crate) began_ms: u64,
    pub(crate) apps: Vec<Remembered>,
    /// How long log files were when all that is remembered, and nothing else, had been written to them.
    pub(crate) files: Vec<FileLength>,
}

/// How far back is remembered of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) app: String,
    /// Since then nothing is missing; milliseconds since 1970.
    pub(crate) since_ms: u64,
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileLength {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
}

/// A line, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Counted over all lines of the instance.
    pub(crate) number: u64,
    /// When it was read, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) app: String,
    /// Its number within the app.
    pub(crate) worker: u32,
    pub(crate) stream: Stream,
    /// Without its newline; bytes that were no UTF-8 are U+FFFD.
    pub(crate) text: String,
    /// It goes on with the piece before it.
    pub(crate) is_continued: bool,
    pub(crate) end: LineEnd,
}
