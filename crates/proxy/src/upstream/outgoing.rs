//! A request on its way to an origin: what is written, and what is kept to write it again.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri, Version};
use mainstay_codec::{
    BodyEncoder, Framing, end_head, write_field, write_fields_without, write_request_line,
};
use mainstay_pipeline::{Body, BodyBroken, Exchange, Frame, Frames, Request};

use crate::link::Link;

/// So much of a streamed body is kept for a second attempt.
const REPLAY: usize = 64 * 1024;
/// What keeping a piece costs beside its bytes.
const PIECE_COST: usize = size_of::<Bytes>();
/// Bytes that are gathered before they are written.
const GATHER: usize = 64 * 1024;

/// A request that can be sent more than once, as long as what was sent of its body is kept.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    uri: Uri,
    headers: HeaderMap,
    framing: Framing,
    body: Option<Frames>,
    /// The body's pieces that were taken; all of it for bodies in memory.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// More was taken than is kept.
    overflowed: bool,
    trailers: Option<HeaderMap>,
    /// Asked for with `Upgrade`.
    pub(super) is_switch: bool,
    /// The client waits for 100.
    pub(super) expects: bool,
}

/// One sending of an [`Outgoing`].
#[derive(Debug)]
pub(super) struct Cursor {
    encoder: BodyEncoder,
    /// How many kept pieces have been handed to the link.
    replayed: usize,
    is_ended: bool,
}

/// What became of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All of it is out.
    Done,
    /// The client's side of the body broke.
    ClientBroke(BodyBroken),
    /// The origin takes no more.
    OriginGone,
}

impl Outgoing {
    #[inline]
    pub(super) fn new(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        // looking at a few names costs less than looking one up
        let has = |wanted: HeaderName| parts.headers.keys().any(|name| *name == wanted);
        let is_switch = has(UPGRADE);
        let expects = has(EXPECT);
        let mut outgoing = Self {
            framing: framing(&parts.method, parts.version, &body, is_switch),
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body: None,
            kept: Vec::new(),
            kept_bytes: 0,
            overflowed: false,
            trailers: None,
            is_switch,
            expects,
        };
        match body {
            Body::Empty => {}
            Body::Full(bytes) => {
                outgoing.kept_bytes = bytes.len();
                outgoing.kept.push(bytes);
            }
            Body::Stream(frames) => outgoing.body = Some(frames),
        }
        outgoing
    }

    /// Writes the head into the link and begins at the body's first byte.
    pub(super) fn begin(&self, link: &mut Link, exchange: &Exchange) -> Cursor {
        let out = link.out();
        let target = self.uri.path_and_query().map_or("*", PathAndQuery::as_str);
        write_request_line(out, &self.method, target);
        // a body is framed anew, whatever its client said
        write_fields_without(out, &self.headers, &CONTENT_LENGTH);
        exchange.forwarded_fields(|name, value| write_field(out, name, value));
        match self.framing {
            Framing::Length(length) => {
                write_field(
                    out,
                    CONTENT_LENGTH.as_str(),
                    itoa::Buffer::new().format(length).as_bytes(),
                );
            }
            Framing::Chunked => write_field(out, "transfer-encoding", b"chunked"),
            Framing::None | Framing::UntilClose => {}
        }
        end_head(out);
        Cursor {
            encoder: self.framing.into(),
            replayed: 0,
            is_ended: false,
        }
    }

    /// Whether it may be sent again though an origin may have seen it.
    pub(super) fn may_repeat(&self) -> bool {
        let is_idempotent = matches!(
            self.method,
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        );
        is_idempotent && !self.is_switch && self.may_replay()
    }

    /// Whether all that was taken of its body is still there.
    pub(super) fn may_replay(&self) -> bool {
        !self.overflowed
    }

    /// Writes what can be written. Ready when the request is out, or never will be.
    pub(super) fn poll_send(
        &mut self,
        cursor: &mut Cursor,
        link: &mut Link,
        context: &mut Context<'_>,
    ) -> Poll<Progress> {
        loop {
            match link.poll_flush(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Progress::OriginGone),
                Poll::Pending => return Poll::Pending,
            }
            if cursor.is_ended {
                return Poll::Ready(Progress::Done);
            }
            if let Err(stop) = self.gather(cursor, link, context) {
                return stop;
            }
        }
    }

    /// Moves pieces into the link until it holds enough, there are no more, or none have come.
    fn gather(
        &mut self,
        cursor: &mut Cursor,
        link: &mut Link,
        context: &mut Context<'_>,
    ) -> Result<(), Poll<Progress>> {
        while link.unsent() < GATHER && !cursor.is_ended {
            if let Some(piece) = self.kept.get(cursor.replayed) {
                cursor.replayed += 1;
                push(cursor, link, piece.clone())?;
                continue;
            }
            let frame = match &mut self.body {
                None => None,
                Some(frames) => match frames.poll_frame(context) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending if link.unsent() > 0 => return Ok(()),
                    Poll::Pending => return Err(Poll::Pending),
                },
            };
            match frame {
                Some(Ok(Frame::Data(piece))) => {
                    self.keep(cursor, &piece);
                    push(cursor, link, piece)?;
                }
                Some(Ok(Frame::Trailers(trailers))) => self.trailers = Some(trailers),
                Some(Err(broken)) => return Err(Poll::Ready(Progress::ClientBroke(broken))),
                None => {
                    self.body = None;
                    cursor.is_ended = true;
                    let mut ends = Ok(());
                    link.push_framing(|out| ends = cursor.encoder.end(self.trailers.as_ref(), out));
                    if ends.is_err() {
                        return Err(Poll::Ready(Progress::ClientBroke(BodyBroken::Malformed)));
                    }
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, cursor: &mut Cursor, piece: &Bytes) {
        if self.overflowed {
            return;
        }
        if self.is_switch || self.kept_bytes + piece.len() + PIECE_COST > REPLAY {
            self.overflowed = true;
            self.kept = Vec::new();
            cursor.replayed = 0;
        } else {
            self.kept_bytes += piece.len() + PIECE_COST;
            self.kept.push(piece.clone());
            cursor.replayed += 1;
        }
    }
}

fn push(cursor: &mut Cursor, link: &mut Link, piece: Bytes) -> Result<(), Poll<Progress>> {
    let length = piece.len();
    let mut fits = Ok(());
    link.push_framing(|out| fits = cursor.encoder.chunk_head(length, out));
    fits.map_err(|_| Poll::Ready(Progress::ClientBroke(BodyBroken::Malformed)))?;
    link.push(piece);
    link.push_framing(|out| cursor.encoder.chunk_tail(length, out));
    Ok(())
}

/// A body is framed anew for the origin; what the client said of its own framing ends with its
/// connection.
fn framing(method: &Method, version: Version, body: &Body, is_switch: bool) -> Framing {
    match body {
        _ if is_switch => Framing::UntilClose,
        // a POST without a body says so: some servers ask for the length
        Body::Empty if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            Framing::Length(0)
        }
        Body::Empty => Framing::None,
        _ => {
            debug_assert!(version <= Version::HTTP_11);
            body.length().map_or(Framing::Chunked, Framing::Length)
        }
    }
}
