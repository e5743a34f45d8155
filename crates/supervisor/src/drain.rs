//! Reads what one start of a worker writes, line by line, and remembers the last of it. Prints nothing.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::events::{Event, Note, WorkerId};
use crate::handover::Descriptors;
use crate::lines::{Lines, Piece};
use crate::output::{Line, Room, Stream, Taken};
use crate::running::run_out;

/// How many last lines are kept for the report of a failure, and how long each may be.
const LAST_LINES: usize = 100;
const LAST_LINE_BYTES: usize = 1024;
/// How long the rest of a line is waited for before its beginning is passed on: a prompt is to be seen, and a writer that
/// is only short of CPU is to be given the time to finish.
const PAUSE: Duration = Duration::from_secs(1);

/// What both streams of one start share.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) room: Arc<Room>,
    last: Mutex<VecDeque<String>>,
    /// A line with this text is waited for.
    awaited: Option<String>,
    seen: AtomicBool,
    came: Notify,
    /// Whoever reads shall stop: somebody else goes on.
    put_down: watch::Sender<bool>,
}

/// What is remembered of it while nobody reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OutputState {
    last: VecDeque<String>,
    awaited: Option<String>,
    seen: bool,
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

    /// Nobody reads on; each reader tells what it has left.
    pub(crate) fn stop_reading(&self) {
        self.put_down.send_replace(true);
    }

    /// What is remembered, once nobody reads.
    pub(crate) fn state(&self) -> OutputState {
        OutputState {
            last: self.locked().clone(),
            awaited: self.awaited.clone(),
            seen: self.seen.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn take_up(state: OutputState, room: Arc<Room>) -> Self {
        Self {
            room,
            last: Mutex::new(state.last),
            awaited: state.awaited,
            seen: AtomicBool::new(state.seen),
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

    fn look_at(&self, piece: &Piece<'_>) {
        let end = piece.bytes.len().min(LAST_LINE_BYTES);
        let text = String::from_utf8_lossy(&piece.bytes[..end]);
        let mut last = self.locked();
        match last.back_mut() {
            Some(before) if piece.is_continued => {
                let room = LAST_LINE_BYTES.saturating_sub(before.len());
                before.extend(text.trim_end().chars().take(room));
                self.look_for(before.as_bytes());
            }
            _ if text.trim_end().is_empty() => {}
            _ => {
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(text.trim_end().to_owned());
            }
        }
        self.look_for(piece.bytes);
    }

    fn look_for(&self, line: &[u8]) {
        if let Some(awaited) = &self.awaited
            && !self.seen.load(Ordering::Relaxed)
            && contains(line, awaited.as_bytes())
        {
            self.seen.store(true, Ordering::Relaxed);
            self.came.notify_one();
        }
    }
}

/// Waits until it is so; nobody takes it back.
async fn told(put_down: &mut watch::Receiver<bool>) {
    if put_down.wait_for(|is_down| *is_down).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|window| window == text)
}

/// Reads one stream of one worker until its end.
pub(crate) struct Drain {
    worker: WorkerId,
    stream: Stream,
    output: Arc<Output>,
    events: UnboundedSender<Event>,
    /// A piece of the line that comes in was dropped.
    is_losing: bool,
}

/// A stream that nobody reads, and what was read of it and not passed on.
#[derive(Debug)]
pub(crate) struct Left {
    pipe: OwnedFd,
    lines: Lines,
    is_losing: bool,
}

/// The same for whoever takes it up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeftState {
    pub(crate) stream: Stream,
    pipe: RawFd,
    lines: Lines,
    is_losing: bool,
}

impl Left {
    /// Of which nothing was read.
    pub(crate) fn unread(pipe: OwnedFd) -> Self {
        Self {
            pipe,
            lines: Lines::default(),
            is_losing: false,
        }
    }

    pub(crate) fn put_down(self, stream: Stream, descriptors: &mut Descriptors) -> LeftState {
        LeftState {
            stream,
            pipe: descriptors.keep(self.pipe),
            lines: self.lines,
            is_losing: self.is_losing,
        }
    }

    pub(crate) fn take_up(state: LeftState, descriptors: &mut Descriptors) -> io::Result<Self> {
        Ok(Self {
            pipe: descriptors.take(state.pipe)?,
            lines: state.lines,
            is_losing: state.is_losing,
        })
    }
}

impl Drain {
    /// Of a stream of which nothing was read.
    pub(crate) fn new(
        worker: WorkerId,
        stream: Stream,
        output: Arc<Output>,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            worker,
            stream,
            output,
            events,
            is_losing: false,
        }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// Passes on every line until every writer has closed the pipe, or somebody else shall go on: what is left for them.
    /// While a line waits for room, nothing is read: then the worker waits too.
    pub(crate) async fn run(mut self, left: Left) -> io::Result<Option<Left>> {
        let mut pipe = pipe::Receiver::from_owned_fd(left.pipe)?;
        let mut lines = left.lines;
        self.is_losing = left.is_losing;
        let mut put_down = self.output.put_down.subscribe();
        loop {
            let pause = lines.has_begun().then(|| Instant::now() + PAUSE);
            let read = tokio::select! {
                biased;
                () = told(&mut put_down) => {
                    return Ok(Some(Left {
                        pipe: pipe.into_nonblocking_fd()?,
                        lines,
                        is_losing: self.is_losing,
                    }));
                }
                read = pipe.read_buf(lines.buffer()) => read?,
                () = run_out(pause) => {
                    if let Some(piece) = lines.pause() {
                        self.pass_on(piece, SystemTime::now()).await;
                    }
                    continue;
                }
            };
            let at = SystemTime::now();
            while let Some(piece) = lines.next() {
                self.pass_on(piece, at).await;
            }
            if read == 0 {
                if let Some(piece) = lines.close() {
                    self.pass_on(piece, at).await;
                }
                self.confess();
                return Ok(None);
            }
        }
    }

    async fn pass_on(&mut self, piece: Piece<'_>, at: SystemTime) {
        self.output.look_at(&piece);
        let room = &self.output.room;
        let bytes = piece.bytes;
        if piece.is_continued && self.is_losing {
            // the rest of a line without its beginning is none
            return;
        }
        self.is_losing = !room.take(bytes.len()).await;
        if self.is_losing {
            return;
        }
        self.confess();
        let line = Line {
            worker: self.worker.clone(),
            stream: self.stream,
            at,
            bytes: bytes.to_vec(),
            is_continued: piece.is_continued,
            end: piece.end,
            _room: Taken::new(room, bytes.len()),
        };
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

#[cfg(test)]
#[path = "drain_tests.rs"]
mod tests;
