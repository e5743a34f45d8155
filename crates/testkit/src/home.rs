//! What one user's commands share when apps run in the background: folders for state, logs and sockets, and the folder
//! in which they are typed. What still runs at the end is ended with it.
//!
//! What may not be here: any folder of the user who runs the tests.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Folder, Mainstay, Output, Response, Wire};

/// See the module.
#[derive(Debug)]
pub struct Home {
    folder: Folder,
}

impl Home {
    /// One in which nothing runs.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self {
            folder: Folder::new(),
        }
    }

    /// Writes a file into the folder in which commands are typed.
    #[track_caller]
    pub fn file(&self, name: &str, text: &str) -> &Self {
        self.folder.write(name, text);
        self
    }

    /// The folder in which commands are typed.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Below it stand `state`, `log` and `run`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join(".home")
    }

    /// What was written into a log file of an instance.
    #[must_use]
    pub fn log(&self, instance: &str, file: &str) -> String {
        let path = self.home().join("log").join(instance).join(file);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// `mainstay LINE`, its words divided by spaces.
    #[track_caller]
    pub fn say(&self, line: &str) -> Mainstay {
        let start = Mainstay::say([]);
        let said = line
            .split_whitespace()
            .fold(start, |said, word| said.flags([word]));
        said.typed_in(self.path())
            .env("MAINSTAY_HOME", self.home())
            .env("MAINSTAY_RUNTIME_DIR", OsString::new())
    }

    /// One request to an address that was printed, on a connection of its own.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn get(&self, address: &str, path: &str) -> Response {
        let address: SocketAddr = address
            .parse()
            .unwrap_or_else(|error| panic!("`{address}` is no address: {error}"));
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        Wire::connect(address, Output::default())
            .send(request)
            .response()
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // the second time it hurries; a test that went well has stopped everything
        for _ in 0..2 {
            let program = Mainstay::say([]).program().to_owned();
            let stop = Command::new(program)
                .args(["stop", "all"])
                .env("MAINSTAY_HOME", self.home())
                .env("MAINSTAY_RUNTIME_DIR", "")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            if let Ok(mut stop) = stop {
                let _ = stop.wait();
            }
        }
    }
}
