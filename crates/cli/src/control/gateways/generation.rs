//! One gateway process as the control plane sees it: started, told, listened to. Decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::Totals;
use mainstay_proxy::{Address, Bound, Holding};
use mainstay_store::Owing;
use mainstay_supervisor::identity::Identity;
use mainstay_supervisor::process::Process;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::super::fronts::Sockets;
use super::super::output::Output;
use super::super::own;
use crate::gateway::{ACCESS_FD, CONTROL_FD, FIRST_SOCKET_FD, FOLDER_FD, RATES_FD};
use crate::protocol::{self, Beginning, Company, Down, Inbox, Load, Up};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether it knows of something that other machines do not know yet.
    pub(super) owing: Owing,
    /// What it was told of other gateways.
    pub(super) company: Company,
    /// Requests that members worked on when it last said so.
    pub(super) in_flight: Vec<(u64, usize)>,
    /// By target, how long requests waited for a place at its members at most, since somebody looked.
    pub(super) waits: BTreeMap<String, Duration>,
    pub(super) process: Arc<Process>,
    pub(super) link: Link,
}

/// The way to a gateway and back.
#[derive(Debug)]
pub(super) struct Link {
    to: mpsc::UnboundedSender<Down>,
    put_down: watch::Sender<bool>,
    /// None while nobody speaks and listens.
    pub(super) tasks: Option<Tasks>,
    /// What is there while nobody does.
    pub(super) resting: Option<Resting>,
}

/// Who speaks and listens.
#[derive(Debug)]
pub(super) struct Tasks {
    speaking: JoinHandle<Option<(OwnedWriteHalf, mpsc::UnboundedReceiver<Down>)>>,
    listening: JoinHandle<Option<Inbox<OwnedReadHalf>>>,
}

/// A link that was put down between two messages.
#[derive(Debug)]
pub(super) struct Resting {
    pub(super) socket: UnixStream,
    /// The beginning of a message.
    pub(super) come: Vec<u8>,
    /// What is still to be told.
    pub(super) to_tell: VecDeque<Down>,
    more: Option<mpsc::UnboundedReceiver<Down>>,
}

impl Resting {
    /// A link as the program before has left it.
    pub(super) fn of(socket: UnixStream, come: Vec<u8>, to_tell: VecDeque<Down>) -> Self {
        Self {
            socket,
            come,
            to_tell,
            more: None,
        }
    }

    /// Takes in what was to be told since it rests.
    pub(super) fn settle(&mut self) {
        while let Some(Ok(message)) = self.more.as_mut().map(mpsc::UnboundedReceiver::try_recv) {
            self.to_tell.push_back(message);
        }
    }
}

impl Tasks {
    /// Both, once they have stopped. None: the gateway has ended, which was told.
    pub(super) async fn rest(self) -> Option<Resting> {
        let spoken = self.speaking.await.ok().flatten();
        let (from, come) = self.listening.await.ok().flatten()?.into_parts();
        let (to, more) = spoken?;
        let socket = from.reunite(to).ok()?;
        Some(Resting {
            socket,
            come,
            to_tell: VecDeque::new(),
            more: Some(more),
        })
    }
}

impl Link {
    /// Speaks and listens from now on; what rests is told first.
    pub(super) fn open(
        number: u64,
        resting: Resting,
        process: &Arc<Process>,
        words: Words,
    ) -> Self {
        let (from, to) = resting.socket.into_split();
        let (sender, messages) = mpsc::unbounded_channel();
        for message in resting.to_tell {
            let _ = sender.send(message);
        }
        let (put_down, is_down) = watch::channel(false);
        let inbox = Inbox::new(from, resting.come);
        let listening = listen(number, inbox, Arc::clone(process), words, is_down.clone());
        let speaking = speak(to, messages, Arc::clone(process), is_down);
        Self {
            to: sender,
            put_down,
            tasks: Some(Tasks {
                listening: tokio::spawn(listening),
                speaking: tokio::spawn(speaking),
            }),
            resting: None,
        }
    }

    /// Both stop when nothing is in between; they are to be waited for.
    pub(super) fn put_down(&mut self) -> Option<Tasks> {
        self.put_down.send_replace(true);
        self.tasks.take()
    }
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
        let ours = UnixStream::from_std(ours)?;
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
        let resting = Resting::of(ours, Vec::new(), VecDeque::new());
        let link = Link::open(number, resting, &process, words);
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
            owing: Owing::Nothing,
            company: Company::default(),
            in_flight: Vec::new(),
            waits: BTreeMap::new(),
            process,
            link,
        };
        generation.tell(Down::Begin(Box::new(beginning)));
        Ok(generation)
    }

    /// Tells it something, after what it was told before. One that does not listen any more is noticed by
    /// its end.
    pub(super) fn tell(&self, message: Down) {
        let _ = self.link.to.send(message);
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
    mut put_down: watch::Receiver<bool>,
) -> Option<(OwnedWriteHalf, mpsc::UnboundedReceiver<Down>)> {
    loop {
        let message = tokio::select! {
            biased;
            () = told(&mut put_down) => return Some((to, messages)),
            message = messages.recv() => message?,
        };
        match timeout(PATIENCE, protocol::send(&mut to, &message)).await {
            Ok(Ok(())) => {}
            // it has closed its end, and is on its way out
            Ok(Err(_)) => break,
            // nobody can tell it anything any more: its successor can be told
            Err(_) => {
                process.signal(Signal::KILL);
                break;
            }
        }
    }
    // what else is to be told is nobody's
    let _ = put_down.wait_for(|is_down| *is_down).await;
    Some((to, messages))
}

async fn told(put_down: &mut watch::Receiver<bool>) {
    if put_down.wait_for(|is_down| *is_down).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn listen(
    number: u64,
    mut inbox: Inbox<OwnedReadHalf>,
    process: Arc<Process>,
    words: Words,
    mut put_down: watch::Receiver<bool>,
) -> Option<Inbox<OwnedReadHalf>> {
    loop {
        let said = tokio::select! {
            biased;
            () = told(&mut put_down) => return Some(inbox),
            said = inbox.next() => said,
        };
        let word = match said {
            Ok(Some(up)) => Word::Said(up),
            Ok(None) | Err(_) => break,
        };
        if words.send((number, word)).await.is_err() {
            return None;
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
    None
}
