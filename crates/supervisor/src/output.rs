//! What workers write: drained line by line, kept within bounds, never a reason for a worker to wait. Prints nothing.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::UnboundedSender;

use crate::events::{Event, Note, WorkerId};

/// The longest line passed on whole; longer ones arrive in pieces of this size.
pub const LONGEST_LINE: usize = 64 * 1024;

/// What may wait for a reader, per worker. A few seconds of a chatty app; beyond it lines are dropped and counted,
/// since the worker must never wait for us.
const MOST_QUEUED: usize = 8 * 1024 * 1024;

/// What a line costs in the queue beside its bytes.
const LINE_OVERHEAD: usize = 128;

/// How many last lines are kept for the report of a failure, and how long each may be.
const LAST_LINES: usize = 20;
const LAST_LINE_BYTES: usize = 1024;

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of output, or a piece of one that is longer than [`LONGEST_LINE`].
#[derive(Debug)]
pub struct Line {
    /// Who wrote it.
    pub worker: WorkerId,
    /// Where to.
    pub stream: Stream,
    /// Exactly what was written, with its newline if it had one: all lines joined are the stream, byte for byte.
    pub bytes: Vec<u8>,
    queued: Arc<Output>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let cost = self.bytes.len() + LINE_OVERHEAD;
        self.queued.bytes.fetch_sub(cost, Ordering::Relaxed);
    }
}

/// What both streams of one worker share.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: AtomicUsize,
    dropped: AtomicU64,
    last: Mutex<VecDeque<String>>,
}

impl Output {
    /// The last lines written, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.locked().iter().cloned().collect()
    }

    /// Forgets the last lines: a new process begins.
    pub(crate) fn begin(&self) {
        self.locked().clear();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, bytes: &[u8]) {
        let end = bytes.len().min(LAST_LINE_BYTES);
        let text = String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned();
        if text.is_empty() {
            return;
        }
        let mut last = self.locked();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text);
    }
}

/// Reads one stream of one worker until its end.
pub(crate) struct Drain {
    pub(crate) worker: WorkerId,
    pub(crate) stream: Stream,
    pub(crate) output: Arc<Output>,
    pub(crate) events: UnboundedSender<Event>,
}

impl Drain {
    /// Passes on every line until every writer has closed the pipe.
    pub(crate) async fn run(self, pipe: OwnedFd) -> io::Result<()> {
        let mut pipe = pipe::Receiver::from_owned_fd(pipe)?;
        let mut lines = Lines::default();
        loop {
            let read = pipe.read_buf(&mut lines.buffer).await?;
            lines.cut(|line| self.pass_on(line));
            if read == 0 {
                lines.finish(|line| self.pass_on(line));
                return Ok(());
            }
        }
    }

    fn pass_on(&self, bytes: &[u8]) {
        self.output.remember(bytes);
        let cost = bytes.len() + LINE_OVERHEAD;
        let queued = self.output.bytes.fetch_add(cost, Ordering::Relaxed);
        if queued + cost > MOST_QUEUED {
            self.output.bytes.fetch_sub(cost, Ordering::Relaxed);
            self.output.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lines = self.output.dropped.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let _ = self.events.send(Event::Note {
                worker: self.worker.clone(),
                note: Note::DroppedOutput { lines },
            });
        }
        let line = Line {
            worker: self.worker.clone(),
            stream: self.stream,
            bytes: bytes.to_vec(),
            queued: Arc::clone(&self.output),
        };
        // Nobody listens any more only when the program ends; then the line has no reader.
        let _ = self.events.send(Event::Output(line));
    }
}

/// Bytes to lines. Holds less than one line and one read between calls.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn cut(&mut self, mut each: impl FnMut(&[u8])) {
        let mut start = 0;
        loop {
            let rest = &self.buffer[start..];
            let window = &rest[..rest.len().min(LONGEST_LINE)];
            let end = match window.iter().position(|byte| *byte == b'\n') {
                Some(newline) => newline + 1,
                None if rest.len() >= LONGEST_LINE => LONGEST_LINE,
                None => break,
            };
            each(&rest[..end]);
            start += end;
        }
        self.buffer.drain(..start);
        if self.buffer.capacity() > 2 * LONGEST_LINE {
            self.buffer.shrink_to(LONGEST_LINE);
        }
    }

    fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.buffer.is_empty() {
            each(&self.buffer);
            self.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.buffer.extend_from_slice(chunk);
            lines.cut(|line| out.push(line.to_vec()));
        }
        lines.finish(|line| out.push(line.to_vec()));
        out
    }

    #[test]
    fn lines_keep_their_newline_and_cross_reads() {
        assert_eq!(
            cut(&[b"one\ntw", b"o\n\nthree"]),
            [&b"one\n"[..], b"two\n", b"\n", b"three"]
        );
        assert!(cut(&[]).is_empty());
    }

    #[test]
    fn endless_lines_arrive_in_pieces() {
        let long = vec![b'x'; LONGEST_LINE * 2 + 5];
        let pieces = cut(&[&long, b"\nend\n"]);
        let sizes: Vec<usize> = pieces.iter().map(Vec::len).collect();
        assert_eq!(sizes, [LONGEST_LINE, LONGEST_LINE, 6, 4]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_or_changed(chunks: Vec<Vec<u8>>) {
            let pieces = cut(&chunks.iter().map(Vec::as_slice).collect::<Vec<_>>());
            proptest::prop_assert_eq!(pieces.concat(), chunks.concat());
        }
    }

    #[tokio::test]
    async fn a_reader_that_is_away_costs_lines_not_memory() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let output = Arc::new(Output::default());
        let drain = Drain {
            worker: WorkerId {
                app: "app".into(),
                release: 1,
                index: 0,
            },
            stream: Stream::Stdout,
            output: Arc::clone(&output),
            events: sender,
        };
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let writer = std::thread::spawn(move || {
            let line = [vec![b'y'; 9_999], vec![b'\n']].concat();
            let mut file = std::fs::File::from(write);
            for _ in 0..2_000 {
                io::Write::write_all(&mut file, &line).unwrap();
            }
        });
        drain.run(read).await.unwrap();
        writer.join().unwrap();
        let dropped = output.dropped.load(Ordering::Relaxed);
        assert!(dropped > 0);
        assert_eq!(output.last_lines().len(), LAST_LINES);
        let mut kept = 0_u64;
        while receiver.try_recv().is_ok() {
            kept += 1;
        }
        assert_eq!(kept + dropped, 2_000);
        assert_eq!(
            output.bytes.load(Ordering::Relaxed),
            0,
            "taken lines free their room"
        );
    }
}
