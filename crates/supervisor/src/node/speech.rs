//! Listening to a Node worker: both its ways to speak, merged into one stream of what it said; and the one word it is told.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::message::{LineReader, Message, is_ready, read};
use crate::plan::Speech;

/// Something a Node worker said.
#[derive(Debug)]
pub(crate) enum Said {
    /// The preload script.
    Message(Message),
    /// The app: `process.send('ready')`.
    Ready,
}

/// Listens until dropped.
#[derive(Debug)]
pub(crate) struct Ear {
    said: Receiver<Said>,
    tasks: Vec<JoinHandle<()>>,
    mouth: StdUnixStream,
}

impl Ear {
    pub(crate) fn open(speech: Speech) -> io::Result<Self> {
        let mouth = speech.channel.try_clone()?;
        let control = speech.control.map(pipe::Receiver::from_owned_fd);
        let control = control.transpose()?;
        let mut channel_end = UnixStream::from_std(speech.channel)?;
        // A worker that says more than we take waits in its pipe; its preload then drops messages instead of waiting.
        let (sender, said) = channel(32);
        let mut tasks = Vec::with_capacity(2);
        if let Some(mut control) = control {
            let sender = sender.clone();
            tasks.push(tokio::spawn(async move {
                let mut lines = LineReader::default();
                while matches!(control.read_buf(&mut lines.buffer).await, Ok(1..)) {
                    let understood = |line: &[u8]| read(line).map(Said::Message);
                    pass_on(&mut lines, understood, &sender).await;
                }
            }));
        }
        tasks.push(tokio::spawn(async move {
            let mut lines = LineReader::default();
            while matches!(channel_end.read_buf(&mut lines.buffer).await, Ok(1..)) {
                let understood = |line: &[u8]| is_ready(line).then_some(Said::Ready);
                pass_on(&mut lines, understood, &sender).await;
            }
            // The app may have closed its channel (`process.disconnect()`); it may still speak by the other one.
        }));
        Ok(Self { said, tasks, mouth })
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
        self.said.recv().await
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn pass_on(
    lines: &mut LineReader,
    understood: impl Fn(&[u8]) -> Option<Said>,
    to: &Sender<Said>,
) {
    let mut said = Vec::new();
    lines.lines(|line| said.extend(understood(line)));
    for word in said {
        if to.send(word).await.is_err() {
            return;
        }
    }
}
