//! A scripted server: every connection is played by a closure on a thread of its own.
//!
//! What may not be here: any idea of what the right answer is.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::message::Message;
use super::wire::Wire;

/// A running server; its connections end with it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    stage: Arc<Stage>,
}

#[derive(Debug, Default)]
struct Stage {
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    /// Second handles, by which all can be ended from outside.
    open: Mutex<HashMap<usize, TcpStream>>,
    is_over: AtomicBool,
}

/// One connection as the server sees it.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The how-manieth, from 0.
    pub(crate) number: usize,
    wire: Wire,
    stage: Arc<Stage>,
}

impl Origin {
    /// Plays every connection like this.
    pub(crate) fn new(play: impl Fn(Visit) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let stage = Arc::new(Stage::default());
        let host = Arc::clone(&stage);
        let play = Arc::new(play);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if host.is_over.load(SeqCst) {
                    return;
                }
                let number = host.connections.fetch_add(1, SeqCst);
                lock(&host.open).extend(stream.try_clone().map(|second| (number, second)));
                let visit = Visit {
                    number,
                    wire: Wire::new(stream),
                    stage: Arc::clone(&host),
                };
                let play = Arc::clone(&play);
                thread::spawn(move || play(visit));
            }
        });
        Self { address, stage }
    }

    /// Answers every request with the same bytes, once it is whole.
    pub(crate) fn answering(bytes: impl Into<String>) -> Self {
        let bytes = bytes.into();
        Self::new(move |mut visit| {
            while visit.request().is_some() {
                visit.send(&bytes);
            }
        })
    }

    /// Reads one request, writes these bytes and closes.
    pub(crate) fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(move |mut visit| {
            if visit.request().is_some() {
                visit.send(&bytes);
            }
        })
    }

    /// An address where nobody listens.
    pub(crate) fn nowhere() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.local_addr().expect("a listener has an address")
    }

    /// Whole requests so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        lock(&self.stage.requests).clone()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.stage.connections.load(SeqCst)
    }

    /// Ends all connections at once, in order.
    pub(crate) fn close_all(&self) {
        for (_, stream) in lock(&self.stage.open).drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stage.is_over.store(true, SeqCst);
        drop(TcpStream::connect(self.address)); // wakes the accepting thread
        self.close_all();
    }
}

impl Visit {
    /// A whole request, which is noted; none when no more come.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let message = self.wire.request()?;
        lock(&self.stage.requests).push(message.clone());
        Some(message)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.wire.reset_on_close();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // so that the connection closes with its last handle, which is ours
        lock(&self.stage.open).remove(&self.number);
    }
}

impl Deref for Visit {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
