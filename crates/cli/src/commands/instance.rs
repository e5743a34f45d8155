//! A running instance, as commands reach it: found by name or because it is the only one, asked over its
//! admin socket. Prints nothing, but that versions differ.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};
use serde::Serialize;

use crate::control::runtime_dir;
use crate::failure::Failure;
use crate::listing::Listing;
use crate::order::{Ending, Told, VERSION_FIELD};
use crate::say;

/// Of an answer.
pub(super) type Lines = io::Lines<BufReader<UnixStream>>;

/// How long an instance may take to a plain question.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many programs an order follows: more upgrades at once than anybody means.
const MOST_PROGRAMS: u32 = 16;
/// Between the last word of an instance that stops and the end of its process.
const AFTERMATH: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Commands that ask several instances say it once.
static IS_SKEW_SAID: AtomicBool = AtomicBool::new(false);

/// An instance that runs, or ran a moment ago.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) name: String,
    socket: PathBuf,
}

impl Instance {
    /// The one of that name; without a name, the only one.
    pub(crate) fn find(name: Option<&str>) -> Result<Self, Failure> {
        let mut found = runtime_dir::instances();
        if let Some(name) = name {
            found.retain(|(known, _)| known == name);
        }
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|(name, _)| format!("`{name}`")).collect();
            return Err(Failure::usage(format!(
                "several instances are running: {}; say which with `--name`",
                names.join(", ")
            )));
        }
        match (found.pop(), name) {
            (Some((name, socket)), _) => Ok(Self { name, socket }),
            (None, Some(name)) => Err(Failure::usage(format!(
                "no instance `{name}` of yours is running; `mainstay run` starts one"
            ))),
            (None, None) => Err(Failure::usage(
                "no instance of yours is running; `mainstay run` starts one",
            )),
        }
    }

    /// All that run.
    pub(super) fn all() -> Vec<Self> {
        let found = runtime_dir::instances().into_iter();
        found.map(|(name, socket)| Self { name, socket }).collect()
    }

    /// Whether anybody listens to it.
    pub(super) fn is_there(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// What it says of itself.
    pub(super) fn listing(&self) -> Result<Listing, Failure> {
        let text = self.ask("/list.json")?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::machine(format!(
                "instance `{}` speaks another version: {error}; `mainstay stop --name {}` and a new start bring it to this one",
                self.name, self.name
            ))
        })
    }

    /// The answer to a GET.
    pub(crate) fn ask(&self, path: &str) -> Result<String, Failure> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        let (_, body) = self
            .exchange(head.as_bytes())
            .map_err(|error| self.silent(&error))?;
        Ok(body)
    }

    /// The answer to a POST.
    pub(super) fn ask_about(&self, path: &str, body: &[u8]) -> Result<String, Failure> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (head, answer) = self
            .exchange(&[head.as_bytes(), body].concat())
            .map_err(|error| self.silent(&error))?;
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200 ") {
            let reason = answer.trim_end();
            return Err(Failure::machine(format!(
                "instance `{}` refused: {reason}",
                self.name
            )));
        }
        Ok(answer)
    }

    /// One request and its answer: head and body.
    fn exchange(&self, request: &[u8]) -> io::Result<(String, String)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or(io::ErrorKind::InvalidData)?;
        head.lines().for_each(|line| self.note_skew(line));
        Ok((head.to_owned(), body.to_owned()))
    }

    /// Gives an order and hands on what is told until the instance has done it; if it becomes another program before it
    /// has begun with it, to that one. `None`: it ended before it said so.
    pub(super) fn order(
        &self,
        path: &str,
        body: &[u8],
        mut each: impl FnMut(&str),
    ) -> Result<Option<Ending>, Failure> {
        for program in 0..MOST_PROGRAMS {
            let mut has_begun = false;
            let ending = self.order_once(path, body, &mut |sentence: &str| {
                has_begun = true;
                each(sentence);
            })?;
            // the new one may become yet another program before it has heard
            let is_unheard = ending.is_none() && !has_begun && program > 0 && self.is_there();
            if !is_unheard && !ending.as_ref().is_some_and(|ending| ending.ask_next) {
                return Ok(ending);
            }
            each("Mainstay is upgraded just now; the new one is asked");
        }
        Ok(Some(Ending::ask_next()))
    }

    fn order_once(
        &self,
        path: &str,
        body: &[u8],
        each: &mut impl FnMut(&str),
    ) -> Result<Option<Ending>, Failure> {
        for line in self.post(path, body)?.map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Told::Progress(sentence)) => each(&sentence),
                Ok(Told::Done(ending)) => return Ok(Some(ending)),
                Err(error) => {
                    return Err(Failure::machine(format!(
                        "instance `{}` speaks another version: {error}",
                        self.name
                    )));
                }
            }
        }
        Ok(None)
    }

    /// The lines of an answer that goes on for as long as it is read.
    pub(super) fn stream(&self, path: &str, wish: &impl Serialize) -> Result<Lines, Failure> {
        let body =
            serde_json::to_vec(wish).map_err(|error| Failure::internal("the wish", error))?;
        self.post(path, &body)
    }

    /// The lines of the answer to a POST, behind its head.
    fn post(&self, path: &str, body: &[u8]) -> Result<Lines, Failure> {
        let silent = |error: &io::Error| self.silent(error);
        let mut stream = UnixStream::connect(&self.socket).map_err(|error| silent(&error))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .map_err(|error| silent(&error))?;
        let mut lines = BufReader::new(stream).lines();
        let Some(Ok(status)) = lines.next() else {
            // it ended, or became another program, before it had heard
            return Ok(lines);
        };
        // the rest of the head
        for line in lines.by_ref().map_while(Result::ok) {
            if line.is_empty() {
                break;
            }
            self.note_skew(&line);
        }
        if !status.contains(" 200 ") {
            let reason = lines.next().and_then(Result::ok).unwrap_or(status);
            return Err(Failure::machine(format!(
                "instance `{}` refused: {reason}",
                self.name
            )));
        }
        Ok(lines)
    }

    /// A line of an answer's head may say that another version answers. That is said, once: both understand each other in
    /// what both have.
    fn note_skew(&self, line: &str) {
        let own = env!("CARGO_PKG_VERSION");
        let Some((name, version)) = line.split_once(':') else {
            return;
        };
        let version = version.trim();
        if !name.eq_ignore_ascii_case(VERSION_FIELD) || version == own {
            return;
        }
        if !IS_SKEW_SAID.swap(true, Ordering::Relaxed) {
            // it is told by whoever answers: nothing else of it reaches a terminal
            let is_plain = |character: char| character.is_ascii_graphic();
            let version: String = version
                .chars()
                .filter(|one| is_plain(*one))
                .take(64)
                .collect();
            say::note(&format!(
                "instance `{}` is Mainstay {version}, this command is {own}; `mainstay upgrade` brings it to the program in its file",
                self.name
            ));
        }
    }

    /// Waits for the end of the instance's process, from now on or from before: whatever `stop` does meanwhile
    /// is part of the wait.
    pub(super) fn outlive(&self, stop: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
        let stream = UnixStream::connect(&self.socket).map_err(|error| self.silent(&error))?;
        // a descriptor, not a number: nobody else can get it meanwhile
        let process = rustix::net::sockopt::socket_peercred(&stream)
            .and_then(|peer| pidfd_open(peer.pid, PidfdFlags::empty()))
            .map_err(|error| self.silent(&error.into()))?;
        drop(stream);
        stop()?;
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        // nobody says any more how it goes, and yet the process stays: it may have become another program just then, which
        // has not heard of it
        while let Ok(0) = poll(&mut ended, Some(&AFTERMATH)) {
            if self.is_there() {
                let _ = stop();
            }
        }
        while poll(&mut ended, None).is_err() {}
        Ok(())
    }

    fn silent(&self, error: &io::Error) -> Failure {
        Failure::machine(format!(
            "`{}` does not answer: {error}; is the instance still running?",
            self.socket.display()
        ))
    }
}
