//! A scripted server: answers with the bytes it was told to, and misbehaves on request.
//!
//! ```no_run
//! use mainstay_testkit::Origin;
//!
//! let origin = Origin::answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").then_closes().start();
//! println!("{}", origin.address());
//! ```
//!
//! What may not be here: help for the answer to be right. Requests are read just far enough to know where
//! they end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::eventually;

/// What the origin does with one request.
#[derive(Clone, Debug)]
enum Act {
    /// Writes these bytes, and keeps the connection or closes it.
    Write(Vec<u8>, After),
    /// Says nothing and keeps the connection open.
    Hang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    Close,
}

/// When an act begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// Once the request is whole.
    AfterBody,
    /// As soon as its head is there.
    AfterHead,
}

/// A script: one act for each request, in order of arrival; the last one is repeated.
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until it is started"]
pub struct Script {
    acts: Vec<Act>,
    begins: Begins,
}

/// One request as the origin received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The how-manieth connection it came on, from 0.
    pub connection: usize,
    /// Head as received, without the empty line.
    pub head: String,
    /// Body as received, chunking included.
    pub body: Vec<u8>,
}

/// A running origin; stops when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    stage: Arc<Stage>,
}

#[derive(Debug)]
struct Stage {
    script: Script,
    received: Mutex<Vec<Received>>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl Origin {
    /// A script whose first answer is these bytes.
    pub fn answers(bytes: impl AsRef<[u8]>) -> Script {
        Script {
            acts: Vec::new(),
            begins: Begins::AfterBody,
        }
        .then_answers(bytes)
    }

    /// A script that answers 200 with this text.
    pub fn says(text: &str) -> Script {
        Self::answers(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        ))
    }

    /// A script that closes the first connection without a byte.
    pub fn closes() -> Script {
        Self::answers("").then_closes()
    }

    /// A script that never answers.
    pub fn hangs() -> Script {
        Script {
            acts: vec![Act::Hang],
            begins: Begins::AfterBody,
        }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.stage
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until that many requests have come, and returns them.
    #[must_use]
    #[track_caller]
    pub fn received_eventually(&self, count: usize) -> Vec<Received> {
        eventually("requests at the origin", || {
            Some(self.received()).filter(|received| received.len() >= count)
        })
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.stage.connections.load(Ordering::SeqCst)
    }
}

impl Script {
    /// Answers the next request with these bytes and keeps the connection.
    pub fn then_answers(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.acts
            .push(Act::Write(bytes.as_ref().to_vec(), After::Keep));
        self
    }

    /// Closes the connection after the last answer named.
    pub fn then_closes(mut self) -> Self {
        match self.acts.last_mut() {
            Some(Act::Write(_, after)) => *after = After::Close,
            _ => self.acts.push(Act::Write(Vec::new(), After::Close)),
        }
        self
    }

    /// Leaves the next request without an answer.
    pub fn then_hangs(mut self) -> Self {
        self.acts.push(Act::Hang);
        self
    }

    /// Answers as soon as a request's head is there, without reading its body.
    pub fn early(mut self) -> Self {
        self.begins = Begins::AfterHead;
        self
    }

    /// Opens the house on a free port of loopback.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let stage = Arc::new(Stage {
            script: self,
            received: Mutex::default(),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let house = Arc::clone(&stage);
        thread::spawn(move || house.admit(&listener));
        Origin { address, stage }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stage.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address)); // wakes the accepting thread
        for stream in self
            .stage
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Stage {
    fn admit(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let connection = self.connections.fetch_add(1, Ordering::SeqCst);
            self.open
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(stream.try_clone());
            let stage = Arc::clone(self);
            thread::spawn(move || stage.play(connection, stream));
        }
    }

    fn play(&self, connection: usize, mut stream: TcpStream) {
        let mut unread = Vec::new();
        while let Some(head) = read_head(&mut stream, &mut unread) {
            let early = self.script.begins == Begins::AfterHead;
            let body = if early {
                Vec::new()
            } else {
                read_body(&head, &mut stream, &mut unread)
            };
            let act = self.next_act(Received {
                connection,
                head,
                body,
            });
            match act {
                Act::Hang => {}
                Act::Write(bytes, after) => {
                    let sent = stream.write_all(&bytes).is_ok();
                    if !sent || after == After::Close {
                        let _ = stream.shutdown(std::net::Shutdown::Both);
                        return;
                    }
                }
            }
        }
    }

    fn next_act(&self, request: Received) -> Act {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request);
        self.script.acts[(received.len() - 1).min(self.script.acts.len() - 1)].clone()
    }
}

fn read_head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<String> {
    let head = read_until(stream, unread, b"\r\n\r\n")?;
    Some(String::from_utf8_lossy(&head[..head.len() - 4]).into_owned())
}

fn read_body(head: &str, stream: &mut TcpStream, unread: &mut Vec<u8>) -> Vec<u8> {
    let field = |name: &str| {
        let mut fields = head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        fields
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    if field("transfer-encoding").is_some() {
        // Good enough for what tests send: no chunk holds this sequence.
        return read_until(stream, unread, b"0\r\n\r\n").unwrap_or_default();
    }
    let length = field("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    while unread.len() < length {
        if !read_more(stream, unread) {
            break;
        }
    }
    unread.drain(..length.min(unread.len())).collect()
}

fn read_until(stream: &mut TcpStream, unread: &mut Vec<u8>, marker: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(position) = unread
            .windows(marker.len())
            .position(|window| window == marker)
        {
            return Some(unread.drain(..position + marker.len()).collect());
        }
        if !read_more(stream, unread) {
            return None;
        }
    }
}

fn read_more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> bool {
    let mut block = [0; 64 * 1024];
    match stream.read(&mut block) {
        Ok(count @ 1..) => {
            unread.extend_from_slice(&block[..count]);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Output, Wire};

    use super::*;

    fn wire(origin: &Origin) -> Wire {
        Wire::connect(origin.address().parse().unwrap(), Output::default())
    }

    #[test]
    fn answers_in_order_and_repeats_the_last() {
        let origin = Origin::says("one")
            .then_answers("HTTP/1.1 204 No Content\r\n\r\n")
            .start();
        let mut wire = wire(&origin);
        let _ = wire
            .send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab")
            .response()
            .expect(200)
            .body_is("one");
        let _ = wire
            .send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            .response()
            .expect(204);
        let _ = wire.response().expect(204);
        assert_eq!(origin.connections(), 1);
        assert_eq!(origin.received()[0].body, b"ab");
    }

    #[test]
    fn a_cut_answer_is_seen_as_broken() {
        for cut in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ] {
            let origin = Origin::answers(cut).then_closes().start();
            let _ = wire(&origin)
                .send("GET / HTTP/1.1\r\n\r\n")
                .response()
                .expect_broken()
                .body_is("half");
        }
    }

    #[test]
    fn chunks_and_trailers_are_read() {
        let origin = Origin::answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nSum: 7\r\n\r\n").start();
        let response = wire(&origin)
            .send("GET / HTTP/1.1\r\n\r\n")
            .response()
            .expect(200)
            .body_is("abc");
        assert_eq!(response.trailers, [("Sum".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn an_early_answer_does_not_wait_for_the_body() {
        let origin = Origin::answers("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            .then_closes()
            .early()
            .start();
        let _ = wire(&origin)
            .send("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            .response()
            .expect(413);
    }

    #[test]
    fn a_closed_connection_is_noticed() {
        let origin = Origin::closes().start();
        assert!(
            wire(&origin)
                .send("GET / HTTP/1.1\r\n\r\n")
                .is_closed_eventually()
        );
    }
}
