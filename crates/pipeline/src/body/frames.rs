//! A bounded hand-off of frames from one producer to one consumer. Reads and writes no socket.
//!
//! The producer stops when the consumer is slow (backpressure), learns when the consumer went away,
//! and says at the end whether the message was whole. A producer that is dropped before it said so
//! leaves a broken message: a truncated body never looks like a finished one.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;

use crate::forwarding::strip_trailers;
use crate::protected_fields::ProtectedFields;
use crate::stages::Encoded;
use crate::stages::cache::Reader;

/// A piece of a body.
#[derive(Debug)]
pub enum Frame {
    /// Content.
    Data(Bytes),
    /// Fields after the content; the last frame.
    Trailers(HeaderMap),
}

/// The message ended before it was whole. Whoever passes it on must leave a visibly broken message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyBroken {
    /// The other end went away, or nobody listens any more.
    Gone,
    /// It broke its own framing.
    Malformed,
    /// It came too slowly.
    TooSlow,
    /// It is larger than it may be.
    TooLarge,
}

/// What a waiting frame costs: a body of tiny pieces must not cost many times its length.
fn cost(frame: &Frame) -> usize {
    let bytes = match frame {
        Frame::Data(data) => data.len(),
        Frame::Trailers(_) => 0,
    };
    bytes + size_of::<Frame>()
}

/// Bytes that may wait between producer and consumer before the producer is held.
const CAPACITY: usize = 128 * 1024;

#[derive(Debug, Default)]
struct Shared {
    queue: VecDeque<Frame>,
    bytes: usize,
    end: End,
    consumer_gone: bool,
    producer: Option<Waker>,
    consumer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    Whole,
    Broken(BodyBroken),
}

/// Makes both ends. `length` is the number of bytes that will come, if known.
pub fn hand_off(length: Option<u64>) -> (FrameSender, Frames) {
    let shared = Arc::new(Mutex::new(Shared::default()));
    (
        FrameSender {
            shared: Arc::clone(&shared),
        },
        Frames {
            source: Source::Producer(Consumer {
                shared,
                bound: None,
            }),
            length,
            front: Vec::new(),
            protected: None,
        },
    )
}

/// The end that produces.
#[derive(Debug)]
pub struct FrameSender {
    shared: Arc<Mutex<Shared>>,
}

impl FrameSender {
    /// Ready when the consumer has room; an error when it went away.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BodyBroken>> {
        let mut shared = lock(&self.shared);
        if shared.consumer_gone {
            Poll::Ready(Err(BodyBroken::Gone))
        } else if shared.bytes < CAPACITY {
            Poll::Ready(Ok(()))
        } else {
            keep(&mut shared.producer, context);
            Poll::Pending
        }
    }

    /// Ready when the consumer went away.
    pub fn poll_abandoned(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut shared = lock(&self.shared);
        if shared.consumer_gone {
            return Poll::Ready(());
        }
        keep(&mut shared.producer, context);
        Poll::Pending
    }

    /// Hands on one frame. Bounded only by the caller's asking `poll_ready` first.
    pub fn send(&mut self, frame: Frame) {
        let mut shared = lock(&self.shared);
        shared.bytes += cost(&frame);
        shared.queue.push_back(frame);
        wake(shared.consumer.take());
    }

    /// Says that the message is whole.
    pub fn finish(self) {
        self.end(End::Whole);
    }

    /// Says why the message will never be whole.
    pub fn break_off(self, reason: BodyBroken) {
        self.end(End::Broken(reason));
    }

    fn end(&self, end: End) {
        let mut shared = lock(&self.shared);
        if shared.end == End::NotYet {
            shared.end = end;
            wake(shared.consumer.take());
        }
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        self.end(End::Broken(BodyBroken::Gone));
    }
}

/// The end that consumes.
#[derive(Debug)]
pub struct Frames {
    source: Source,
    length: Option<u64>,
    /// Taken and put back, the next one last.
    front: Vec<Frame>,
    /// What trailers may not say, if they are a client's.
    protected: Option<Arc<ProtectedFields>>,
}

/// Where frames come from.
#[derive(Debug)]
enum Source {
    /// The other end of the hand-off.
    Producer(Consumer),
    /// Other frames, encoded on the way.
    Encoded(Box<Encoded>),
    /// Frames that several read.
    Shared(Reader),
}

/// The consumer's end of a hand-off: when it goes away, the producer learns of it.
#[derive(Debug)]
struct Consumer {
    shared: Arc<Mutex<Shared>>,
    bound: Option<Bound>,
}

/// How much may still come.
#[derive(Debug)]
struct Bound {
    left: u64,
    /// Told when more comes, which passes then; without it, the message breaks.
    overrun: Option<Arc<AtomicBool>>,
}

impl Bound {
    fn take(&mut self, bytes: usize) -> Result<(), BodyBroken> {
        match (self.left.checked_sub(bytes as u64), &self.overrun) {
            (Some(left), _) => self.left = left,
            (None, Some(overrun)) => overrun.store(true, Relaxed),
            (None, None) => return Err(BodyBroken::TooLarge),
        }
        Ok(())
    }
}

impl Frames {
    /// Other frames, encoded on the way; how many bytes will come is not known.
    pub(crate) fn encoded(encoded: Encoded) -> Self {
        Self {
            source: Source::Encoded(Box::new(encoded)),
            length: None,
            front: Vec::new(),
            protected: None,
        }
    }

    /// Frames that others read too.
    pub(crate) fn shared(reader: Reader, length: Option<u64>) -> Self {
        Self {
            source: Source::Shared(reader),
            length,
            front: Vec::new(),
            protected: None,
        }
    }

    /// One of several who read them, if that is all.
    pub(crate) fn into_shared(self) -> Result<Reader, Self> {
        match self.source {
            Source::Shared(reader) if self.front.is_empty() && self.protected.is_none() => {
                Ok(reader)
            }
            source => Err(Self { source, ..self }),
        }
    }

    /// How many bytes will come, if that was known beforehand.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Breaks the message where it would exceed `most` bytes of content.
    pub fn bound(&mut self, most: u64) {
        self.set_bound(Bound {
            left: most,
            overrun: None,
        });
    }

    /// What is set once the message exceeds `most` bytes of content. All of it passes.
    pub fn watch(&mut self, most: u64) -> Arc<AtomicBool> {
        let overrun = Arc::<AtomicBool>::default();
        self.set_bound(Bound {
            left: most,
            overrun: Some(Arc::clone(&overrun)),
        });
        overrun
    }

    /// Takes out of the trailers what no client may say there: the connection's, what proxies say of clients, and these.
    pub(crate) fn guard_trailers(&mut self, protected: Arc<ProtectedFields>) {
        self.protected = Some(protected);
    }

    /// Bounds what the producer sends, whatever becomes of it on the way.
    fn set_bound(&mut self, bound: Bound) {
        match &mut self.source {
            Source::Producer(consumer) => consumer.bound = Some(bound),
            Source::Encoded(encoded) => encoded.inner().set_bound(bound),
            // bounds are of requests' bodies, which nobody shares
            Source::Shared(_) => {}
        }
    }

    /// The next frame; `None` after a whole message.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, BodyBroken>>> {
        loop {
            let mut next = match (self.front.pop(), &mut self.source) {
                (Some(frame), _) => Poll::Ready(Some(Ok(frame))),
                (None, Source::Producer(consumer)) => consumer.poll_frame(context),
                (None, Source::Encoded(encoded)) => encoded.poll_frame(context),
                (None, Source::Shared(reader)) => reader.poll_frame(context),
            };
            let (Poll::Ready(Some(Ok(Frame::Trailers(fields)))), Some(protected)) =
                (&mut next, &self.protected)
            else {
                return next;
            };
            strip_trailers(fields, protected);
            if !fields.is_empty() {
                return next;
            }
        }
    }

    /// Puts back the frame that was taken last: it is the next again.
    pub fn put_back(&mut self, frame: Frame) {
        self.front.push(frame);
    }

    /// The next frame; `None` after a whole message.
    pub async fn frame(&mut self) -> Option<Result<Frame, BodyBroken>> {
        std::future::poll_fn(|context| self.poll_frame(context)).await
    }
}

impl Consumer {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame, BodyBroken>>> {
        let mut shared = lock(&self.shared);
        if let Some(frame) = shared.queue.pop_front() {
            if let (Some(bound), Frame::Data(data)) = (&mut self.bound, &frame)
                && let Err(reason) = bound.take(data.len())
            {
                // whoever asks on is told the same
                shared.end = End::Broken(reason);
                shared.queue.clear();
                return Poll::Ready(Some(Err(reason)));
            }
            shared.bytes -= cost(&frame);
            if shared.bytes < CAPACITY {
                wake(shared.producer.take());
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        match shared.end {
            End::Whole => Poll::Ready(None),
            End::Broken(reason) => Poll::Ready(Some(Err(reason))),
            End::NotYet => {
                keep(&mut shared.consumer, context);
                Poll::Pending
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.consumer_gone = true;
        shared.queue.clear();
        wake(shared.producer.take());
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // nothing in here can panic half-way, so a poisoned state is still a right state
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<T>(f: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        f(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_producer_is_held_until_the_consumer_takes() {
        let (mut sender, mut frames) = hand_off(None);
        assert!(poll(|cx| sender.poll_ready(cx)).is_ready());
        sender.send(Frame::Data(Bytes::from(vec![0; CAPACITY])));
        assert!(poll(|cx| sender.poll_ready(cx)).is_pending());
        assert!(matches!(
            poll(|cx| frames.poll_frame(cx)),
            Poll::Ready(Some(Ok(Frame::Data(_))))
        ));
        assert!(poll(|cx| sender.poll_ready(cx)).is_ready());
    }

    #[test]
    fn only_a_finished_message_ends_cleanly() {
        let (mut sender, mut frames) = hand_off(None);
        sender.send(Frame::Data(Bytes::from_static(b"half")));
        drop(sender);
        assert!(matches!(
            poll(|cx| frames.poll_frame(cx)),
            Poll::Ready(Some(Ok(_)))
        ));
        assert!(matches!(
            poll(|cx| frames.poll_frame(cx)),
            Poll::Ready(Some(Err(BodyBroken::Gone)))
        ));

        let (sender, mut frames) = hand_off(None);
        sender.finish();
        assert!(matches!(
            poll(|cx| frames.poll_frame(cx)),
            Poll::Ready(None)
        ));
    }

    #[test]
    fn what_is_put_back_is_the_next_again() {
        let (mut sender, mut frames) = hand_off(None);
        sender.send(Frame::Data(Bytes::from_static(b"third")));
        sender.finish();
        frames.put_back(Frame::Data(Bytes::from_static(b"second")));
        frames.put_back(Frame::Data(Bytes::from_static(b"first")));
        for text in ["first", "second", "third"] {
            let frame = poll(|cx| frames.poll_frame(cx));
            assert!(
                matches!(frame, Poll::Ready(Some(Ok(Frame::Data(data)))) if data == text.as_bytes())
            );
        }
        assert!(matches!(
            poll(|cx| frames.poll_frame(cx)),
            Poll::Ready(None)
        ));
    }

    #[test]
    fn a_producer_learns_that_nobody_listens() {
        let (mut sender, frames) = hand_off(None);
        assert!(poll(|cx| sender.poll_abandoned(cx)).is_pending());
        drop(frames);
        assert!(poll(|cx| sender.poll_abandoned(cx)).is_ready());
        assert_eq!(
            poll(|cx| sender.poll_ready(cx)),
            Poll::Ready(Err(BodyBroken::Gone))
        );
    }
}
