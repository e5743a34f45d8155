//! An answer on its way to the client's socket.
//!
//! Framing is decided here, from the body and the client's version; whatever the origin said of its own
//! framing is gone by now. What ends early leaves a message that every client can see is broken.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use mainstay_codec::{
    BodyEncoder, Persistence, end_head, write_field, write_fields, write_fields_without,
    write_status_line,
};
use mainstay_pipeline::{Answer, Body, BodyBroken, Ending, Frame, Frames};

use super::connection::{Reply, may_be_finished};
use super::inbound::Inbound;
use crate::deadline::Deadline;
use crate::link::Link;
use crate::thread::{Serving, Thread};
use crate::turns::behind_the_others;

/// Bytes that are gathered before they are written.
const GATHER: usize = 64 * 1024;

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// All of it is out.
    Whole {
        /// The connection can carry another request.
        keep: bool,
    },
    /// The client is gone, or was let go with a broken message.
    Broken,
}

/// Writes an answer's head, and as much of the body as is there; [`finish`] sends it.
pub(super) fn begin(
    thread: &Thread,
    serving: &Serving,
    link: &mut Link,
    reply: &Reply,
    answer: Answer,
    mut inbound: Option<&mut Inbound>,
) -> Sending {
    let Answer {
        response,
        standard,
        mut ending,
        refresh: _,
    } = answer;
    let (mut parts, body) = response.into_parts();
    let is_switch = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    if is_switch && let Some(inbound) = inbound.as_deref_mut() {
        inbound.open();
    }
    let (encoder, length_field) = frame(reply, parts.status, &body, &mut parts.headers);
    let keep = encoder != BodyEncoder::UntilClose
        && reply.connection == Persistence::KeepAlive
        && !thread.is_draining()
        && !(link.has_ended && link.input.is_empty())
        && ending
            .exchange()
            .refusal
            .is_none_or(mainstay_pipeline::Refusal::keeps_connection)
        && may_be_finished(inbound.as_deref());
    let out = link.out();
    write_status_line(out, parts.status);
    match length_field {
        LengthField::Origins => write_fields(out, &parts.headers),
        LengthField::Ours => write_fields_without(out, &parts.headers, &CONTENT_LENGTH),
    }
    if let Some(standard) = standard {
        standard.write(ending.exchange(), out);
    }
    // looking at a few names costs less than looking one up
    if !parts.headers.keys().any(|name| *name == DATE) {
        thread.write_date(|date| write_field(out, DATE.as_str(), date.as_bytes()));
    }
    if let Some(connection) = persistence(reply, keep, is_switch) {
        write_field(out, CONNECTION.as_str(), connection.as_bytes());
    }
    write_framing(out, encoder);
    end_head(out);
    let has_body = encoder != BodyEncoder::None;
    let frames = match body {
        Body::Full(bytes) if has_body => {
            ending.sent(bytes.len());
            link.push(bytes);
            None
        }
        Body::Stream(frames) if has_body => Some(frames),
        // a stream that is not sent is dropped: its producer learns that nobody listens
        Body::Empty | Body::Full(_) | Body::Stream(_) => None,
    };
    Sending {
        keep,
        encoder,
        frames,
        trailers: None,
        ending,
        timeout: serving.options.client.send_timeout,
        clock: None,
    }
}

/// Sends what was begun.
pub(super) async fn finish(
    sending: &mut Sending,
    thread: &Thread,
    link: &mut Link,
    mut inbound: Option<&mut Inbound>,
    deadline: &Deadline,
) -> Sent {
    if thread.open_connections() > 1 {
        behind_the_others().await;
    }
    poll_fn(|context| {
        if let Some(inbound) = &mut inbound {
            let _ = inbound.poll_feed(link, deadline, context);
        }
        let sent = sending.poll_send(thread, link, context);
        if sent.is_pending()
            && inbound.as_ref().is_none_or(|inbound| inbound.is_over())
            && link.poll_gone(deadline, context).is_ready()
        {
            sending.ending.broken("client_gone");
            return Poll::Ready(Sent::Broken);
        }
        sent.map(|sent| {
            if sent {
                Sent::Whole { keep: sending.keep }
            } else {
                Sent::Broken
            }
        })
    })
    .await
}

/// Whose `Content-Length` is written, if any.
#[derive(Clone, Copy)]
enum LengthField {
    /// What the fields say: there is no body whose length it could be.
    Origins,
    /// What the body's framing says.
    Ours,
}

/// Decides how the body is delimited, and what the fields say of it.
fn frame(
    reply: &Reply,
    status: StatusCode,
    body: &Body,
    headers: &mut HeaderMap,
) -> (BodyEncoder, LengthField) {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return (BodyEncoder::UntilClose, LengthField::Ours);
    }
    if status == StatusCode::NO_CONTENT {
        return (BodyEncoder::None, LengthField::Ours);
    }
    if reply.method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        // the length is that of the answer to a GET, as the origin says, or as we know
        if let Body::Full(bytes) = body
            && reply.method == Method::HEAD
        {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        return (BodyEncoder::None, LengthField::Origins);
    }
    let encoder = match body.length() {
        Some(length) => BodyEncoder::Length(length),
        None if reply.version == Version::HTTP_10 => BodyEncoder::UntilClose,
        None => BodyEncoder::Chunked,
    };
    (encoder, LengthField::Ours)
}

fn persistence(reply: &Reply, keep: bool, is_switch: bool) -> Option<&'static str> {
    match (keep, reply.version) {
        _ if is_switch => None,
        (false, _) => Some("close"),
        (true, Version::HTTP_10) => Some("keep-alive"),
        (true, _) => None,
    }
}

fn write_framing(out: &mut Vec<u8>, encoder: BodyEncoder) {
    match encoder {
        BodyEncoder::Length(length) => {
            write_field(
                out,
                CONTENT_LENGTH.as_str(),
                itoa::Buffer::new().format(length).as_bytes(),
            );
        }
        BodyEncoder::Chunked => write_field(out, TRANSFER_ENCODING.as_str(), b"chunked"),
        BodyEncoder::None | BodyEncoder::UntilClose => {}
    }
}

/// An answer whose head is written.
pub(super) struct Sending {
    /// Whether the connection can carry another request then.
    keep: bool,
    encoder: BodyEncoder,
    /// What is still to come; none when all has been taken.
    frames: Option<Frames>,
    trailers: Option<HeaderMap>,
    ending: Ending,
    timeout: Duration,
    /// Runs while the client takes nothing.
    clock: Option<Deadline>,
}

impl Sending {
    /// Ready with whether all of it went out.
    fn poll_send(
        &mut self,
        thread: &Thread,
        link: &mut Link,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            let before = link.unsent();
            match link.poll_flush(context) {
                Poll::Ready(Ok(())) => self.clock = None,
                Poll::Ready(Err(_)) => return self.broken("client_gone"),
                Poll::Pending => {
                    if self.clock.is_none() || link.unsent() < before {
                        let clock = self.clock.get_or_insert_with(|| thread.deadline());
                        clock.set(self.timeout);
                    }
                    let is_late = self
                        .clock
                        .as_ref()
                        .is_some_and(|clock| clock.poll_expired(context));
                    return if is_late {
                        self.broken("send_timeout")
                    } else {
                        Poll::Pending
                    };
                }
            }
            let Some(frames) = &mut self.frames else {
                return Poll::Ready(true);
            };
            match frames.poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => {
                    if let Some(broken) = self.gather(link, frame, context) {
                        return broken;
                    }
                }
            }
        }
    }

    /// Takes this frame and all that are there already, so that they go out in one write.
    fn gather(
        &mut self,
        link: &mut Link,
        first: Option<Result<Frame, BodyBroken>>,
        context: &mut Context<'_>,
    ) -> Option<Poll<bool>> {
        let mut next = Some(first);
        while let Some(frame) = next {
            match frame {
                Some(Ok(Frame::Data(piece))) => {
                    let length = piece.len();
                    let mut fits = Ok(());
                    link.push_framing(|out| fits = self.encoder.chunk_head(length, out));
                    if fits.is_err() {
                        return Some(self.break_off(link, "body_too_long", context));
                    }
                    link.push(piece);
                    link.push_framing(|out| self.encoder.chunk_tail(length, out));
                    self.ending.sent(length);
                }
                Some(Ok(Frame::Trailers(trailers))) => self.trailers = Some(trailers),
                None => {
                    self.frames = None;
                    let mut ends = Ok(());
                    link.push_framing(|out| ends = self.encoder.end(self.trailers.as_ref(), out));
                    return if ends.is_ok() {
                        None
                    } else {
                        Some(self.break_off(link, "body_too_short", context))
                    };
                }
                Some(Err(_)) => return Some(self.break_off(link, "origin_broke_off", context)),
            }
            let frames = self.frames.as_mut()?;
            next = if link.unsent() < GATHER {
                match frames.poll_frame(context) {
                    Poll::Ready(frame) => Some(frame),
                    Poll::Pending => None,
                }
            } else {
                None
            };
        }
        None
    }

    /// Leaves a message that is visibly not whole: too short for its length, or without its last chunk.
    /// Where neither is promised, only a reset can tell.
    fn break_off(
        &mut self,
        link: &mut Link,
        reason: &'static str,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        let _ = link.poll_flush(context);
        if self.encoder == BodyEncoder::UntilClose {
            link.reset();
        }
        self.broken(reason)
    }

    fn broken(&mut self, reason: &'static str) -> Poll<bool> {
        self.ending.broken(reason);
        Poll::Ready(false)
    }
}
