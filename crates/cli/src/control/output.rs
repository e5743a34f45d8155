//! Everything the program passes on: the app's lines byte for byte, access lines. To its standard output, or into files
//! in the background.
//!
//! Written by threads of its own: whoever reads slowly makes lines wait and then drop, never a worker or
//! the gateway.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mainstay_observe::log::{Colours, shown};
use mainstay_supervisor::output::{Line, Stream};
use mainstay_supervisor::{Descriptors, Numbers};

use tokio::sync::oneshot;

use super::background::Background;
use super::log_files::{LogFiles, Plans};
use super::recent::{Recent, Remembrance};
use super::relay::{Relay, RelayState};
use super::seam::{Seam, Source};
use crate::said::{FileLength, LogWish};

/// What a gateway's pipe holds: as much as comes between two of its flushes at full speed, so that a flush wakes the reader
/// once. Where the machine allows less, the pipe keeps its usual room.
const PIPE: usize = 512 * 1024;
/// How long a reader that does not read is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the writing threads.
#[derive(Clone, Debug)]
pub(super) struct Output {
    sender: Sender<Piece>,
    /// One for each pipe of access lines; broken when all of it is out.
    relays: Arc<Mutex<Relays>>,
    stdout: Stdout,
    /// Filled where lines come in: whoever asks for them does not wait for whoever reads our output.
    recent: Arc<Mutex<Recent>>,
}

/// What is remembered of the app's lines, and how long files are that hold them.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) remembrance: Remembrance,
    /// When all of that is written.
    pub(super) files: oneshot::Receiver<Vec<FileLength>>,
}

type Relays = Vec<(Relay, Receiver<()>)>;

enum Piece {
    App(Line),
    /// Answered with the length of every file when everything before it is written.
    Lengths(oneshot::Sender<Vec<FileLength>>),
    /// Somebody moved the files away.
    Reopen,
    /// Other settings hold.
    Plan(Plans),
    /// Answered when everything before it is out.
    Barrier(Sender<()>),
}

impl Output {
    /// Starts the thread for the app's lines.
    pub(super) fn start(
        background: Option<&Background>,
        numbers: Numbers,
        plans: Plans,
    ) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let stdout = Stdout::default();
        let sink = match background {
            None => Sink::Standard(Standard::new(stdout.clone())),
            Some(background) => Sink::Files(LogFiles::new(background.logs.clone(), numbers, plans)),
        };
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || write(&receiver, sink))?;
        Ok(Self {
            sender,
            relays: Arc::default(),
            stdout,
            recent: Arc::default(),
        })
    }

    /// A line of a worker.
    pub(super) fn app(&self, line: Line) {
        self.recent().add(&line);
        let _ = self.sender.send(Piece::App(line));
    }

    /// What is remembered, and what comes if that is wanted.
    pub(super) fn ask(&self, wish: LogWish) -> Told {
        let (sender, files) = oneshot::channel();
        let remembrance = self.recent().ask(wish);
        let _ = self.sender.send(Piece::Lengths(sender));
        Told { remembrance, files }
    }

    /// Nobody asks for the lines of this app any more.
    pub(super) fn forget(&self, app: &str) {
        self.recent().forget(app);
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files are opened again by their names.
    pub(super) fn reopen(&self) {
        let _ = self.sender.send(Piece::Reopen);
    }

    /// What the settings say from now on.
    pub(super) fn plan(&self, plans: Plans) {
        let _ = self.sender.send(Piece::Plan(plans));
    }

    /// A pipe for access lines: what is written into it is passed on until everybody who holds it has
    /// closed it.
    pub(super) fn access_pipe(&self) -> io::Result<OwnedFd> {
        let (reader, writer) = io::pipe()?;
        let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE);
        self.relay(Relay::new(reader.into(), Vec::new()))?;
        Ok(writer.into())
    }

    fn relay(&self, relay: Relay) -> io::Result<()> {
        let (over, relay_over) = channel::<()>();
        let (stdout, running) = (self.stdout.clone(), relay.clone());
        thread::Builder::new()
            .name("access lines".to_owned())
            .spawn(move || {
                running.run(|lines| drop(stdout.write(Source::Access, lines)));
                drop(over);
            })?;
        let mut relays = self.relays();
        relays.retain(|(relay, _)| !relay.is_over());
        relays.push((relay, relay_over));
        Ok(())
    }

    fn relays(&self) -> MutexGuard<'_, Relays> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what it has and then nothing more, so that another program can go on: what it must know for that. None: somebody
    /// does not read what is written.
    pub(super) fn put_down(
        &self,
        descriptors: &mut Descriptors,
    ) -> io::Result<Option<Vec<RelayState>>> {
        if !self.settle() {
            return Ok(None);
        }
        let mut states = Vec::new();
        for (relay, _) in &*self.relays() {
            if !relay.hold(PATIENCE) {
                return Ok(None);
            }
            states.extend(relay.state(descriptors)?);
        }
        Ok(Some(states))
    }

    /// Goes on itself.
    pub(super) fn resume(&self) {
        self.relays().iter().for_each(|(relay, _)| relay.go_on());
    }

    /// Goes on where the program before has put it down.
    pub(super) fn take_up(
        &self,
        relays: Vec<RelayState>,
        descriptors: &mut Descriptors,
    ) -> io::Result<()> {
        let mut relays = relays.into_iter();
        relays.try_for_each(|relay| self.relay(Relay::take_up(relay, descriptors)?))
    }

    /// Waits until the app's lines so far are out, but not for a reader that does not read. Whether they are.
    pub(super) fn settle(&self) -> bool {
        let (done, waits) = channel();
        let asked = self.sender.send(Piece::Barrier(done)).is_ok();
        asked && waits.recv_timeout(PATIENCE).is_ok()
    }

    /// Waits until everything is out, once no gateway is left, but not for a reader that does not read.
    pub(super) fn finish(&self) {
        self.settle();
        let deadline = Instant::now() + PATIENCE;
        let mut relays = self.relays();
        for (_, relay) in relays.drain(..) {
            let _ = relay.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Where the app's lines go.
#[derive(Debug)]
enum Sink {
    Standard(Standard),
    Files(LogFiles),
}

impl Sink {
    fn add(&mut self, line: &Line) {
        match self {
            Self::Files(files) => files.add(line),
            Self::Standard(standard) => standard.add(line),
        }
    }

    fn flush(&mut self) {
        if let Self::Files(files) = self {
            files.flush();
        }
    }
}

/// Standard output and standard error. A terminal gets nothing that it would act on but colours; anything else gets what
/// the app wrote, byte for byte.
#[derive(Debug)]
struct Standard {
    stdout: Stdout,
    stderr: Seam,
    /// Whether each is a terminal.
    terminals: [bool; 2],
}

impl Standard {
    fn new(stdout: Stdout) -> Self {
        Self {
            stdout,
            stderr: Seam::default(),
            terminals: [io::stdout().is_terminal(), io::stderr().is_terminal()],
        }
    }

    fn add(&mut self, line: &Line) {
        let source = Source::of(line);
        let is_terminal = self.terminals[usize::from(line.stream == Stream::Stderr)];
        let for_terminal = is_terminal.then(|| shown(&line.bytes, Colours::Kept));
        let bytes = for_terminal
            .as_ref()
            .map_or(&line.bytes[..], String::as_bytes);
        // a reader that went away is no reason to end: the app goes on serving
        let _ = match line.stream {
            Stream::Stdout => self.stdout.write(source, bytes),
            Stream::Stderr => {
                let mut stderr = io::stderr().lock();
                let before = self.stderr.before(source, bytes);
                stderr
                    .write_all(before)
                    .and_then(|()| stderr.write_all(bytes))
            }
        };
    }
}

/// Standard output, which several threads write to.
#[derive(Clone, Debug, Default)]
struct Stdout {
    seam: Arc<Mutex<Seam>>,
}

impl Stdout {
    /// In one go: other lines come before or behind.
    fn write(&self, source: Source<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut seam = self.seam.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = io::stdout().lock();
        stdout.write_all(seam.before(source, bytes))?;
        stdout.write_all(bytes)?;
        stdout.flush()
    }
}

/// What waits is written together, and at the latest when nothing does.
fn write(pieces: &Receiver<Piece>, mut sink: Sink) {
    loop {
        let piece = pieces.try_recv().or_else(|error| {
            sink.flush();
            match error {
                TryRecvError::Empty => pieces.recv(),
                TryRecvError::Disconnected => Err(std::sync::mpsc::RecvError),
            }
        });
        match piece {
            Ok(Piece::App(line)) => sink.add(&line),
            Ok(Piece::Reopen) => {
                if let Sink::Files(files) = &mut sink {
                    files.reopen();
                }
            }
            Ok(Piece::Plan(plans)) => {
                if let Sink::Files(files) = &mut sink {
                    files.plan(plans);
                }
            }
            Ok(Piece::Lengths(asker)) => {
                sink.flush();
                let _ = asker.send(match &sink {
                    Sink::Files(files) => files.lengths(),
                    Sink::Standard(_) => Vec::new(),
                });
            }
            Ok(Piece::Barrier(done)) => {
                sink.flush();
                let _ = done.send(());
            }
            Err(_) => return,
        }
    }
}
