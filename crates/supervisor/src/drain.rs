//! Reads what one start of a worker writes, line by line, and remembers the last of it. Prints nothing.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::events::{Event, Note, WorkerId};
use crate::output::{LONGEST_LINE, Line, Room, Stream};

/// How many last lines are kept for the report of a failure, and how long each may be.
const LAST_LINES: usize = 100;
const LAST_LINE_BYTES: usize = 1024;

/// What both streams of one start share.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) room: Arc<Room>,
    last: Mutex<VecDeque<String>>,
    /// A line with this text is waited for.
    awaited: Option<String>,
    seen: AtomicBool,
    came: Notify,
}

impl Output {
    /// Of a start that has not written anything.
    pub(crate) fn new(room: Arc<Room>, awaited: Option<String>) -> Self {
        Self {
            room,
            awaited,
            ..Self::default()
        }
    }

    /// The last lines written, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.locked().iter().cloned().collect()
    }

    /// Waits for the awaited text; returns once. Cancel-safe.
    pub(crate) async fn awaited_came(&self) {
        self.came.notified().await;
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at(&self, line: &[u8]) {
        if let Some(awaited) = &self.awaited
            && !self.seen.load(Ordering::Relaxed)
            && contains(line, awaited.as_bytes())
        {
            self.seen.store(true, Ordering::Relaxed);
            self.came.notify_one();
        }
        let end = line.len().min(LAST_LINE_BYTES);
        let text = String::from_utf8_lossy(&line[..end]).trim_end().to_owned();
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

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|window| window == text)
}

/// Reads one stream of one worker until its end.
pub(crate) struct Drain {
    pub(crate) worker: WorkerId,
    pub(crate) stream: Stream,
    pub(crate) output: Arc<Output>,
    pub(crate) events: UnboundedSender<Event>,
}

impl Drain {
    /// Passes on every line until every writer has closed the pipe. While a line waits for room, nothing is read: then
    /// the worker waits too.
    pub(crate) async fn run(self, pipe: OwnedFd) -> io::Result<()> {
        let mut pipe = pipe::Receiver::from_owned_fd(pipe)?;
        let mut lines = Lines::default();
        loop {
            let read = pipe.read_buf(&mut lines.buffer).await?;
            while let Some(line) = lines.next() {
                self.pass_on(line).await;
            }
            if read == 0 {
                if let Some(line) = lines.rest() {
                    self.pass_on(line).await;
                }
                self.confess();
                return Ok(());
            }
        }
    }

    async fn pass_on(&self, bytes: &[u8]) {
        self.output.look_at(bytes);
        let room = &self.output.room;
        if !room.take(bytes.len()).await {
            return;
        }
        self.confess();
        let line = Line::new(self.worker.clone(), self.stream, bytes, room);
        // Nobody listens any more only when the program ends; then the line has no reader.
        let _ = self.events.send(Event::Output(line));
    }

    /// Tells how many lines were dropped, where they are missing.
    fn confess(&self) {
        let lines = self.output.room.dropped();
        if lines > 0 {
            let _ = self.events.send(Event::Note {
                worker: self.worker.clone(),
                note: Note::DroppedOutput { lines },
            });
        }
    }
}

/// Bytes to lines. Holds less than one line and one read between reads.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    /// How much of the buffer was handed out.
    given: usize,
}

impl Lines {
    /// The next line that is complete, or too long to wait for its end. After `None` there is room for a read.
    fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.buffer[self.given..];
        let window = &rest[..rest.len().min(LONGEST_LINE)];
        let end = match window.iter().position(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if rest.len() >= LONGEST_LINE => LONGEST_LINE,
            None => {
                self.buffer.drain(..std::mem::take(&mut self.given));
                if self.buffer.capacity() > 2 * LONGEST_LINE {
                    self.buffer.shrink_to(LONGEST_LINE);
                }
                return None;
            }
        };
        let start = self.given;
        self.given += end;
        Some(&self.buffer[start..start + end])
    }

    /// A last line without an end.
    fn rest(&self) -> Option<&[u8]> {
        let rest = &self.buffer[self.given..];
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
#[path = "drain_tests.rs"]
mod tests;
