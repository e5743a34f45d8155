//! One body, piece by piece, into one coding. Knows no message: bytes in, bytes out.
//!
//! States that can be used again are kept, a few on each thread: setting one up costs more than a short body does.

use std::cell::RefCell;
use std::io::{self, Write as _};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use zstd::stream::raw::{Encoder as Zstd, InBuffer, Operation as _, OutBuffer};

use super::Coding;

/// Kept on each thread, of all codings together.
const KEPT: usize = 16;
/// The least room an encoder is given to write into.
const ROOM: usize = 4 * 1024;
/// Brotli's window, as a power of two: 512 KiB.
const BROTLI_WINDOW: u32 = 19;

thread_local! {
    static KEEP: RefCell<Vec<(Coding, u8, State)>> = const { RefCell::new(Vec::new()) };
}

/// An encoder in the middle of a body.
pub(crate) struct Encoder {
    coding: Coding,
    level: u8,
    state: State,
}

enum State {
    Gzip(Box<Gzip>),
    Br(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(Zstd<'static>),
}

struct Gzip {
    deflate: Compress,
    /// Whether the head was given out.
    has_begun: bool,
    /// What was put in so far: its sum and its length are the end of the message.
    sum: Crc,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Encoder").field(&self.coding).finish()
    }
}

impl Encoder {
    /// A fresh one, or one that was used before.
    pub(super) fn new(coding: Coding, level: u8) -> io::Result<Self> {
        let kept = KEEP.with_borrow_mut(|keep| {
            let place = keep
                .iter()
                .position(|(of, at, _)| (*of, *at) == (coding, level))?;
            Some(keep.swap_remove(place).2)
        });
        let state = match kept {
            Some(state) => state,
            None => State::new(coding, level)?,
        };
        Ok(Self {
            coding,
            level,
            state,
        })
    }

    /// Takes a piece; what has become of it comes sooner or later.
    pub(super) fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.state {
            State::Gzip(gzip) => gzip.write(piece, out),
            State::Br(br) => {
                br.write_all(piece)?;
                out.append(br.get_mut());
                Ok(())
            }
            State::Zstd(zstd) => {
                let mut input = InBuffer::around(piece);
                while input.pos < piece.len() {
                    with_room(out, |room| zstd.run(&mut input, room))?;
                }
                Ok(())
            }
        }
    }

    /// Gives out all that was taken so far, so that it can be read.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.state {
            State::Gzip(gzip) => gzip.deflate(&[], FlushCompress::Sync, out),
            State::Br(br) => {
                br.flush()?;
                out.append(br.get_mut());
                Ok(())
            }
            State::Zstd(zstd) => {
                while with_room(out, |room| zstd.flush(room))? > 0 {}
                Ok(())
            }
        }
    }

    /// Gives out the rest and the end.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.state {
            State::Gzip(gzip) => gzip.finish(out)?,
            State::Br(_) => {}
            State::Zstd(zstd) => while with_room(out, |room| zstd.finish(room, true))? > 0 {},
        }
        if let Some(state) = self.state.again(out)? {
            KEEP.with_borrow_mut(|keep| {
                if keep.len() < KEPT {
                    keep.push((self.coding, self.level, state));
                }
            });
        }
        Ok(())
    }
}

impl State {
    fn new(coding: Coding, level: u8) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(Box::new(Gzip {
                deflate: Compress::new(Compression::new(u32::from(level)), false),
                has_begun: false,
                sum: Crc::new(),
            })),
            Coding::Br => Self::Br(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                ROOM,
                u32::from(level),
                BROTLI_WINDOW,
            ))),
            Coding::Zstd => Self::Zstd(Zstd::new(i32::from(level))?),
        })
    }

    /// As new; none of a coding whose state cannot be used again, which gives its end here.
    fn again(self, out: &mut Vec<u8>) -> io::Result<Option<Self>> {
        match self {
            Self::Gzip(mut gzip) => {
                gzip.deflate.reset();
                gzip.has_begun = false;
                gzip.sum.reset();
                Ok(Some(Self::Gzip(gzip)))
            }
            Self::Br(br) => {
                out.append(&mut br.into_inner());
                Ok(None)
            }
            Self::Zstd(mut zstd) => {
                zstd.reinit()?;
                Ok(Some(Self::Zstd(zstd)))
            }
        }
    }
}

/// Magic, deflate, no flags, no time, no hint, made on nothing in particular (RFC 1952 2.3).
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

impl Gzip {
    fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.sum.update(piece);
        self.deflate(piece, FlushCompress::None, out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.deflate(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&self.sum.sum().to_le_bytes());
        out.extend_from_slice(&self.sum.amount().to_le_bytes());
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.has_begun {
            self.has_begun = true;
            out.extend_from_slice(&GZIP_HEAD);
        }
    }

    fn deflate(&mut self, piece: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = piece;
        loop {
            out.reserve(ROOM);
            let before = self.deflate.total_in();
            let status = self.deflate.compress_vec(rest, out, flush)?;
            rest = &rest[(self.deflate.total_in() - before) as usize..];
            let has_room = out.len() < out.capacity();
            match status {
                Status::StreamEnd => return Ok(()),
                // with room left, there is nothing more to give
                Status::Ok | Status::BufError if rest.is_empty() && has_room => {
                    if flush == FlushCompress::Finish {
                        continue;
                    }
                    return Ok(());
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

/// Lets zstd write behind what is there.
fn with_room(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut OutBuffer<'_, Vec<u8>>) -> io::Result<usize>,
) -> io::Result<usize> {
    out.reserve(ROOM);
    let begin = out.len();
    write(&mut OutBuffer::around_pos(out, begin))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Coding::Br => brotli::Decompressor::new(bytes, ROOM).read_to_end(&mut out),
            Coding::Zstd => zstd::stream::read::Decoder::new(bytes)
                .expect("a decoder")
                .read_to_end(&mut out),
        }
        .expect("it decodes");
        out
    }

    /// What can be read of a message that has not ended.
    fn readable(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 1 << 17];
        let mut reader: Box<dyn io::Read> = match coding {
            Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
            Coding::Br => Box::new(brotli::Decompressor::new(bytes, ROOM)),
            Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).expect("a decoder")),
        };
        let mut length = 0;
        while let Ok(more @ 1..) = reader.read(&mut out[length..]) {
            length += more;
        }
        out.truncate(length);
        out
    }

    #[test]
    fn bodies_come_back_as_they_were() {
        for coding in Coding::ALL {
            for pieces in [
                vec![],
                vec![b"one".to_vec()],
                vec![Vec::new(), Vec::new(), b"one".to_vec()],
                vec![b"a".repeat(100_000), b"b".to_vec(), Vec::new()],
                (0..200_u32)
                    .map(|number| number.to_string().into_bytes())
                    .collect(),
            ] {
                // twice: the second time with a state that was used before
                for _ in 0..2 {
                    let mut encoder = Encoder::new(coding, 4).expect("an encoder");
                    let mut out = Vec::new();
                    for piece in &pieces {
                        encoder.write(piece, &mut out).expect("written");
                    }
                    encoder.finish(&mut out).expect("finished");
                    assert_eq!(decoded(coding, &out), pieces.concat(), "{coding:?}");
                }
            }
        }
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, 3).expect("an encoder");
            let (mut out, mut sent) = (Vec::new(), Vec::new());
            for number in 0..20 {
                let event = format!("data: event number {number}\n\n");
                encoder.write(event.as_bytes(), &mut out).expect("written");
                encoder.flush(&mut out).expect("flushed");
                sent.extend_from_slice(event.as_bytes());
                assert_eq!(readable(coding, &out), sent, "{coding:?}");
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn any_pieces_and_flushes(pieces in proptest::collection::vec((proptest::collection::vec(0_u8..4, 0..9_000), proptest::bool::ANY), 0..12)) {
            for coding in Coding::ALL {
                let mut encoder = Encoder::new(coding, 2).expect("an encoder");
                let (mut out, mut sent) = (Vec::new(), Vec::new());
                for (piece, flush) in &pieces {
                    encoder.write(piece, &mut out).expect("written");
                    sent.extend_from_slice(piece);
                    if *flush {
                        encoder.flush(&mut out).expect("flushed");
                        proptest::prop_assert_eq!(readable(coding, &out), sent.clone());
                    }
                }
                encoder.finish(&mut out).expect("finished");
                proptest::prop_assert_eq!(decoded(coding, &out), sent);
            }
        }
    }
}
