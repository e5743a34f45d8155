//! Listening to a Node worker: both its ways to speak, merged into one stream of what it said; and the one word it is told.

use std::io::{self, Write as _};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::message::{LineReader, Message, is_ready, read};
use crate::handover::Descriptors;
use crate::plan::Speech;

/// Something a Node worker said.
#[derive(Debug)]
pub(crate) enum Said {
    /// The preload script.
    Message(Message),
    /// The app: `process.send('ready')`.
    Ready,
}

/// Listens while it is asked. A worker that says more than is taken waits in its pipe; its preload then drops messages
/// instead of waiting.
#[derive(Debug)]
pub(crate) struct Ear {
    control: Option<Way<pipe::Receiver>>,
    /// The app may close its channel (`process.disconnect()`); it may still speak by the other one.
    channel: Option<Way<UnixStream>>,
    mouth: StdUnixStream,
}

/// One of both ways, and what came by it that is not understood yet.
#[derive(Debug)]
struct Way<T> {
    from: T,
    lines: LineReader,
}

/// An ear that was put down.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EarState {
    control: Option<(RawFd, LineReader)>,
    channel: RawFd,
    heard: LineReader,
}

impl Ear {
    pub(crate) fn open(speech: Speech) -> io::Result<Self> {
        let control = speech.control.map(|end| (end, LineReader::default()));
        Self::new(control, speech.channel, LineReader::default())
    }

    fn new(
        control: Option<(OwnedFd, LineReader)>,
        channel: StdUnixStream,
        heard: LineReader,
    ) -> io::Result<Self> {
        let control = control.map(|(end, lines)| {
            let from = pipe::Receiver::from_owned_fd(end)?;
            Ok::<_, io::Error>(Way { from, lines })
        });
        Ok(Self {
            control: control.transpose()?,
            mouth: channel.try_clone()?,
            channel: Some(Way {
                from: UnixStream::from_std(channel)?,
                lines: heard,
            }),
        })
    }

    /// `process.on('message')` hears `shutdown`. Whether it was sent: the other end may be closed, or full of what nobody
    /// reads.
    pub(crate) fn say_goodbye(&self) -> bool {
        const WORD: &[u8] = b"\"shutdown\"\n";
        (&self.mouth)
            .write(WORD)
            .is_ok_and(|sent| sent == WORD.len())
    }

    /// What it says next; `None` when it can say nothing any more. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        loop {
            if let Some(said) = self.understood() {
                return Some(said);
            }
            if self.control.is_none() && self.channel.is_none() {
                return None;
            }
            tokio::select! {
                more = fill(&mut self.control) => if more == More::Never {
                    self.control = None;
                },
                more = fill(&mut self.channel) => if more == More::Never {
                    self.channel = None;
                },
            }
        }
    }

    /// The next of what has come already.
    fn understood(&mut self) -> Option<Said> {
        while let Some(line) = self.control.as_mut().and_then(|way| way.lines.next_line()) {
            if let Some(message) = read(&line) {
                return Some(Said::Message(message));
            }
        }
        while let Some(line) = self.channel.as_mut().and_then(|way| way.lines.next_line()) {
            if is_ready(&line) {
                return Some(Said::Ready);
            }
        }
        None
    }

    /// Listens no more, and keeps both ways open for whoever takes it up.
    pub(crate) fn put_down(self, descriptors: &mut Descriptors) -> io::Result<EarState> {
        let control = self.control.map(|way| {
            let end = way.from.into_nonblocking_fd()?;
            Ok::<_, io::Error>((descriptors.keep(end), way.lines))
        });
        Ok(EarState {
            control: control.transpose()?,
            channel: descriptors.keep(self.mouth.into()),
            heard: self.channel.map(|way| way.lines).unwrap_or_default(),
        })
    }

    pub(crate) fn take_up(state: EarState, descriptors: &mut Descriptors) -> io::Result<Self> {
        let control = state.control.map(|(end, lines)| {
            let end = descriptors.take(end)?;
            Ok::<_, io::Error>((end, lines))
        });
        let channel = descriptors.take(state.channel)?;
        Self::new(control.transpose()?, channel.into(), state.heard)
    }
}

/// Whether anything may follow.
#[derive(Debug, PartialEq, Eq)]
enum More {
    Perhaps,
    Never,
}

/// Cancel-safe.
async fn fill<T: AsyncRead + Unpin>(way: &mut Option<Way<T>>) -> More {
    match way {
        Some(Way { from, lines }) => match from.read_buf(&mut lines.buffer).await {
            Ok(1..) => More::Perhaps,
            Ok(0) | Err(_) => More::Never,
        },
        None => std::future::pending().await,
    }
}
