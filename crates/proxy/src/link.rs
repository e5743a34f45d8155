//! A stream with what was read of it and what is still to be written. Knows no protocol.
//!
//! Buffers exist only while bytes are present: an idle link holds none.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, ReadBuf};

use crate::deadline::Deadline;
use crate::stream::Stream;
use crate::thread::Scratch;

/// A body is read straight into pieces of this size.
const PIECE: usize = 64 * 1024;
/// Pieces up to this size are copied behind the head and go out in the same write.
const COPIED: usize = 16 * 1024;
/// Reading ahead stops here.
const AHEAD: usize = 64 * 1024;
/// How often a connection that nobody reads from is asked whether it still stands.
const UNREAD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    scratch: Rc<Scratch>,
    /// Read and not yet used.
    pub(crate) input: BytesMut,
    output: Output,
    /// The other end will send no more.
    pub(crate) has_ended: bool,
    /// Bytes written since the last [`Link::rest`].
    written: u64,
}

/// Bytes to write: first `head` from `written` on, then `pieces`.
#[derive(Debug, Default)]
struct Output {
    head: Vec<u8>,
    written: usize,
    pieces: VecDeque<Bytes>,
    pending: usize,
}

impl Link {
    pub(crate) fn new(stream: Stream, scratch: Rc<Scratch>) -> Self {
        Self {
            stream,
            scratch,
            input: BytesMut::new(),
            output: Output::default(),
            has_ended: false,
            written: 0,
        }
    }

    /// Reads what is there. Ready with 0 at the end of the stream.
    pub(crate) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.has_ended {
            return Poll::Ready(Ok(0));
        }
        let mut scratch = self.scratch.borrow();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            self.has_ended = true;
        } else {
            self.input.extend_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(read))
    }

    /// Reads what is there without copying it: for long bodies.
    pub(crate) fn poll_fill_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.has_ended {
            return Poll::Ready(Ok(0));
        }
        if self.input.capacity() - self.input.len() < PIECE / 4 {
            self.input.reserve(PIECE);
        }
        // the future holds nothing between polls: it may be made anew for each
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context))?;
        if read == 0 {
            self.has_ended = true;
        }
        Poll::Ready(Ok(read))
    }

    /// Reads ahead while something else is waited for: notices when the other end goes away.
    /// An end of the stream is no going away: a client may half-close and wait. `deadline` must be nobody
    /// else's.
    pub(crate) fn poll_gone(&mut self, deadline: &Deadline, context: &mut Context<'_>) -> Poll<()> {
        while !self.has_ended && self.input.len() < AHEAD {
            match ready!(self.poll_fill(context)) {
                Ok(_) => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        self.poll_failed(deadline, context)
    }

    /// While nothing is read, nobody would notice that the other end is gone: so the kernel is asked from time
    /// to time.
    pub(crate) fn poll_failed(&self, deadline: &Deadline, context: &mut Context<'_>) -> Poll<()> {
        if !deadline.is_set() {
            deadline.set(UNREAD);
        }
        while deadline.poll_expired(context) {
            if self.stream.has_failed() {
                return Poll::Ready(());
            }
            deadline.set(UNREAD);
        }
        Poll::Pending
    }

    /// Where heads and small pieces are composed.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.output.pieces.is_empty(),
            "a head behind pieces would overtake them"
        );
        if self.output.head.capacity() == 0 {
            self.output.head = self.scratch.take_buffer();
        }
        &mut self.output.head
    }

    /// Adds a piece of a body behind what is already there.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.output.pieces.is_empty() && piece.len() <= COPIED {
            self.out().extend_from_slice(&piece);
        } else if !piece.is_empty() {
            self.output.pending += piece.len();
            self.output.pieces.push_back(piece);
        }
    }

    /// Adds a few bytes of framing behind what is already there.
    pub(crate) fn push_framing(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.output.pieces.is_empty() {
            write(self.out());
        } else {
            let mut framing = Vec::with_capacity(24);
            write(&mut framing);
            self.output.pending += framing.len();
            self.output.pieces.push_back(framing.into());
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn unsent(&self) -> usize {
        self.output.head.len() - self.output.written + self.output.pending
    }

    /// Writes what waits. Ready when all of it is out.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unsent() > 0 {
            let written = ready!(self.poll_write_some(context))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        if self.output.head.capacity() > 0 {
            self.output.written = 0;
            self.scratch
                .give_back(std::mem::take(&mut self.output.head));
        }
        Poll::Ready(Ok(()))
    }

    /// Writes once; ready with the number of bytes that went out.
    fn poll_write_some(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        const SLICES: usize = 16;
        let output = &mut self.output;
        let head = &output.head[output.written..];
        let stream = Pin::new(&mut self.stream);
        let written = if output.pieces.is_empty() {
            ready!(stream.poll_write(context, head))?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            slices[0] = IoSlice::new(head);
            for (slice, piece) in slices[1..].iter_mut().zip(&output.pieces) {
                *slice = IoSlice::new(piece);
            }
            ready!(stream.poll_write_vectored(context, &slices))?
        };
        output.advance(written);
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    /// Ends our direction.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    /// Makes closing send a reset: the only way to say that a message without a length is not whole.
    pub(crate) fn reset(&self) {
        if let Stream::Tcp(stream) = &self.stream {
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// How many bytes went out since the link last rested.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Gives back what memory an idle link does not need.
    pub(crate) fn rest(&mut self) {
        self.written = 0;
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Whether nothing has come that nobody asked for, and the other end is there.
    pub(crate) fn is_quiet(&self) -> bool {
        self.input.is_empty() && !self.has_ended && self.stream.is_quiet()
    }
}

impl Output {
    fn advance(&mut self, mut written: usize) {
        let of_head = written.min(self.head.len() - self.written);
        self.written += of_head;
        written -= of_head;
        self.pending -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                break;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
    }
}
