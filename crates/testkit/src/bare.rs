//! An app without the program in front of it: the judge of what an answer should be.
//!
//! What may not be here: knowledge of the app. It is a command that listens on the port in `PORT`.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Folder, Output, Wire, eventually, free_port};

/// A running app; killed with all it started when dropped.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    address: SocketAddr,
    output: Output,
    folder: Folder,
}

impl Bare {
    /// Starts a command by the shell and waits until its port accepts.
    #[track_caller]
    pub(crate) fn start(command: &str, folder: Folder, path: &OsStr) -> Self {
        let port = free_port();
        let mut child = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", path)
            .env("PORT", port.to_string())
            .env("NODE_ENV", "production")
            .env_remove("NODE_OPTIONS")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{command}`: {error}"));
        let output = Output::default();
        output.collect(child.stdout.take().expect("it was piped"));
        output.collect(child.stderr.take().expect("it was piped"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let bare = Self {
            child,
            address,
            output,
            folder,
        };
        eventually(&format!("`{command}` to listen"), || {
            TcpStream::connect(address).ok()
        });
        bare
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// A connection to do anything with.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Wire {
        Wire::connect(self.address, self.output.clone())
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let leader = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // it may have ended by itself
            let _ = kill_process_group(leader, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
