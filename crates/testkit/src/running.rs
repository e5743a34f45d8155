//! The program while it runs: ask it, read it, stop it.
//!
//! What may not be here: a way to leave it running. Dropping the value kills the whole tree and reaps it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::processes::{self, Process};
use crate::{Folder, Output, Response, Wire, eventually};

/// A started program.
#[derive(Debug)]
#[must_use = "it is killed as soon as the value goes"]
pub struct Running {
    child: Child,
    address: SocketAddr,
    output: Output,
    folder: Folder,
    status: Option<ExitStatus>,
}

impl Running {
    #[track_caller]
    pub(crate) fn wait_for_address(child: Child, output: Output, folder: Folder) -> Self {
        let mut running = Self::without_address(child, output, folder);
        running.address = eventually("a line with the address", || {
            let text = running.output.text();
            if let Some(address) = address_in(&text) {
                return Some(address);
            }
            if let Some(status) = running.ended() {
                running.output.wait_for_end();
                panic!(
                    "the program ended ({status}) before it said its address\n{}",
                    running.output.text()
                );
            }
            None
        });
        running
    }

    pub(crate) fn without_address(child: Child, output: Output, folder: Folder) -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            child,
            address,
            output,
            folder,
            status: None,
        }
    }

    /// The address that was printed first, on loopback where it was "any".
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// GET, on a connection of its own.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, [])
    }

    /// GET with more header fields.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn get_with<const N: usize>(&self, path: &str, fields: [(&str, &str); N]) -> Response {
        self.send("GET", path, fields, b"")
    }

    /// POST with a body of known length.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn post<const N: usize>(
        &self,
        path: &str,
        fields: [(&str, &str); N],
        body: impl AsRef<[u8]>,
    ) -> Response {
        self.send("POST", path, fields, body.as_ref())
    }

    /// Sends these bytes on a connection of its own and reads one response.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn request(&self, bytes: impl AsRef<[u8]>) -> Response {
        self.connect().send(bytes).response()
    }

    /// A connection to do anything with.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Wire {
        Wire::connect(self.address, self.output.clone())
    }

    /// A connection to another port of the program, for a second listener.
    #[must_use]
    #[track_caller]
    pub fn connect_to(&self, address: SocketAddr) -> Wire {
        Wire::connect(address, self.output.clone())
    }

    /// The control plane's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ids of all living processes below the control plane.
    #[must_use]
    pub fn descendants(&self) -> Vec<i32> {
        Process::tree(self.child.id().cast_signed())
            .into_iter()
            .skip(1)
            .map(Process::pid)
            .collect()
    }

    /// Where the app's files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything written so far, standard output and standard error together.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// The output, to be read on after the program was stopped.
    #[must_use]
    pub fn follow(&self) -> Output {
        self.output.clone()
    }

    /// Waits until this has been written.
    #[track_caller]
    pub fn output_contains_eventually(&self, part: &str) -> &Self {
        let found = self.output.wait(|text| text.contains(part).then_some(()));
        assert!(
            found.is_some(),
            "waited in vain to read `{part}` in\n{}",
            self.output.text()
        );
        self
    }

    /// Expects this never to have been written so far.
    #[track_caller]
    pub fn output_lacks(&self, part: &str) -> &Self {
        let text = self.output.text();
        assert!(!text.contains(part), "did not expect `{part}` in\n{text}");
        self
    }

    /// SIGHUP to the control plane.
    pub fn hang_up(&self) -> &Self {
        processes::signal(self.child.id().cast_signed(), Signal::HUP);
        self
    }

    /// SIGTERM to the control plane.
    pub fn terminate(&self) -> &Self {
        processes::signal(self.child.id().cast_signed(), Signal::TERM);
        self
    }

    /// SIGTERM to one process below the program.
    #[track_caller]
    pub fn terminate_process(&self, pid: i32) {
        assert!(
            self.descendants().contains(&pid),
            "{pid} is no process below the program"
        );
        processes::signal(pid, Signal::TERM);
    }

    /// SIGKILL to one process below the program.
    #[track_caller]
    pub fn kill(&self, pid: i32) {
        assert!(
            self.descendants().contains(&pid),
            "{pid} is no process below the program"
        );
        processes::signal(pid, Signal::KILL);
    }

    /// SIGKILL to every process below the program that `ps` shows as `mainstay ROLE`; one that has just gone is no
    /// failure.
    pub fn kill_every(&self, role: &str) {
        let begins = format!("mainstay\0{role}\0");
        for process in Process::tree(self.child.id().cast_signed()) {
            let words = std::fs::read_to_string(format!("/proc/{}/cmdline", process.pid()));
            if words.is_ok_and(|words| words.starts_with(&begins)) {
                process.kill();
            }
        }
    }

    /// SIGKILL to a process if it is still below the program, for tests that race it.
    pub fn kill_if_there(&self, pid: i32) {
        if self.descendants().contains(&pid) {
            processes::signal(pid, Signal::KILL);
        }
    }

    /// The words by which `ps` shows a process: the control plane's, or one's below it.
    #[must_use]
    #[track_caller]
    pub fn words_of(&self, pid: i32) -> Vec<String> {
        let words = std::fs::read(format!("/proc/{pid}/cmdline"))
            .unwrap_or_else(|error| panic!("cannot read the words of {pid}: {error}"));
        words
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }

    /// SIGTERM, then waits for the end of the program and of everything below it.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        let tree = Process::tree(self.child.id().cast_signed());
        processes::signal(self.child.id().cast_signed(), Signal::TERM);
        let status = eventually("the end after SIGTERM", || self.ended());
        eventually("the end of everything below the program", || {
            tree.iter().all(|process| !process.lives()).then_some(())
        });
        self.output.wait_for_end();
        status
    }

    /// SIGKILL to the control plane alone, then waits for the end of everything that was below it.
    #[track_caller]
    pub fn kill_and_expect_nobody_left(&mut self) {
        let tree = Process::tree(self.child.id().cast_signed());
        processes::signal(self.child.id().cast_signed(), Signal::KILL);
        eventually("the end after SIGKILL", || self.ended());
        eventually("the end of everything below a killed program", || {
            tree.iter().all(|process| !process.lives()).then_some(())
        });
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    #[track_caller]
    fn send<const N: usize>(
        &self,
        method: &str,
        path: &str,
        fields: [(&str, &str); N],
        body: &[u8],
    ) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let host = self.address.to_string();
        let mut named: Vec<(&str, &str)> = fields.to_vec();
        if !named
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            named.insert(0, ("Host", &host));
        }
        let length = body.len().to_string();
        if method != "GET" {
            named.push(("Content-Length", &length));
        }
        named.push(("Connection", "close"));
        for (name, value) in named {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.connect()
            .send([head.as_bytes(), body].concat())
            .response()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.child.id().cast_signed();
        let tree = if self.ended().is_none() {
            Process::tree(pid)
        } else {
            Vec::new()
        };
        if self.status.is_none()
            && let Some(group) = Pid::from_raw(pid)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        for process in &tree {
            process.kill();
        }
        let _ = self.child.wait();
    }
}

/// The first `http://ADDRESS` with a number for a host.
fn address_in(text: &str) -> Option<SocketAddr> {
    // A line that is still being written may show half a port.
    let whole = &text[..=text.rfind('\n')?];
    whole.split("http://").skip(1).find_map(|rest| {
        let end = rest.find(|character: char| {
            !(character.is_ascii_alphanumeric() || ".:[]".contains(character))
        });
        let host = rest[..end.unwrap_or(rest.len())].trim_end_matches([':', '.']);
        let host = host.replace("localhost", "127.0.0.1");
        let mut address: SocketAddr = host.parse().ok()?;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_many_sentences() {
        for (text, expected) in [
            (
                "listening on http://127.0.0.1:4001\n",
                Some("127.0.0.1:4001"),
            ),
            (
                "  address  http://0.0.0.0:80 (flag)\n",
                Some("127.0.0.1:80"),
            ),
            ("http://[::]:3000, 2 workers\n", Some("127.0.0.1:3000")),
            ("http://[::1]:3000.\n", Some("[::1]:3000")),
            (
                "see http://example.com:1 or http://localhost:5/x\n",
                Some("127.0.0.1:5"),
            ),
            ("http://127.0.0.1:40", None),
            ("starting\n", None),
        ] {
            assert_eq!(
                address_in(text),
                expected.map(|address| address.parse().unwrap()),
                "{text}"
            );
        }
    }
}
