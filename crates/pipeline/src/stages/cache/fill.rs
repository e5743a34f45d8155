//! A body that is kept while it comes, and read by several meanwhile. Judges no answer.
//!
//! Whoever of its readers has read all that came asks the origin's end for more, for all of them: none is held up by another
//! that is slow, and none depends on the one who came first. With the last of them it ends, and nothing is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

use super::flight::{Landing, Ticket};
use super::key::Selection;
use super::memory::{CacheMemory, Variant};
use super::stored::{Head, Stored};
use super::tag::Tagging;
use crate::{BodyBroken, Coding, Frame, Frames};

/// The reader who had it fetched.
const FIRST: u64 = 1;

/// What pieces cost beside their bytes: a body in tiny pieces must not cost many times its length.
const PIECE_COST: usize = size_of::<Bytes>();

/// See the module.
#[derive(Debug)]
pub(super) struct Fill {
    /// What its readers who came later are told.
    pub(super) head: Arc<Head>,
    pub(super) selection: Option<Arc<Selection>>,
    length: Option<u64>,
    state: Mutex<State>,
    waiting: Arc<Waiting>,
    /// The same in codings, with their levels, while anybody reads it so.
    coded: Mutex<Vec<(Coding, u8, Weak<Self>)>>,
}

#[derive(Debug)]
struct State {
    source: Frames,
    pieces: VecDeque<Bytes>,
    /// The number of the first piece that is still there.
    first: usize,
    /// What the pieces cost.
    held: usize,
    end: Option<End>,
    readers: usize,
    next_reader: u64,
    /// What it takes to keep the answer; none when it is not to be kept any more.
    keeping: Option<Keeping>,
    /// Where what is held is counted, of a body that is not kept, but held as a whole for who reads along later.
    along: Option<Arc<CacheMemory>>,
    limit: usize,
}

#[derive(Clone, Debug)]
enum End {
    Whole(Option<HeaderMap>),
    Broken(BodyBroken),
}

/// What it takes to keep an answer once its body is whole.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) ticket: Ticket,
    pub(super) url: Box<str>,
    /// Whether others can use it without asking.
    pub(super) has_use: bool,
    /// Where it gets a tag, that of what has come.
    pub(super) tagging: Option<Tagging>,
}

impl Fill {
    /// Of an answer whose body is coming. No more than `limit` bytes are held.
    pub(super) fn begin(
        head: Arc<Head>,
        selection: Option<Arc<Selection>>,
        source: Frames,
        keeping: Keeping,
        limit: usize,
    ) -> Arc<Self> {
        let fill = Self {
            head,
            selection,
            length: source.length(),
            waiting: Arc::default(),
            coded: Mutex::default(),
            state: Mutex::new(State::of(source, Some(keeping), None, limit)),
        };
        let fill = Arc::new(fill);
        if let Some(keeping) = &fill.lock().keeping {
            keeping.ticket.tell(if keeping.has_use {
                Landing::Coming(Arc::downgrade(&fill))
            } else {
                Landing::Passing
            });
        }
        fill
    }

    /// The body in a coding, for those who read along: made of it once, by whoever of them comes first.
    fn in_coding(
        self: &Arc<Self>,
        coding: Coding,
        level: u8,
        plain: Reader,
        encode: impl FnOnce(Frames) -> Result<Frames, Frames>,
    ) -> Result<Frames, Frames> {
        let mut coded = self.coded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = coded
            .iter()
            .find(|(of, at, _)| (*of, *at) == (coding, level));
        let known = known.and_then(|(.., fill)| fill.upgrade()?.join());
        if let Some(frames) = known {
            return Ok(frames);
        }
        let (limit, memory) = {
            let state = self.lock();
            let keeping = state.keeping.as_ref();
            let memory = keeping.map(|keeping| Arc::clone(keeping.ticket.memory()));
            (state.limit, memory)
        };
        let plain = Frames::shared(plain, self.length);
        // of what is not kept the beginning may be gone for who comes next
        let Some(memory) = memory else {
            return Err(plain);
        };
        let fill = Arc::new(Self {
            head: Arc::clone(&self.head),
            selection: None,
            length: None,
            waiting: Arc::default(),
            coded: Mutex::default(),
            state: Mutex::new(State::of(encode(plain)?, None, Some(memory), limit)),
        });
        coded.retain(|(of, at, _)| (*of, *at) != (coding, level));
        coded.push((coding, level, Arc::downgrade(&fill)));
        let mut state = fill.lock();
        Ok(fill.reader(&mut state))
    }

    fn reader(self: &Arc<Self>, state: &mut State) -> Frames {
        state.readers += 1;
        state.next_reader += 1;
        let reader = Reader {
            id: state.next_reader,
            fill: Arc::clone(self),
            next: 0,
        };
        Frames::shared(reader, self.length)
    }

    /// Another reader, from the first byte. None: the first bytes are gone.
    pub(super) fn join(self: &Arc<Self>) -> Option<Frames> {
        let mut state = self.lock();
        if state.first > 0 || matches!(state.end, Some(End::Broken(_))) {
            return None;
        }
        Some(self.reader(&mut state))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // nothing in here can panic half-way
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(
        source: Frames,
        keeping: Option<Keeping>,
        along: Option<Arc<CacheMemory>>,
        limit: usize,
    ) -> Self {
        Self {
            source,
            pieces: VecDeque::new(),
            first: 0,
            held: 0,
            end: None,
            readers: 0,
            next_reader: 0,
            keeping,
            along,
            limit,
        }
    }

    /// Whether the first pieces are there for as long as it is.
    fn holds_all(&self) -> bool {
        self.keeping.is_some() || self.along.is_some()
    }

    /// Takes what comes next from the origin's end. Whether anything has changed.
    fn pull(&mut self, fill: &Fill) -> bool {
        let waker = Waker::from(Arc::clone(&fill.waiting));
        let frame = match self.source.poll_frame(&mut Context::from_waker(&waker)) {
            Poll::Pending => return false,
            Poll::Ready(frame) => frame,
        };
        match frame {
            Some(Ok(Frame::Data(piece))) => self.add(piece),
            Some(Ok(Frame::Trailers(trailers))) => {
                // the last frame; the end comes with the next call
                self.end = Some(End::Whole(Some(trailers)));
                self.finish(fill);
            }
            Some(Err(broken)) => {
                self.end = Some(End::Broken(broken));
                self.keeping = None;
            }
            None => {
                self.end = Some(End::Whole(None));
                self.finish(fill);
            }
        }
        true
    }

    fn add(&mut self, piece: Bytes) {
        let cost = piece.len() + PIECE_COST;
        self.held += cost;
        if let Some(Keeping { tagging, .. }) = &mut self.keeping {
            *tagging = tagging.take().map(|tagging| tagging.of(&piece));
        }
        self.pieces.push_back(piece);
        let counted = self.keeping.as_ref().map(|keeping| keeping.ticket.memory());
        let has_room = counted
            .or(self.along.as_ref())
            .is_none_or(|memory| self.held <= self.limit && memory.reserve(cost as u64));
        if !has_room {
            self.give_up(cost);
        }
        while !self.holds_all() && self.held > self.limit && self.pieces.len() > 1 {
            self.forget_first();
        }
    }

    /// It is too large to be kept: who comes now fetches for themselves.
    fn give_up(&mut self, cost: usize) {
        // what was asked for last was reserved only if there was room for it
        let reserved = if self.held <= self.limit {
            self.held
        } else {
            self.held - cost
        };
        if let Some(memory) = self.along.take() {
            memory.release(reserved as u64);
        }
        let Some(Keeping { ticket, .. }) = self.keeping.take() else {
            return;
        };
        ticket.memory().release(reserved as u64);
        ticket.memory().pass(&ticket, Instant::now());
    }

    fn forget_first(&mut self) {
        if let Some(piece) = self.pieces.pop_front() {
            self.held -= piece.len() + PIECE_COST;
            self.first += 1;
        }
    }

    /// The body is whole.
    fn finish(&mut self, fill: &Fill) {
        let Some(keeping) = self.keeping.take() else {
            return;
        };
        let Keeping {
            ticket,
            url,
            tagging,
            ..
        } = keeping;
        ticket.memory().release(self.held as u64);
        let length = self.pieces.iter().map(Bytes::len).sum();
        let tagged = tagging.and_then(|tagging| fill.head.tagged(tagging.tag().as_bytes()));
        let head = tagged.as_ref().unwrap_or(&fill.head);
        let stored = Stored::new(head, self.pieces.iter(), length);
        let variant = Variant::new(Arc::new(stored), fill.selection.clone());
        // who changed the resource meanwhile wants it forgotten
        let _ = ticket.memory().keep(&ticket, &url, &variant);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let counted = self.keeping.as_ref().map(|keeping| keeping.ticket.memory());
        if let Some(memory) = counted.or(self.along.as_ref()) {
            memory.release(self.held as u64);
        }
    }
}

/// Readers that have read all that came.
#[derive(Debug, Default)]
struct Waiting(Mutex<Vec<(u64, Waker)>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, id: u64, waker: &Waker) {
        let mut waiting = self.lock();
        match waiting.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.push((id, waker.clone())),
        }
    }

    fn remove(&self, id: u64) {
        self.lock().retain(|(known, _)| *known != id);
    }

    fn wake_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        for (_, waker) in all {
            waker.wake();
        }
    }
}

/// The origin's end has more. A lock of its own: whoever tells holds one that readers take while they hold the other.
impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

/// One who reads a body that is coming.
#[derive(Debug)]
pub(crate) struct Reader {
    fill: Arc<Fill>,
    id: u64,
    /// The number of the piece that is next.
    next: usize,
}

impl Reader {
    /// The same body in a coding, made once for all who read along and want it so. Not for the one who came first, who may be
    /// alone.
    pub(crate) fn in_coding(
        self,
        coding: Coding,
        level: u8,
        encode: impl FnOnce(Frames) -> Result<Frames, Frames>,
    ) -> Result<Frames, Frames> {
        let fill = Arc::clone(&self.fill);
        if self.id == FIRST {
            return Err(Frames::shared(self, fill.length));
        }
        fill.in_coding(coding, level, self, encode)
    }

    /// As [`Frames::poll_frame`].
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, BodyBroken>>> {
        let fill = &self.fill;
        let mut state = fill.lock();
        loop {
            if self.next < state.first {
                // it fell behind by more than is held of a body that is too large to be kept
                return Poll::Ready(Some(Err(BodyBroken::Gone)));
            }
            if let Some(piece) = state.pieces.get(self.next - state.first) {
                let piece = piece.clone();
                self.next += 1;
                while state.readers == 1 && !state.holds_all() && state.first < self.next {
                    state.forget_first();
                }
                return Poll::Ready(Some(Ok(Frame::Data(piece))));
            }
            if let Some(end) = &state.end {
                return match end {
                    End::Broken(reason) => Poll::Ready(Some(Err(*reason))),
                    End::Whole(Some(trailers)) if self.next != usize::MAX => {
                        let trailers = trailers.clone();
                        self.next = usize::MAX;
                        Poll::Ready(Some(Ok(Frame::Trailers(trailers))))
                    }
                    End::Whole(_) => Poll::Ready(None),
                };
            }
            // before asking, so that what comes in between is not missed
            fill.waiting.add(self.id, context.waker());
            if !state.pull(fill) {
                return Poll::Pending;
            }
            fill.waiting.remove(self.id);
            fill.waiting.wake_all();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fill.waiting.remove(self.id);
        self.fill.lock().readers -= 1;
        // one of the others may have been waiting for what this one was woken for
        self.fill.waiting.wake_all();
    }
}
