//! A request's body on its way from the client's socket into the pipeline.
//!
//! Polled by the connection's own task beside whatever else it waits for. What comes is handed on as
//! fast as the origin takes it, and no faster.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_codec::{BodyDecoder, Decoded, Framing, Limits};
use mainstay_pipeline::{Body, BodyBroken, Frame, FrameSender, hand_off};

use crate::deadline::Deadline;
use crate::link::Link;
use crate::options::ClientOptions;

/// Whether the client asked to be told to go on before it sends the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// It sends as it likes.
    Nothing,
    /// `Expect: 100-continue`.
    Continue,
}

/// A body that is still coming.
pub(super) struct Inbound {
    decoder: BodyDecoder,
    /// None once the body is complete, broken, or nobody wants it.
    sender: Option<FrameSender>,
    state: State,
    clock: Pace,
    /// The client holds the body back until it is told to go on.
    awaits_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It comes.
    Coming,
    /// A tunnel's bytes, held until the origin agreed to switch.
    Held,
    /// All of it has come.
    Complete,
    /// The origin wants no more of it.
    Unwanted,
    /// It broke its framing, or the client ended too early.
    Broken,
    /// It came too slowly.
    TooSlow,
    /// The client is gone.
    Gone,
}

/// A minimum of bytes in each period, counted only while the client is waited for.
struct Pace {
    minimum: usize,
    period: Duration,
    came: usize,
    is_running: bool,
}

impl Inbound {
    /// Takes what of the body is already in the link. Gives the body for the pipeline and, unless that
    /// is all of it, what feeds it.
    pub(super) fn begin(
        framing: Framing,
        link: &mut Link,
        limits: &Limits,
        options: &ClientOptions,
        expects_continue: Expects,
    ) -> (Body, Option<Self>) {
        let length = match framing {
            Framing::None | Framing::Length(0) => return (Body::Empty, None),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        if let Some(length) = length.and_then(|length| usize::try_from(length).ok())
            && link.input.len() >= length
        {
            return (Body::Full(link.input.split_to(length).freeze()), None);
        }
        let (sender, frames) = hand_off(length);
        let inbound = Self {
            decoder: BodyDecoder::new(framing, limits),
            sender: Some(sender),
            state: State::Coming,
            awaits_continue: expects_continue == Expects::Continue,
            clock: Pace {
                minimum: options.body_minimum,
                period: options.body_period,
                came: 0,
                is_running: false,
            },
        };
        (Body::Stream(frames), Some(inbound))
    }

    /// The client's side of a tunnel: raw bytes, held until [`Inbound::open`].
    pub(super) fn tunnel(limits: &Limits) -> (Body, Self) {
        let (sender, frames) = hand_off(None);
        let inbound = Self {
            decoder: BodyDecoder::new(Framing::UntilClose, limits),
            sender: Some(sender),
            state: State::Held,
            awaits_continue: false,
            // the kernel's keep-alive probes find dead tunnels; silent ones may live
            clock: Pace {
                minimum: 0,
                period: Duration::ZERO,
                came: 0,
                is_running: false,
            },
        };
        (Body::Stream(frames), inbound)
    }

    /// The origin switched protocols: bytes may pass.
    pub(super) fn open(&mut self) {
        if self.state == State::Held {
            self.state = State::Coming;
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Bytes that came since its clock began; all of them in a tunnel, which has none.
    pub(super) fn came(&self) -> usize {
        self.clock.came
    }

    /// The client was told to go on.
    pub(super) fn was_continued(&mut self) {
        self.awaits_continue = false;
    }

    /// Whether the client may rather send its next request than the body it was never asked for: then
    /// nobody can tell what its next bytes are.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.awaits_continue && self.state != State::Complete
    }

    /// Whether what follows is the next request: the body is complete, or was to be a tunnel's and the
    /// origin did not switch.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Complete | State::Held)
    }

    /// How many bytes are still to come, if that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        self.decoder.remaining_hint()
    }

    /// Whether nobody wants any more of it, though nothing has come that could show it; if somebody does, wakes
    /// the task when nobody does.
    pub(super) fn poll_unwanted(&mut self, context: &mut Context<'_>) -> bool {
        let sender = self.sender.as_mut();
        sender.is_none_or(|sender| sender.poll_abandoned(context).is_ready())
    }

    /// Moves what can be moved. Ready when there is nothing left to do.
    pub(super) fn poll_feed(
        &mut self,
        link: &mut Link,
        deadline: &Deadline,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        while self.state == State::Coming {
            let Some(sender) = &mut self.sender else {
                break;
            };
            match sender.poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    self.end(State::Unwanted, deadline);
                    break;
                }
                Poll::Pending => {
                    // the origin is slow, not the client
                    self.clock.stop(deadline);
                    if link.poll_failed(deadline, context).is_ready() {
                        self.end(State::Gone, deadline);
                    }
                    return Poll::Pending;
                }
            }
            match self.decoder.decode(&mut link.input) {
                Ok(Decoded::Data(piece)) => {
                    self.awaits_continue = false;
                    self.clock.came += piece.len();
                    sender.send(Frame::Data(piece));
                }
                Ok(Decoded::Trailers(trailers)) => sender.send(Frame::Trailers(trailers)),
                Ok(Decoded::End) => self.end(State::Complete, deadline),
                Ok(Decoded::NeedMore) => ready!(self.poll_more(link, deadline, context)),
                Err(_) => self.end(State::Broken, deadline),
            }
        }
        if self.state == State::Held {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn poll_more(
        &mut self,
        link: &mut Link,
        deadline: &Deadline,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        match link.poll_fill_piece(context) {
            Poll::Ready(Ok(1..)) => Poll::Ready(()),
            Poll::Ready(Ok(0)) => {
                let state = if self.decoder.finish().is_ok() {
                    State::Complete
                } else {
                    State::Broken
                };
                self.end(state, deadline);
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => {
                self.end(State::Gone, deadline);
                Poll::Ready(())
            }
            Poll::Pending if self.clock.poll_is_too_slow(deadline, context) => {
                self.end(State::TooSlow, deadline);
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn end(&mut self, state: State, deadline: &Deadline) {
        self.state = state;
        self.clock.stop(deadline);
        deadline.clear();
        let Some(sender) = self.sender.take() else {
            return;
        };
        match state {
            State::Complete => sender.finish(),
            State::Broken => sender.break_off(BodyBroken::Malformed),
            State::TooSlow => sender.break_off(BodyBroken::TooSlow),
            State::Coming | State::Held | State::Unwanted | State::Gone => {
                sender.break_off(BodyBroken::Gone);
            }
        }
    }

    /// Throws away what still comes of an unwanted body, `bound` bytes at the most. Ready with whether
    /// the connection stands at the beginning of the next message.
    pub(super) fn poll_discard(
        &mut self,
        link: &mut Link,
        bound: &mut usize,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            match self.decoder.decode(&mut link.input) {
                Ok(Decoded::Data(piece)) if piece.len() <= *bound => *bound -= piece.len(),
                Ok(Decoded::Data(_)) | Err(_) => return Poll::Ready(false),
                Ok(Decoded::Trailers(_)) => {}
                Ok(Decoded::End) => return Poll::Ready(true),
                Ok(Decoded::NeedMore) => match ready!(link.poll_fill(context)) {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return Poll::Ready(false),
                },
            }
        }
    }
}

impl Pace {
    fn stop(&mut self, deadline: &Deadline) {
        if self.is_running {
            deadline.clear();
            self.is_running = false;
        }
    }

    fn poll_is_too_slow(&mut self, deadline: &Deadline, context: &Context<'_>) -> bool {
        if self.minimum == 0 {
            return false;
        }
        if !self.is_running {
            deadline.set(self.period);
            self.came = 0;
            self.is_running = true;
        }
        if !deadline.poll_expired(context) {
            return false;
        }
        if self.came < self.minimum {
            return true;
        }
        self.came = 0;
        deadline.set(self.period);
        // asks to be woken by the new deadline
        deadline.poll_expired(context)
    }
}
