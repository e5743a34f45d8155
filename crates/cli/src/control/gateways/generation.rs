//! One gateway process as the control plane sees it: started, told, listened to. Decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::Totals;
use mainstay_proxy::{Address, Bound, Holding};
use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::process::Process;
use rustix::process::Signal;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::super::fronts::Sockets;
use super::super::output::Output;
use super::super::own;
use crate::gateway::{ACCESS_FD, CONTROL_FD, FIRST_SOCKET_FD, FOLDER_FD, RATES_FD};
use crate::protocol::{self, Beginning, Down, Load, Up};

/// What comes from a gateway.
#[derive(Debug)]
pub(super) enum Word {
    /// A message.
    Said(Up),
    /// It ended like this; nothing comes after it.
    Ended(String),
}

/// Words of all generations, each with its number.
pub(super) type Words = mpsc::Sender<(u64, Word)>;

/// What a generation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not said yet that it accepts.
    Starting,
    /// It accepts.
    Serving,
    /// It finishes what it has.
    Draining,
}

/// A running gateway.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) phase: Phase,
    pub(super) started: Instant,
    /// Since when it accepts.
    pub(super) ready: Option<Instant>,
    /// Where it listens, in the order in which it counts its sockets, and on how many sockets.
    pub(super) addresses: Vec<(Address, usize)>,
    /// How many fronts it serves.
    pub(super) fronts: usize,
    /// What keeps these addresses, until others listen in its place.
    pub(super) holdings: Vec<Holding>,
    /// It has said that it has finished.
    pub(super) has_drained: bool,
    /// By when it must have ended, once it was told to finish: one that stands still would stay for ever.
    pub(super) ends_by: Option<Instant>,
    /// What it had counted when it last said so.
    pub(super) counted: Totals,
    /// Requests that members worked on when it last said so.
    pub(super) in_flight: Vec<(u64, usize)>,
    /// By target, how long requests waited for a place at its members at most, since somebody looked.
    pub(super) waits: BTreeMap<String, Duration>,
    process: Arc<Process>,
    to: mpsc::UnboundedSender<Down>,
}

/// As what and where gateways run.
#[derive(Debug)]
pub(in crate::control) struct Place {
    /// The instance's name, for `ps`.
    pub(in crate::control) name: String,
    /// The folder of the workers' sockets.
    pub(in crate::control) folder: OwnedFd,
    /// Where rates are counted.
    pub(in crate::control) rates: Arc<OwnedFd>,
    /// Where access lines go.
    pub(in crate::control) output: Output,
    /// As whom; as we when absent.
    pub(in crate::control) identity: Option<Identity>,
}

/// A gateway that takes nothing for so long is as good as gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// After its socket has closed, a gateway has so long to end.
const LAST_MOMENT: Duration = Duration::from_secs(1);

impl Generation {
    /// Starts a gateway on the sockets and tells it what to serve.
    pub(super) fn start(
        number: u64,
        place: &Place,
        sockets: &Sockets,
        beginning: Beginning,
        words: Words,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(ours)?.into_split();
        let mut descriptors = vec![
            (theirs.into(), CONTROL_FD),
            (place.folder.try_clone()?, FOLDER_FD),
            (place.output.access_pipe()?, ACCESS_FD),
            (place.rates.try_clone()?, RATES_FD),
        ];
        for (socket, descriptor) in sockets.all().zip(FIRST_SOCKET_FD..) {
            descriptors.push((socket.try_clone()?.into(), descriptor));
        }
        let mut spawn = own::process("gateway", &place.name);
        spawn.descriptors = descriptors;
        spawn.identity = place.identity;
        let process = Arc::new(spawn.start()?);
        tokio::spawn(listen(number, from, Arc::clone(&process), words));
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(speak(to, messages, Arc::clone(&process)));
        let generation = Self {
            number,
            phase: Phase::Starting,
            started: Instant::now(),
            ready: None,
            fronts: sockets.fronts.len(),
            addresses: sockets
                .bound()
                .map(|bound| (bound.address.clone(), bound.sockets.len()))
                .collect(),
            holdings: sockets.bound().map(Bound::holding).collect(),
            has_drained: false,
            ends_by: None,
            counted: Totals::default(),
            in_flight: Vec::new(),
            waits: BTreeMap::new(),
            process,
            to: sender,
        };
        generation.tell(Down::Begin(Box::new(beginning)));
        Ok(generation)
    }

    /// Tells it something, after what it was told before. One that does not listen any more is noticed by
    /// its end.
    pub(super) fn tell(&self, message: Down) {
        let _ = self.to.send(message);
    }

    /// How busy it is.
    pub(super) fn heard(&mut self, load: Load) {
        self.in_flight = load.in_flight;
        for (target, waited) in load.waited_ms {
            let longest = self.waits.entry(target).or_default();
            *longest = (*longest).max(Duration::from_millis(waited));
        }
    }

    /// Which of its sockets others do not listen on.
    pub(super) fn alone_on(&self, others: &Sockets) -> Vec<usize> {
        let others = || others.bound().map(|bound| &bound.address);
        let numbers = (0..).zip(&self.addresses);
        let alone = numbers.filter(|(_, (address, _))| others().all(|other| other != address));
        alone.map(|(number, _)| number).collect()
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        self.process.signal(Signal::KILL);
    }
}

async fn speak(
    mut to: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Down>,
    process: Arc<Process>,
) {
    while let Some(message) = messages.recv().await {
        match timeout(PATIENCE, protocol::send(&mut to, &message)).await {
            Ok(Ok(())) => {}
            // it has closed its end, and is on its way out
            Ok(Err(_)) => return,
            // nobody can tell it anything any more: its successor can be told
            Err(_) => return process.signal(Signal::KILL),
        }
    }
}

async fn listen(number: u64, mut from: OwnedReadHalf, process: Arc<Process>, words: Words) {
    loop {
        let word = match protocol::receive(&mut from).await {
            Ok(Some(up)) => Word::Said(up),
            Ok(None) | Err(_) => break,
        };
        if words.send((number, word)).await.is_err() {
            return;
        }
    }
    if timeout(LAST_MOMENT, process.ended()).await.is_err() {
        process.signal(Signal::KILL);
    }
    let exit = match process.wait().await {
        Ok(exit) => exit.to_string(),
        Err(error) => error.to_string(),
    };
    let _ = words.send((number, Word::Ended(exit))).await;
}
