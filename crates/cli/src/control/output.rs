//! Everything the program passes on to its standard output: the app's lines byte for byte, access lines.
//!
//! Written by a thread of its own: whoever reads slowly makes lines wait and then drop, never a worker or
//! the gateway.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mainstay_supervisor::output::{Line, Stream};

/// Access lines that may wait; the app's lines are bounded where they come from.
const MOST_WAITING: usize = 8 * 1024 * 1024;

/// The way to the writing thread.
#[derive(Clone, Debug)]
pub(super) struct Output {
    sender: Sender<Piece>,
    waiting: Arc<AtomicUsize>,
}

enum Piece {
    App(Line),
    Access(Vec<u8>),
    /// Answered when everything before it is out.
    Barrier(Sender<()>),
}

impl Output {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || write(&receiver, &counted))?;
        Ok(Self { sender, waiting })
    }

    /// A line of a worker.
    pub(super) fn app(&self, line: Line) {
        let _ = self.sender.send(Piece::App(line));
    }

    /// Access lines; dropped when too many wait.
    pub(super) fn access(&self, lines: Vec<u8>) {
        if self.waiting.fetch_add(lines.len(), Relaxed) > MOST_WAITING {
            self.waiting.fetch_sub(lines.len(), Relaxed);
            return;
        }
        let _ = self.sender.send(Piece::Access(lines));
    }

    /// Waits until what was passed on so far is out, but not for a reader that does not read.
    pub(super) fn settle(&self) {
        let (done, waits) = channel();
        if self.sender.send(Piece::Barrier(done)).is_ok() {
            let _ = waits.recv_timeout(Duration::from_secs(1));
        }
    }
}

fn write(pieces: &Receiver<Piece>, waiting: &AtomicUsize) {
    let mut stdout = std::io::stdout();
    let mut stderr = std::io::stderr();
    while let Ok(piece) = pieces.recv() {
        // a reader that went away is no reason to end: the app goes on serving
        match piece {
            Piece::App(line) => {
                let _ = match line.stream {
                    Stream::Stdout => stdout.write_all(&line.bytes).and_then(|()| stdout.flush()),
                    Stream::Stderr => stderr.write_all(&line.bytes),
                };
            }
            Piece::Access(lines) => {
                let _ = stdout.write_all(&lines).and_then(|()| stdout.flush());
                waiting.fetch_sub(lines.len(), Relaxed);
            }
            Piece::Barrier(done) => drop(done.send(())),
        }
    }
}
