//! An answer's body on its way from the origin, on a task of its own.
//!
//! The task ends when the body is over, the origin breaks off, or nobody wants it any more; only in the
//! first case, and only if the request is out too, is the connection used again.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mainstay_codec::{BodyDecoder, Decoded};
use mainstay_pipeline::{BodyBroken, Frame, FrameSender};

use super::attempt::Rest;
use super::endpoint::InFlight;
use super::forward::Tools;
use super::group::Member;
use super::outgoing::{Cursor, Outgoing, Progress};
use crate::deadline::Deadline;
use crate::link::Link;

/// A body that is still coming from an origin.
pub(super) struct Receiving {
    pub(super) link: Link,
    pub(super) decoder: BodyDecoder,
    pub(super) sender: FrameSender,
    pub(super) member: Rc<Member>,
    /// How long the origin keeps the connection, if it does.
    pub(super) keep_for: Option<Duration>,
    pub(super) deadline: Deadline,
    /// Between two pieces; none for what may be silent.
    pub(super) timeout: Option<Duration>,
    pub(super) is_switch: bool,
    pub(super) _counted: InFlight,
}

/// How receiving ended.
enum End {
    Whole,
    Broken(BodyBroken),
    Unwanted,
}

/// The request that is perhaps still being sent.
struct Sending {
    outgoing: Outgoing,
    cursor: Cursor,
    state: SendState,
    /// The origin was told that the client's side of a tunnel ended.
    is_shut: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SendState {
    Going,
    Done,
    Failed,
}

pub(super) async fn receive(tools: Rc<Tools>, outgoing: Outgoing, rest: Rest) {
    let Rest {
        mut receiving,
        cursor,
        needs_sending,
    } = rest;
    let state = if needs_sending {
        SendState::Going
    } else {
        SendState::Done
    };
    let mut sending = Sending {
        outgoing,
        cursor,
        state,
        is_shut: false,
    };
    receiving.restart_clock();
    let end =
        poll_fn(
            |context| match sending.poll(&mut receiving.link, receiving.is_switch, context) {
                // a request that breaks off takes its answer with it
                Some(reason) => Poll::Ready(End::Broken(reason)),
                None => receiving.poll(context),
            },
        )
        .await;
    let Receiving {
        mut link,
        sender,
        member,
        keep_for,
        is_switch,
        ..
    } = receiving;
    match end {
        End::Whole if is_switch => {
            sender.finish();
            // the origin has ended its direction of the tunnel, the client perhaps not
            poll_fn(|context| {
                let _ = sending.poll(&mut link, is_switch, context);
                if sending.is_shut {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        End::Whole => {
            sender.finish();
            if let Some(keep_for) = keep_for
                && sending.state == SendState::Done
                && link.input.is_empty()
            {
                member.give_back(link, Some(keep_for), &tools.options, Instant::now());
            }
        }
        End::Broken(reason) => sender.break_off(reason),
        End::Unwanted => {}
    }
}

impl Sending {
    /// Sends on; tells why if the client's side broke.
    fn poll(
        &mut self,
        link: &mut Link,
        is_switch: bool,
        context: &mut Context<'_>,
    ) -> Option<BodyBroken> {
        if self.state == SendState::Going
            && let Poll::Ready(progress) = self.outgoing.poll_send(&mut self.cursor, link, context)
        {
            self.state = match progress {
                Progress::Done => SendState::Done,
                Progress::OriginGone => SendState::Failed,
                Progress::ClientBroke(reason) => {
                    self.state = SendState::Failed;
                    self.is_shut = true;
                    return Some(reason);
                }
            };
        }
        // the client ended its side of the tunnel: so do we
        if is_switch && self.state != SendState::Going && !self.is_shut {
            self.is_shut = link.poll_shutdown(context).is_ready();
        }
        None
    }
}

impl Receiving {
    fn restart_clock(&self) {
        match self.timeout {
            Some(timeout) => self.deadline.set(timeout),
            None => self.deadline.clear(),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.sender.poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(End::Unwanted),
                Poll::Pending => {
                    // the client is slow, not the origin
                    self.deadline.clear();
                    return Poll::Pending;
                }
            }
            match self.decoder.decode(&mut self.link.input) {
                Ok(Decoded::Data(piece)) => self.sender.send(Frame::Data(piece)),
                Ok(Decoded::Trailers(trailers)) => self.sender.send(Frame::Trailers(trailers)),
                Ok(Decoded::End) => return Poll::Ready(End::Whole),
                Err(_) => return Poll::Ready(End::Broken(BodyBroken::Malformed)),
                Ok(Decoded::NeedMore) => match self.link.poll_fill_piece(context) {
                    Poll::Ready(Ok(1..)) => self.restart_clock(),
                    Poll::Ready(Ok(0)) if self.decoder.finish().is_ok() => {
                        return Poll::Ready(End::Whole);
                    }
                    Poll::Ready(_) => return Poll::Ready(End::Broken(BodyBroken::Gone)),
                    Poll::Pending => return self.poll_wait(context),
                },
            }
        }
    }

    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if self.sender.poll_abandoned(context).is_ready() {
            return Poll::Ready(End::Unwanted);
        }
        if !self.deadline.is_set() {
            // it stood still while the client was slow
            self.restart_clock();
        }
        if self.deadline.poll_expired(context) {
            return Poll::Ready(End::Broken(BodyBroken::TooSlow));
        }
        Poll::Pending
    }
}
