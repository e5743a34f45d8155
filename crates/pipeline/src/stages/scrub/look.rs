//! The beginning of a body, looked at before any of it is sent, and put back as it was. Bounded in bytes and in
//! time: what streams goes on streaming. Judges nothing.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::coding::Extent;
use crate::{Body, Frame, Frames};

/// So much is looked at; what an app says of an error stands at its beginning.
const MOST: usize = 64 * 1024;
/// Nobody waits longer for a body's next piece only because it is looked at.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was seen of a body.
pub(super) struct Seen {
    pub(super) bytes: Bytes,
    pub(super) extent: Extent,
}

/// Looks at the beginning of a body. The body has the same bytes, trailers and end afterwards; only where its pieces
/// begin may have changed.
pub(super) async fn look(body: &mut Body) -> Seen {
    match body {
        Body::Empty => Seen {
            bytes: Bytes::new(),
            extent: Extent::Whole,
        },
        Body::Full(bytes) => Seen {
            bytes: bytes.slice(..bytes.len().min(MOST)),
            extent: extent(bytes.len() <= MOST),
        },
        Body::Stream(frames) => {
            let mut held = Held::default();
            let outcome = tokio::time::timeout(PATIENCE, held.collect(frames)).await;
            let is_whole = outcome.is_ok_and(|end| end == End::Whole);
            held.put_back(frames, extent(is_whole))
        }
    }
}

fn extent(is_whole: bool) -> Extent {
    if is_whole {
        Extent::Whole
    } else {
        Extent::Beginning
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Whole,
    /// It goes on, or was broken off.
    Open,
}

/// What was taken out of a body. One piece, the usual case, is not copied.
#[derive(Default)]
struct Held {
    first: Bytes,
    all: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Held {
    /// Takes pieces until there are enough. May be given up at any time: what was taken is held.
    async fn collect(&mut self, frames: &mut Frames) -> End {
        while self.length() < MOST {
            match frames.frame().await {
                Some(Ok(Frame::Data(piece))) => self.push(piece),
                Some(Ok(Frame::Trailers(trailers))) => self.trailers = Some(trailers),
                Some(Err(_)) => return End::Open,
                None => return End::Whole,
            }
        }
        End::Open
    }

    fn length(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, piece: Bytes) {
        if self.length() == 0 {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&piece);
    }

    fn put_back(self, frames: &mut Frames, extent: Extent) -> Seen {
        let bytes = if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        };
        if let Some(trailers) = self.trailers {
            frames.put_back(Frame::Trailers(trailers));
        }
        if !bytes.is_empty() {
            frames.put_back(Frame::Data(bytes.clone()));
        }
        Seen { bytes, extent }
    }
}
