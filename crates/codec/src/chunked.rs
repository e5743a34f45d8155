//! The chunked coding on its way in (RFC 9112, 7.1): a state machine over bytes, so that any
//! split of the input gives the same result. Trailers are read by `trailers`.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use crate::body::take;
use crate::trailers::TrailerScan;
use crate::{BodyFault, Limits};

/// The state of one chunked body.
#[derive(Clone, Debug)]
pub(crate) struct ChunkedDecoder {
    state: State,
    /// Bytes that chunk extensions may still take.
    extensions_left: usize,
    limits: Limits,
}

/// What the next byte belongs to.
#[derive(Clone, Debug)]
enum State {
    /// A size with so many digits so far.
    Size { size: u64, digits: u8 },
    /// An extension behind this size.
    Extension { size: u64 },
    /// The LF of the size line.
    SizeLf { size: u64 },
    /// Data, with so many bytes to come.
    Data { left: u64 },
    /// The CR behind the data.
    DataCr,
    /// The LF behind the data.
    DataLf,
    /// The trailer section.
    Trailers(TrailerScan),
}

/// What one call of the decoder found.
pub(crate) enum Step {
    Data(Bytes),
    /// The end, with the trailers that may be passed on.
    End(HeaderMap),
    NeedMore,
}

impl ChunkedDecoder {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            extensions_left: limits.chunk_extensions,
            limits: limits.clone(),
        }
    }

    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Step, BodyFault> {
        loop {
            match &mut self.state {
                State::Data { left } => {
                    let Some(piece) = take(input, left) else {
                        return Ok(Step::NeedMore);
                    };
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Step::Data(piece));
                }
                State::Trailers(scan) => {
                    return Ok(match scan.take(input, &self.limits)? {
                        Some(trailers) => Step::End(trailers),
                        None => Step::NeedMore,
                    });
                }
                _ => {
                    if !self.read_line(input)? {
                        return Ok(Step::NeedMore);
                    }
                }
            }
        }
    }

    /// Reads what lies between data and data; false when the input ends in the midst of it.
    fn read_line(&mut self, input: &mut BytesMut) -> Result<bool, BodyFault> {
        let mut used = 0;
        let mut complete = false;
        for &byte in input.iter() {
            used += 1;
            self.state = self.step(byte)?;
            if matches!(self.state, State::Data { .. } | State::Trailers(_)) {
                complete = true;
                break;
            }
        }
        input.advance(used);
        Ok(complete)
    }

    fn step(&mut self, byte: u8) -> Result<State, BodyFault> {
        match (&self.state, byte) {
            (&State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                // sixteen digits are 64 bits; zeros in front count, for nobody needs them
                if digits == 16 {
                    return Err(BodyFault::ChunkSizeOverflow);
                }
                Ok(State::Size {
                    size: size << 4 | hex(byte),
                    digits: digits + 1,
                })
            }
            (State::Size { digits: 0, .. }, _) => Err(BodyFault::ChunkSize),
            (&State::Size { size, .. }, b';')
            | (&State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => self.extend(size),
            (&State::Size { size, .. } | &State::Extension { size }, b'\r') => {
                Ok(State::SizeLf { size })
            }
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::Trailers(TrailerScan::default())),
            (&State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::DataCr | State::DataLf, _) => Err(BodyFault::ChunkEnd),
            (State::Size { .. }, _) if byte != b'\n' => Err(BodyFault::ChunkSize),
            // of data and trailers `decode` takes care itself
            _ => Err(BodyFault::ChunkLine),
        }
    }

    /// Counts one byte of an extension. Extensions mean nothing to us and are not passed on.
    fn extend(&mut self, size: u64) -> Result<State, BodyFault> {
        self.extensions_left = self
            .extensions_left
            .checked_sub(1)
            .ok_or(BodyFault::ChunkExtensions)?;
        Ok(State::Extension { size })
    }
}

/// The value of a hexadecimal digit.
fn hex(byte: u8) -> u64 {
    u64::from(match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    })
}
