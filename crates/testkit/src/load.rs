//! Load: clients that ask, wait for the answer, and ask again on the same connection; every failure is kept,
//! with its kind and moment.
//!
//! ```no_run
//! use mainstay_testkit::{Load, Mainstay};
//!
//! let mainstay = Mainstay::run("server.js").app("express4").start();
//! let load = Load::new().gets(4).posts(4).on(mainstay.address());
//! load.wait_for_answers(500);
//! // ... what must not lose a request ...
//! load.stop().expect_no_failure();
//! ```
//!
//! What may not be here: sending anything again. What fails has failed; whether it may is the test's to say.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::message::{Body, NOTHING, Reader};
use crate::{Ending, eventually, patience};

/// Clients about to be started.
#[derive(Clone, Debug)]
#[must_use = "nobody asks until `on`"]
pub struct Load {
    gets: usize,
    posts: usize,
    path: String,
    post_path: String,
    thinks: Duration,
    keeping: Keeping,
    targets: Targets,
}

/// What the requests of one client ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Targets {
    Same,
    /// Each has a query of its own.
    Numbered,
}

/// Whether each answer is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Counts,
    Answers,
}

/// Clients at work.
#[derive(Debug)]
#[must_use = "it is judged by what `stop` gives"]
pub struct Loading {
    book: Arc<Book>,
    clients: Vec<JoinHandle<()>>,
}

/// What came of it.
#[derive(Debug)]
#[must_use = "a load that nobody judges proves nothing"]
pub struct Outcome {
    /// Whole answers with a status below 400, by method.
    pub answered: BTreeMap<&'static str, u64>,
    /// Each whole answer, of [`Load::remembering`] clients, in the order in which they came.
    pub remembered: Vec<Answer>,
    /// Everything else, in order.
    pub failures: Vec<Failed>,
    /// Connections that were made.
    pub connections: u64,
    /// Answers that said `Connection: close`.
    pub closes: u64,
    /// The longest that a whole answer took.
    pub slowest: Duration,
}

/// One whole answer, whatever its status.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When its request was about to be sent.
    pub began: Instant,
    /// Until its last byte had come.
    pub took: Duration,
    /// Its status.
    pub status: u16,
}

/// One request that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// How.
    pub kind: Failure,
    /// In more words.
    pub detail: String,
    /// When its last byte had been sent, or it could not be.
    pub sent: Instant,
    /// When it failed.
    pub failed: Instant,
}

/// How a request can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody let us connect.
    Connect,
    /// A connection that had carried answers before ended without one to this request.
    ClosedReused,
    /// A new connection ended without an answer.
    ClosedFresh,
    /// An answer began and was cut off.
    CutOff,
    /// An answer with this status, of 400 or more.
    Status(u16),
    /// Nothing came in time.
    Silence,
}

#[derive(Debug, Default)]
struct Book {
    is_over: AtomicBool,
    /// Requests with a number.
    asked: AtomicU64,
    gets: AtomicU64,
    posts: AtomicU64,
    connections: AtomicU64,
    closes: AtomicU64,
    slowest: Mutex<Duration>,
    remembered: Mutex<Vec<Answer>>,
    failures: Mutex<Vec<Failed>>,
}

impl Load {
    /// Nobody yet.
    pub fn new() -> Self {
        Self {
            gets: 0,
            posts: 0,
            path: "/".to_owned(),
            post_path: "/".to_owned(),
            thinks: Duration::ZERO,
            keeping: Keeping::Counts,
            targets: Targets::Same,
        }
    }

    /// So many clients that send GET.
    pub fn gets(mut self, clients: usize) -> Self {
        self.gets = clients;
        self
    }

    /// So many clients that send POST with a small body.
    pub fn posts(mut self, clients: usize) -> Self {
        self.posts = clients;
        self
    }

    /// What GET asks for; `/` otherwise.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Where POST goes; `/` otherwise.
    pub fn post_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.post_path);
        self
    }

    /// A pause of this length between an answer and the next request, so that connections are idle in between.
    pub fn thinking(mut self, time: Duration) -> Self {
        self.thinks = time;
        self
    }

    /// Remembers each answer, for [`Outcome::remembered`]; a status of 400 or more is no failure then.
    pub fn remembering(mut self) -> Self {
        self.keeping = Keeping::Answers;
        self
    }

    /// Each GET asks for something that nobody has asked for before: the path with a query of its own.
    pub fn numbered(mut self) -> Self {
        self.targets = Targets::Numbered;
        self
    }

    /// Begins.
    pub fn on(self, address: SocketAddr) -> Loading {
        let book = Arc::new(Book::default());
        let gets = (0..self.gets).map(|_| ("GET", self.path.clone()));
        let posts = (0..self.posts).map(|_| ("POST", self.post_path.clone()));
        let clients = gets.chain(posts).map(|(method, path)| {
            let (book, thinks, keeping) = (Arc::clone(&book), self.thinks, self.keeping);
            let targets = self.targets;
            thread::spawn(move || {
                let client = Client::new(address, method, &path, targets, &book);
                client.work(thinks, keeping);
            })
        });
        let clients = clients.collect();
        Loading { book, clients }
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

impl Loading {
    /// Waits until so many more requests than now have been answered.
    #[track_caller]
    pub fn wait_for_answers(&self, more: u64) -> &Self {
        let goal = self.answers() + more;
        eventually("answers under load", || {
            (self.answers() >= goal).then_some(())
        });
        self
    }

    /// Whole answers so far.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.book.gets.load(SeqCst) + self.book.posts.load(SeqCst)
    }

    /// Failures so far.
    #[must_use]
    pub fn failures(&self) -> usize {
        lock(&self.book.failures).len()
    }

    /// No client begins another request; waits for the answers that are due.
    pub fn stop(mut self) -> Outcome {
        self.book.is_over.store(true, SeqCst);
        for client in self.clients.drain(..) {
            client.join().expect("a client does not panic");
        }
        let book = &self.book;
        Outcome {
            answered: BTreeMap::from([
                ("GET", book.gets.load(SeqCst)),
                ("POST", book.posts.load(SeqCst)),
            ]),
            remembered: std::mem::take(&mut lock(&book.remembered)),
            failures: std::mem::take(&mut lock(&book.failures)),
            connections: book.connections.load(SeqCst),
            closes: book.closes.load(SeqCst),
            slowest: *lock(&book.slowest),
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.book.is_over.store(true, SeqCst);
    }
}

impl Outcome {
    /// Whole answers.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answered.values().sum()
    }

    /// The failures of one method.
    pub fn failures_of(&self, method: &str) -> impl Iterator<Item = &Failed> {
        self.failures
            .iter()
            .filter(move |failed| failed.method == method)
    }

    /// How many failed, by method and kind.
    #[must_use]
    pub fn failures_by_kind(&self) -> BTreeMap<(&'static str, Failure), usize> {
        let mut kinds = BTreeMap::new();
        for failed in &self.failures {
            *kinds.entry((failed.method, failed.kind)).or_default() += 1;
        }
        kinds
    }

    /// Expects answers, and nothing else.
    #[track_caller]
    pub fn expect_no_failure(&self) -> &Self {
        assert!(self.answers() > 0, "nothing was answered: {self}");
        assert!(self.failures.is_empty(), "{self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:?} answered on {} connections, slowest {:?}, {} failed",
            self.answered,
            self.connections,
            self.slowest,
            self.failures.len()
        )?;
        for (kind, count) in self.failures_by_kind() {
            writeln!(f, "  {count} × {kind:?}")?;
        }
        for failed in self.failures.iter().take(10) {
            let Failed {
                method,
                kind,
                detail,
                ..
            } = failed;
            let time = failed.failed - failed.sent;
            writeln!(f, "  {method} {kind:?} after {time:?}: {detail}")?;
        }
        Ok(())
    }
}

struct Client<'a> {
    address: SocketAddr,
    method: &'static str,
    path: String,
    targets: Targets,
    book: &'a Book,
    /// The connection, and whether it has carried an answer.
    open: Option<(Reader, bool)>,
}

impl<'a> Client<'a> {
    fn new(
        address: SocketAddr,
        method: &'static str,
        path: &str,
        targets: Targets,
        book: &'a Book,
    ) -> Self {
        Self {
            address,
            method,
            path: path.to_owned(),
            targets,
            book,
            open: None,
        }
    }

    fn request(&self) -> String {
        let Self { method, path, .. } = self;
        let body = if *method == "POST" {
            "Content-Length: 4\r\n\r\nload"
        } else {
            "\r\n"
        };
        let query = match self.targets {
            Targets::Same => String::new(),
            Targets::Numbered => format!("?{}", self.book.asked.fetch_add(1, SeqCst)),
        };
        format!("{method} {path}{query} HTTP/1.1\r\nHost: load.example\r\n{body}")
    }

    fn work(mut self, thinks: Duration, keeping: Keeping) {
        while !self.book.is_over.load(SeqCst) {
            let began = Instant::now();
            let mut sent = began;
            let outcome = self.ask(&mut sent).and_then(|(status, head)| {
                if keeping == Keeping::Answers {
                    let took = began.elapsed();
                    lock(&self.book.remembered).push(Answer {
                        began,
                        took,
                        status,
                    });
                } else if status >= 400 {
                    return Err((Failure::Status(status), head));
                }
                Ok(())
            });
            match outcome {
                Ok(()) => {
                    let answers = match self.method {
                        "GET" => &self.book.gets,
                        _ => &self.book.posts,
                    };
                    answers.fetch_add(1, SeqCst);
                    let mut slowest = lock(&self.book.slowest);
                    *slowest = sent.elapsed().max(*slowest);
                }
                Err((kind, detail)) => {
                    self.open = None;
                    lock(&self.book.failures).push(Failed {
                        method: self.method,
                        kind,
                        detail,
                        sent,
                        failed: Instant::now(),
                    });
                }
            }
            if !thinks.is_zero() {
                // a client that thinks is the subject, not a way to wait for something
                thread::sleep(thinks);
            }
        }
    }

    /// The status and the head of a whole answer.
    fn ask(&mut self, sent: &mut Instant) -> Result<(u16, String), (Failure, String)> {
        let request = self.request();
        let (mut reader, was_used) = match self.open.take() {
            Some(open) => open,
            None => (self.connect()?, false),
        };
        let closed = if was_used {
            Failure::ClosedReused
        } else {
            Failure::ClosedFresh
        };
        // whether it arrived shows in the answer: an early one may be on its way already
        let written = reader.stream.write_all(request.as_bytes());
        *sent = Instant::now();
        let response = reader.response(Body::Expected).map_err(|broken| {
            let kind = match &broken {
                broken if broken == NOTHING => Failure::Silence,
                _ if reader.unread.is_empty() => closed,
                _ => Failure::CutOff,
            };
            let write = written.err().map(|error| format!("; sending: {error}"));
            (kind, broken + &write.unwrap_or_default())
        })?;
        if let Ending::Broken(detail) = response.ending {
            return Err((Failure::CutOff, detail));
        }
        let is_last = response
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if is_last {
            self.book.closes.fetch_add(1, SeqCst);
        } else if response.ending == Ending::Complete {
            self.open = Some((reader, true));
        }
        Ok((response.status(), response.head))
    }

    fn connect(&self) -> Result<Reader, (Failure, String)> {
        let stream = TcpStream::connect_timeout(&self.address, patience());
        let stream = stream.and_then(|stream| {
            stream.set_read_timeout(Some(patience()))?;
            stream.set_write_timeout(Some(patience()))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        self.book.connections.fetch_add(1, SeqCst);
        stream
            .map(Reader::new)
            .map_err(|error| (Failure::Connect, error.to_string()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
