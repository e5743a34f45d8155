//! The gateway as the control plane sees it: started, told, listened to, started again.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::process::Process;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::fronts::Sockets;
use super::own;
use crate::failure::Failure;
use crate::gateway::{CONTROL_FD, FIRST_SOCKET_FD, FOLDER_FD};
use crate::protocol::{self, Beginning, Down, Frame, Up};

/// What comes from a gateway.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message.
    Said(Up),
    /// Access lines.
    Lines(Vec<u8>),
    /// It ended.
    Ended,
}

/// A running gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) process: Process,
    to: OwnedWriteHalf,
    heard: mpsc::Receiver<Heard>,
}

/// Messages and blocks of lines that may wait here before the gateway has to.
const WAITING: usize = 64;
/// A gateway that takes nothing for so long is as good as gone.
const PATIENCE: Duration = Duration::from_secs(5);

impl Gateway {
    /// Starts a gateway on the sockets and tells it what to serve.
    pub(super) async fn start(
        name: &str,
        sockets: &Sockets,
        folder: &OwnedFd,
        identity: Option<Identity>,
        beginning: Beginning,
    ) -> Result<Self, Failure> {
        let internal = |error: io::Error| Failure::internal("starting the gateway", error);
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(internal)?;
        let mut descriptors = vec![
            (theirs.into(), CONTROL_FD),
            (folder.try_clone().map_err(internal)?, FOLDER_FD),
        ];
        for (socket, number) in sockets.all().zip(FIRST_SOCKET_FD..) {
            descriptors.push((socket.try_clone().map_err(internal)?.into(), number));
        }
        let mut spawn = own::process("gateway", name);
        spawn.descriptors = descriptors;
        spawn.identity = identity;
        let process = spawn.start().map_err(internal)?;

        ours.set_nonblocking(true).map_err(internal)?;
        let (mut from, to) = UnixStream::from_std(ours).map_err(internal)?.into_split();
        let (sender, heard) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let heard = match protocol::receive(&mut from).await {
                    Ok(Some(Frame::Message(up))) => Heard::Said(up),
                    Ok(Some(Frame::Lines(lines))) => Heard::Lines(lines),
                    Ok(None) | Err(_) => Heard::Ended,
                };
                let is_last = matches!(heard, Heard::Ended);
                if sender.send(heard).await.is_err() || is_last {
                    return;
                }
            }
        });
        let mut gateway = Self { process, to, heard };
        gateway.tell(&Down::Begin(Box::new(beginning))).await;
        Ok(gateway)
    }

    /// Tells it something. One that does not listen any more is noticed by its end.
    pub(super) async fn tell(&mut self, message: &Down) {
        let _ = tokio::time::timeout(PATIENCE, protocol::send(&mut self.to, message)).await;
    }

    /// The next thing it says.
    pub(super) async fn hear(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or(Heard::Ended)
    }
}
