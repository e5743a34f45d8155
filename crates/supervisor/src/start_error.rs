//! Why an app cannot be started at all. Sentences; decides nothing.

use std::path::PathBuf;

use thiserror::Error;

use crate::identity::IdentityError;
use crate::launch::LaunchError;
use crate::limits::LimitError;

/// Why an app cannot be started at all, found before any process is started.
#[derive(Debug, Error)]
pub enum StartError {
    /// What the user wants to run cannot be run.
    #[error("app `{app}`: {source}")]
    Launch {
        /// The app.
        app: String,
        /// Why.
        source: LaunchError,
    },
    /// As whom it should run cannot be.
    #[error("app `{app}`: {source}")]
    Identity {
        /// The app.
        app: String,
        /// Why.
        source: IdentityError,
    },
    /// What the kernel should let it have cannot be given.
    #[error("app `{app}`: {source}")]
    Limit {
        /// The app.
        app: String,
        /// Why.
        source: LimitError,
    },
    /// Several workers and one port that only one of them can have.
    #[error(
        "app `{app}` has {workers} workers and the fixed port {port}, which only one process can listen on: take `port` out \
         and let the app read the environment variable PORT, or use one worker"
    )]
    PortForMany {
        /// The app.
        app: String,
        /// The port.
        port: u16,
        /// How many workers.
        workers: u32,
    },
    /// The path of a worker's socket would be cut by the kernel.
    #[error(
        "the socket path `{}` has {length} bytes, more than {limit}: set MAINSTAY_RUNTIME_DIR to a shorter folder",
        .path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest that works.
        limit: usize,
    },
    /// Something the kernel refused.
    #[error("cannot {doing} `{}`: {source}", .path.display())]
    Io {
        /// What we wanted to do.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}
