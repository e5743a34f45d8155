//! Frames the pieces of a body on their way out. It copies none of them: a caller that gathers
//! writes puts each piece between [`BodyEncoder::chunk_head`] and [`BodyEncoder::chunk_tail`].

use http::HeaderMap;

use crate::{Framing, end_head, write_fields};

/// How a body is framed, and how much of it is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEncoder {
    /// No body may be written.
    None,
    /// So many bytes are still to be written.
    Length(u64),
    /// Each piece becomes a chunk.
    Chunked,
    /// The pieces go out as they are, and the end of the connection ends the body.
    UntilClose,
}

/// A body that is not as long as its head promised. The caller must break the connection, so
/// that the peer sees a broken message and never a clean end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miscount {
    /// The body ended before its promised length.
    #[error("the body ended {missing} bytes before its length")]
    TooFew {
        /// Bytes that were promised and did not come.
        missing: u64,
    },
    /// A piece goes beyond the promised length, or there is one where no body may be.
    #[error("the body goes {excess} bytes beyond its length")]
    TooMany {
        /// Bytes of the piece beyond the length.
        excess: u64,
    },
}

impl From<Framing> for BodyEncoder {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::None,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked,
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

impl BodyEncoder {
    /// Writes what goes in front of a piece of `len` bytes. An empty piece has nothing around
    /// it, for an empty chunk would end the body.
    ///
    /// # Errors
    /// [`Miscount::TooMany`]; nothing of the piece may be written then.
    pub fn chunk_head(&mut self, len: usize, out: &mut Vec<u8>) -> Result<(), Miscount> {
        let len = len as u64;
        match self {
            Self::None if len > 0 => Err(Miscount::TooMany { excess: len }),
            Self::Length(left) => {
                *left = left.checked_sub(len).ok_or(Miscount::TooMany {
                    excess: len.saturating_sub(*left),
                })?;
                Ok(())
            }
            Self::Chunked if len > 0 => {
                write_size(len, out);
                Ok(())
            }
            Self::None | Self::Chunked | Self::UntilClose => Ok(()),
        }
    }

    /// Writes what goes behind a piece of `len` bytes.
    pub fn chunk_tail(&self, len: usize, out: &mut Vec<u8>) {
        if *self == Self::Chunked && len > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a piece with what goes around it.
    ///
    /// # Errors
    /// [`Miscount::TooMany`]; nothing is written then.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Miscount> {
        self.chunk_head(piece.len(), out)?;
        out.extend_from_slice(piece);
        self.chunk_tail(piece.len(), out);
        Ok(())
    }

    /// Ends the body. Trailers are written in the chunked framing and dropped in the others,
    /// which have no place for them (RFC 9110, 6.5.2).
    ///
    /// # Errors
    /// [`Miscount::TooFew`].
    pub fn end(&mut self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) -> Result<(), Miscount> {
        match self {
            Self::Length(missing) if *missing > 0 => Err(Miscount::TooFew { missing: *missing }),
            Self::Chunked => {
                out.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    write_fields(out, trailers);
                }
                end_head(out);
                *self = Self::None;
                Ok(())
            }
            Self::None | Self::Length(_) | Self::UntilClose => Ok(()),
        }
    }
}

/// Writes a chunk size and its line end.
fn write_size(len: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4);
    let mut line = [b'\r'; 18];
    for (position, byte) in line.iter_mut().take(digits as usize).enumerate() {
        let shift = (digits as usize - 1 - position) * 4;
        *byte = DIGITS[(len >> shift) as usize & 0xf];
    }
    line[digits as usize + 1] = b'\n';
    out.extend_from_slice(&line[..digits as usize + 2]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn sizes() {
        for len in [1, 9, 10, 15, 16, 255, 256, 65_535, 65_536, u64::MAX] {
            let mut out = Vec::new();
            write_size(len, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{len:x}\r\n"));
        }
    }

    #[test]
    fn chunks_and_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        let mut out = Vec::new();
        let mut encoder = BodyEncoder::Chunked;
        encoder.write(b"hello", &mut out).unwrap();
        encoder.write(b"", &mut out).unwrap();
        encoder.write(b" world", &mut out).unwrap();
        encoder.end(Some(&trailers), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "5\r\nhello\r\n6\r\n world\r\n0\r\nx-sum: 1\r\n\r\n"
        );
        assert_eq!(encoder, BodyEncoder::None);
    }

    #[test]
    fn a_length_is_kept() {
        let mut out = Vec::new();
        let mut encoder = BodyEncoder::Length(5);
        encoder.write(b"abc", &mut out).unwrap();
        assert_eq!(
            encoder.end(None, &mut out),
            Err(Miscount::TooFew { missing: 2 })
        );
        assert_eq!(
            encoder.write(b"defg", &mut out),
            Err(Miscount::TooMany { excess: 2 })
        );
        encoder.write(b"de", &mut out).unwrap();
        encoder.end(None, &mut out).unwrap();
        assert_eq!(out, b"abcde");
        assert_eq!(
            BodyEncoder::None.write(b"x", &mut out),
            Err(Miscount::TooMany { excess: 1 })
        );
    }
}
