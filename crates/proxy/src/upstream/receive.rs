//! An answer's body on its way from the origin, on a task of its own.
//!
//! The task ends when the body is over, the origin breaks off, or nobody wants it any more; only in the
//! first case, and only if the request is out too, is the connection used again.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_codec::{BodyDecoder, Decoded};
use mainstay_pipeline::{BodyBroken, Frame, FrameSender};

use super::attempt::Rest;
use super::endpoint::InFlight;
use super::forward::Tools;
use super::group::Member;
use super::outgoing::{Cursor, Outgoing, Progress};
use super::web_socket::{self, FrameBounds};
use crate::curfew::{Home, Kind};
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
    /// Whether it has an end of its own.
    pub(super) kind: Kind,
    /// When it has to end, if it has to.
    pub(super) home: Home,
    /// It has to, as soon as it can.
    pub(super) is_ending: bool,
    /// Where the origin's frames end, if it speaks in such.
    pub(super) bounds: Option<FrameBounds>,
    pub(super) _counted: InFlight,
}

/// How receiving ended.
enum End {
    Whole,
    Broken(BodyBroken),
    /// By the origin.
    CutOff(BodyBroken),
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
                None => receiving.poll(&tools, context),
            },
        )
        .await;
    let Receiving {
        mut link,
        sender,
        member,
        keep_for,
        is_switch,
        mut home,
        ..
    } = receiving;
    match end {
        End::Whole if is_switch => {
            sender.finish();
            // the origin has ended its direction of the tunnel, the client perhaps not
            poll_fn(|context| {
                let _ = sending.poll(&mut link, is_switch, context);
                let curfews = [&member.curfew, &*tools.workshop.curfew];
                let deadlines = &tools.workshop.deadlines;
                if sending.is_shut || home.poll_due(curfews, Kind::Stream, deadlines, context) {
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
        End::CutOff(reason) => {
            member.endpoint.cut_off();
            sender.break_off(reason);
        }
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

    fn poll(&mut self, tools: &Tools, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Some(end) = self.poll_curfew(tools, context) {
                return Poll::Ready(end);
            }
            match self.sender.poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(End::Unwanted),
                Poll::Pending => {
                    // the client is slow, not the origin; woken all the same when a curfew is set
                    self.deadline.clear();
                    self.deadline.poll_expired(context);
                    return Poll::Pending;
                }
            }
            match self.decoder.decode(&mut self.link.input) {
                Ok(Decoded::Data(piece)) => self.pass_on(piece),
                Ok(Decoded::Trailers(trailers)) => self.sender.send(Frame::Trailers(trailers)),
                Ok(Decoded::End) => return Poll::Ready(End::Whole),
                Err(_) => return Poll::Ready(End::CutOff(BodyBroken::Malformed)),
                Ok(Decoded::NeedMore) => match self.link.poll_fill_piece(context) {
                    Poll::Ready(Ok(1..)) => self.restart_clock(),
                    Poll::Ready(Ok(0)) if self.decoder.finish().is_ok() => {
                        return Poll::Ready(End::Whole);
                    }
                    Poll::Ready(_) => return Poll::Ready(End::CutOff(BodyBroken::Gone)),
                    Poll::Pending => return self.poll_wait(context),
                },
            }
        }
    }

    /// The end that a curfew asks for; none yet in the middle of a tunnel's frame, whose rest is waited for.
    fn poll_curfew(&mut self, tools: &Tools, context: &Context<'_>) -> Option<End> {
        let curfews = [&self.member.curfew, &*tools.workshop.curfew];
        let deadlines = &tools.workshop.deadlines;
        if self.home.poll_due(curfews, self.kind, deadlines, context) {
            let Some(bounds) = &self.bounds else {
                return Some(End::Broken(BodyBroken::Gone));
            };
            if self.is_ending && !bounds.is_between() {
                return Some(End::Broken(BodyBroken::TooSlow));
            }
            self.is_ending = true;
            self.home.wait_for_the_last_moment();
            self.home.poll_due(curfews, self.kind, deadlines, context);
        }
        let bounds = self.bounds.as_ref()?;
        if !self.is_ending || !bounds.is_between() {
            return None;
        }
        if !bounds.has_closed {
            // so the client knows that it may come back; unless the origin has said its last word
            let restart = Bytes::from_static(web_socket::RESTART);
            self.sender.send(Frame::Data(restart));
        }
        Some(End::Whole)
    }

    /// Hands a piece on; of a tunnel that has to end, no more than to the next end of a frame.
    fn pass_on(&mut self, mut piece: Bytes) {
        match &mut self.bounds {
            Some(bounds) if self.is_ending => {
                if let Some(end) = bounds.pass_one(&piece) {
                    piece.truncate(end);
                }
            }
            Some(bounds) => bounds.pass(&piece),
            None => {}
        }
        self.sender.send(Frame::Data(piece));
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
