//! A real Redis of one's own, on a free port, that can be killed, stopped, paused and made to fail.
//!
//! What may not be here: a client for tests' own logic. What is said to it here only sets the scene.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Certificate, Folder, eventually, free_port};

/// A running `redis-server` without persistence. Ended with its value.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    words: Vec<String>,
    folder: Folder,
    child: Option<Child>,
}

impl Redis {
    /// Starts one, and waits until it answers.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that is a cluster of its own. Its bus has a port of its own: the usual one, ten thousand above, is none for every port.
    #[must_use]
    #[track_caller]
    pub fn start_cluster() -> Self {
        let bus = free_port().to_string();
        Self::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus])
    }

    /// As [`Redis::start`], with further words of its command line, as `--requirepass s3cret`.
    #[must_use]
    #[track_caller]
    pub fn start_with(words: &[&str]) -> Self {
        let memory = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
        let words = memory.iter().chain(words);
        Self::start_in(Folder::new(), free_port(), words.copied())
    }

    /// As [`Redis::start`], one that also speaks TLS and shows this certificate: [`Redis::tls_address`].
    #[must_use]
    #[track_caller]
    pub fn start_over_tls(certificate: &Certificate) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        folder.write("certificate.pem", &certificate.pem);
        folder.write("key.pem", &certificate.key);
        let tls_port = (port + 1).to_string();
        let tls = [
            ["--tls-port", &tls_port],
            ["--tls-cert-file", "certificate.pem"],
            ["--tls-key-file", "key.pem"],
            ["--tls-auth-clients", "no"],
            ["--save", ""],
        ];
        Self::start_in(folder, port, tls.into_iter().flatten())
    }

    #[track_caller]
    pub(crate) fn start_in<'a>(
        folder: Folder,
        port: u16,
        words: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut redis = Self {
            port,
            words: words.map(str::to_owned).collect(),
            folder,
            child: None,
        };
        redis.again();
        redis
    }

    /// Its address, without a password.
    #[must_use]
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it speaks TLS, if it was started so, by this name of loopback.
    #[must_use]
    pub fn tls_address(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.port + 1)
    }

    /// Its port on loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Kills it: its connections break, and nobody listens any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again at the same port, empty; waits until it answers.
    #[track_caller]
    pub fn again(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(&self.words)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server cannot be started: {error}; `cargo xtask test` installs it")
            });
        self.child = Some(child);
        eventually("redis-server to answer", || self.tell(&["PING"]).ok());
    }

    /// Stops it without ending it: connections stay open, nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Says one command, and returns the first line of what it answers, errors too.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn tell(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let said = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let message = format!("*{}\r\n{}", words.len(), said.collect::<String>());
        stream.write_all(message.as_bytes())?;
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut line)?;
        if let Some(length) = line
            .strip_prefix('$')
            .and_then(|length| length.trim().parse().ok())
        {
            let mut text = vec![0; length];
            reader.read_exact(&mut text)?;
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        if line.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .child
            .as_ref()
            .and_then(|child| i32::try_from(child.id()).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // one that has just ended is no failure
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
