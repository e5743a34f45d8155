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

use rustls::ServerConfig;

use crate::channel::Channel;
use crate::script::{Act, After, Begins};
use crate::{Certificate, Script, eventually};

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
    tls: Option<Arc<ServerConfig>>,
    received: Mutex<Vec<Received>>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl Origin {
    /// A script whose first answer is these bytes.
    pub fn answers(bytes: impl AsRef<[u8]>) -> Script {
        Script::new(Vec::new()).then_answers(bytes)
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
        Script::new(vec![Act::Hang])
    }

    /// Opens on a free port of loopback.
    #[track_caller]
    pub(crate) fn open(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let stage = Arc::new(Stage {
            tls: script.certificate.as_ref().map(Certificate::config),
            script,
            received: Mutex::default(),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let host = Arc::clone(&stage);
        thread::spawn(move || host.admit(&listener));
        Self { address, stage }
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
            let stream = Channel::new(stream, self.tls.clone());
            thread::spawn(move || stage.play(connection, stream));
        }
    }

    fn play(&self, connection: usize, mut stream: Channel) {
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
                    let sent = stream.write_all(&bytes).and_then(|()| stream.flush());
                    if sent.is_err() || after == After::Close {
                        stream.close();
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

fn read_head(stream: &mut impl Read, unread: &mut Vec<u8>) -> Option<String> {
    let head = read_until(stream, unread, b"\r\n\r\n")?;
    Some(String::from_utf8_lossy(&head[..head.len() - 4]).into_owned())
}

fn read_body(head: &str, stream: &mut impl Read, unread: &mut Vec<u8>) -> Vec<u8> {
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
        let mut body = Vec::new();
        let _ = read_chunks(stream, unread, &mut body);
        return body;
    }
    let length = field("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    read_exactly(stream, unread, length)
}

/// Chunks and trailers as they come (RFC 9112, 7.1). None: they broke off.
fn read_chunks(stream: &mut impl Read, unread: &mut Vec<u8>, body: &mut Vec<u8>) -> Option<()> {
    const LINE_END: &[u8] = b"\r\n";
    loop {
        let line = read_until(stream, unread, LINE_END)?;
        let size = String::from_utf8_lossy(&line);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        body.extend_from_slice(&line);
        if size == 0 {
            break;
        }
        let chunk = read_exactly(stream, unread, size + LINE_END.len());
        body.extend_from_slice(&chunk);
    }
    loop {
        let line = read_until(stream, unread, LINE_END)?;
        body.extend_from_slice(&line);
        if line == LINE_END {
            return Some(());
        }
    }
}

fn read_exactly(stream: &mut impl Read, unread: &mut Vec<u8>, length: usize) -> Vec<u8> {
    while unread.len() < length {
        if !read_more(stream, unread) {
            break;
        }
    }
    unread.drain(..length.min(unread.len())).collect()
}

fn read_until(stream: &mut impl Read, unread: &mut Vec<u8>, marker: &[u8]) -> Option<Vec<u8>> {
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

fn read_more(stream: &mut impl Read, unread: &mut Vec<u8>) -> bool {
    let mut block = [0; 16 * 1024];
    match stream.read(&mut block) {
        Ok(count @ 1..) => {
            unread.extend_from_slice(&block[..count]);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
