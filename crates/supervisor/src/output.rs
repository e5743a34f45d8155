//! What workers write, on its way to whoever prints it: lines, and the room they may take while nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::events::WorkerId;

/// The longest line passed on whole; longer ones arrive in pieces of this size.
pub const LONGEST_LINE: usize = 64 * 1024;

/// What may wait for a reader, per worker: a moment of a chatty app. Beyond it the worker waits, for a while.
const MOST_QUEUED: usize = 2 * 1024 * 1024;

/// How long a worker may be made to wait for a reader that takes nothing. Then its lines are dropped and counted until
/// the reader takes something again: no worker stands still because somebody does not read.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// What a line costs in the queue beside its bytes.
const LINE_OVERHEAD: usize = 128;

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    #[serde(rename = "out")]
    Stdout,
    /// Standard error.
    #[serde(rename = "err")]
    Stderr,
}

/// How a line, or a piece of one, came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// By its newline.
    Newline,
    /// It was cut, since it would have been longer than [`LONGEST_LINE`]; the next piece goes on with it.
    TooLong,
    /// Nothing more came for a while; what comes goes on with it.
    Pause,
    /// The stream ended.
    Closed,
}

/// A line of output, or a piece of one: see [`LineEnd`]. It takes its room in the worker's queue until it is dropped: keep
/// it until it is written.
#[derive(Debug)]
pub struct Line {
    /// Who wrote it.
    pub worker: WorkerId,
    /// Where to.
    pub stream: Stream,
    /// When it was read.
    pub at: SystemTime,
    /// Exactly what was written, with its newline if it had one: all lines joined are the stream, byte for byte.
    pub bytes: Vec<u8>,
    /// Whether it goes on with the line of which a piece came before.
    pub is_continued: bool,
    /// How it ended.
    pub end: LineEnd,
    /// Given back with it.
    pub(crate) _room: Taken,
}

/// Room that a line takes.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Taken {
    /// For a line of so many bytes, which has been given it.
    pub(crate) fn new(room: &Arc<Room>, bytes: usize) -> Self {
        let room = Arc::clone(room);
        Self { room, bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

/// The room for one worker's lines, shared by both streams and by all its starts.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: AtomicUsize,
    dropped: AtomicU64,
    /// The reader has taken nothing for too long: nobody waits for it any more.
    stalled: AtomicBool,
    given_back: Notify,
}

impl Room {
    /// Takes room for a line of so many bytes, waiting for the reader as long as that is bearable. `false`: the line is
    /// to be dropped, and was counted.
    pub(crate) async fn take(&self, bytes: usize) -> bool {
        if self.try_take(bytes) {
            return true;
        }
        if !self.stalled.load(Ordering::Relaxed) {
            if timeout(READER_PATIENCE, self.wait(bytes)).await == Ok(true) {
                return true;
            }
            self.stalled.store(true, Ordering::Relaxed);
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Lines that were dropped since this was asked last.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Ends all waiting now: what was written last is passed on or dropped, but does not hold up an end.
    pub(crate) fn hurry(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.given_back.notify_waiters();
    }

    /// Whether room came before waiting was ended.
    async fn wait(&self, bytes: usize) -> bool {
        loop {
            let mut given_back = std::pin::pin!(self.given_back.notified());
            given_back.as_mut().enable();
            if self.try_take(bytes) {
                return true;
            }
            if self.stalled.load(Ordering::Relaxed) {
                return false;
            }
            given_back.await;
        }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let cost = bytes + LINE_OVERHEAD;
        let fits = |taken: usize| (taken + cost <= MOST_QUEUED).then_some(taken + cost);
        let relaxed = Ordering::Relaxed;
        let took = self.taken.fetch_update(relaxed, relaxed, fits).is_ok();
        if took {
            self.stalled.store(false, Ordering::Relaxed);
        }
        took
    }

    fn give_back(&self, bytes: usize) {
        self.taken
            .fetch_sub(bytes + LINE_OVERHEAD, Ordering::Relaxed);
        self.given_back.notify_waiters();
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == 0
    }
}
