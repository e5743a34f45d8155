//! Takes the body of a message out of a buffer, piece by piece and without copying. It does
//! not read from anywhere, and holds no bytes of its own.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::chunked::{self, ChunkedDecoder};
use crate::{BodyFault, Framing, Limits};

/// What was taken from the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A piece of the body, never empty.
    Data(Bytes),
    /// The trailers that may be passed on. [`Decoded::End`] follows.
    Trailers(HeaderMap),
    /// The body is complete. What is left in the buffer belongs to the next message.
    End,
    /// The buffer holds no more of the body; read, and ask again.
    NeedMore,
}

/// The state of one body on its way in.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Done,
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl BodyDecoder {
    /// Begins a body that is framed like this.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let kind = match framing {
            Framing::None | Framing::Length(0) => Kind::Done,
            Framing::Length(length) => Kind::Length(length),
            Framing::Chunked => Kind::Chunked(ChunkedDecoder::new(limits)),
            Framing::UntilClose => Kind::UntilClose,
        };
        Self { kind }
    }

    /// Takes the next piece out of `input`. The bytes that make an unfinished line of the
    /// chunked framing may stay in it; they are few.
    ///
    /// # Errors
    /// A fault in the framing. The decoder must not be used after it.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, BodyFault> {
        match &mut self.kind {
            Kind::Done => Ok(Decoded::End),
            Kind::UntilClose if input.is_empty() => Ok(Decoded::NeedMore),
            Kind::UntilClose => Ok(Decoded::Data(input.split().freeze())),
            Kind::Length(left) => {
                let Some(piece) = take(input, left) else {
                    return Ok(Decoded::NeedMore);
                };
                if *left == 0 {
                    self.kind = Kind::Done;
                }
                Ok(Decoded::Data(piece))
            }
            Kind::Chunked(chunked) => Ok(match chunked.decode(input)? {
                chunked::Step::Data(piece) => Decoded::Data(piece),
                chunked::Step::NeedMore => Decoded::NeedMore,
                chunked::Step::End(trailers) => {
                    self.kind = Kind::Done;
                    if trailers.is_empty() {
                        Decoded::End
                    } else {
                        Decoded::Trailers(trailers)
                    }
                }
            }),
        }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.kind, Kind::Done)
    }

    /// Takes note that the peer ended. Call it when the buffer holds no more of the body.
    ///
    /// # Errors
    /// [`BodyFault::Truncated`] unless the body was complete or ends with the connection.
    pub fn finish(&mut self) -> Result<(), BodyFault> {
        match self.kind {
            Kind::Done => Ok(()),
            Kind::UntilClose => {
                self.kind = Kind::Done;
                Ok(())
            }
            Kind::Length(_) | Kind::Chunked(_) => Err(BodyFault::Truncated),
        }
    }

    /// Bytes still to come, when the framing says so.
    pub fn remaining_hint(&self) -> Option<u64> {
        match self.kind {
            Kind::Done => Some(0),
            Kind::Length(left) => Some(left),
            Kind::Chunked(_) | Kind::UntilClose => None,
        }
    }
}

/// Takes at most `left` bytes out of `input` and counts them; `None` when it is empty.
pub(crate) fn take(input: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    if input.is_empty() {
        return None;
    }
    let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left -= len as u64;
    Some(input.split_to(len).freeze())
}

#[cfg(test)]
mod tests;
