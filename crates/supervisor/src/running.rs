//! One running process of a worker: its ears, its output, and its end with everything that came of it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal as RawSignal;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::drain::{Drain, Left, Output};
use crate::events::{Event, WorkerId};
use crate::launch::becomes_command;
use crate::memory::Kills;
use crate::node::speech::{Ear, Said};
use crate::os::readable;
use crate::output::Stream;
use crate::plan::Prepared;
use crate::process::{Exit, Process};
use crate::ready::{Expected, Found, look};
use crate::tree::{Tree, descends, handle};

/// How long what is left of a tree may take between `SIGTERM` and `SIGKILL`, once its head is gone.
const REST_GRACE: Duration = Duration::from_secs(1);

/// How long output may still come once every process is gone; only a pipe in strange hands takes longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long it may still come while the next start waits for it: what a dead process wrote is there at once, and children
/// that still hold its pipes are no reason to wait.
const HASTY_WORDS: Duration = Duration::from_millis(2);

/// How long what started the listener may take to notice that it has ended, and to end with its status.
pub(crate) const FOLLOW_GRACE: Duration = Duration::from_millis(500);

pub(crate) type Look = std::pin::Pin<Box<dyn Future<Output = Found> + Send>>;

/// A process that was started for a worker.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) started: Instant,
    /// Which start of the worker this is.
    pub(crate) start: u32,
    pub(crate) ear: Option<Ear>,
    pub(crate) look: Look,
    /// What `look` looks for, until it is found.
    pub(crate) expected: Option<Expected>,
    pub(crate) output: Arc<Output>,
    pub(crate) tree: Tree,
    /// The kernel's kills for want of memory, before this start.
    pub(crate) kills: Option<Kills>,
    /// Whether we killed it.
    pub(crate) killed: bool,
    pub(crate) drains: Vec<Reading>,
    /// The process that listens and was asked to end, when it is not the first one.
    pub(crate) listener: Option<Listener>,
    /// When what started the listener is asked to end too.
    pub(crate) hurry: Option<Instant>,
    /// A shell passes no signal on.
    pub(crate) headed_by_shell: bool,
}

/// A stream that is being read.
pub(crate) struct Reading {
    pub(crate) stream: Stream,
    pub(crate) task: JoinHandle<io::Result<Option<Left>>>,
}

/// A process that is not the first one of its start.
pub(crate) struct Listener {
    pub(crate) pid: u32,
    pub(crate) handle: AsyncFd<OwnedFd>,
}

impl Reading {
    pub(crate) fn begin(drain: Drain, left: Left) -> Self {
        Self {
            stream: drain.stream(),
            task: tokio::spawn(drain.run(left)),
        }
    }
}

/// What happens to a running process by itself.
pub(crate) enum Happened {
    Said(Said),
    Found(Found),
    /// The line that was waited for.
    Written,
    Ended,
}

impl Running {
    /// Starts what was prepared, with its output going to `events`.
    pub(crate) fn start(
        prepared: Prepared,
        start: u32,
        worker: &WorkerId,
        output: &Arc<Output>,
        events: &UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let mut spawn = prepared.spawn;
        let ear = prepared.speech.map(Ear::open).transpose()?;
        let text = spawn.arguments.last().map(|text| text.to_string_lossy());
        let headed_by_shell = spawn.program == "sh"
            && !matches!(prepared.expected, Expected::Accepted(..))
            && !text.is_some_and(|text| becomes_command(&text));
        let mut drains = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            match stream {
                Stream::Stdout => spawn.stdout = Some(write),
                Stream::Stderr => spawn.stderr = Some(write),
            }
            let drain = Drain::new(worker.clone(), stream, Arc::clone(output), events.clone());
            drains.push(Reading::begin(drain, Left::unread(read)));
        }
        let process = match spawn.start() {
            Ok(process) => process,
            Err(error) => {
                for reading in &drains {
                    reading.task.abort();
                }
                return Err(error);
            }
        };
        let tree = Tree {
            group: process.id(),
            mark: prepared.mark,
        };
        Ok(Self {
            look: Box::pin(look(prepared.expected.clone(), tree.clone())),
            expected: Some(prepared.expected),
            kills: Kills::of(process.id()),
            killed: false,
            process,
            started: Instant::now(),
            start,
            ear,
            output: Arc::clone(output),
            tree,
            drains,
            listener: None,
            hurry: None,
            headed_by_shell,
        })
    }

    /// The next thing that happens. Cancel-safe.
    pub(crate) async fn happening(&mut self, looking: Looking) -> Happened {
        loop {
            tokio::select! {
                biased;
                said = hear(&mut self.ear) => match said {
                    Some(said) => return Happened::Said(said),
                    None => self.ear = None,
                },
                _ = self.process.ended() => return Happened::Ended,
                () = listener_ended(self.listener.as_ref()) => {
                    self.listener = None;
                    self.hurry = Some(Instant::now() + FOLLOW_GRACE);
                }
                () = run_out(self.hurry) => {
                    self.hurry = None;
                    self.process.signal_group(RawSignal::TERM);
                }
                () = self.output.awaited_came() => return Happened::Written,
                found = &mut self.look, if looking == Looking::Yes => {
                    self.look = Box::pin(std::future::pending());
                    self.expected = None;
                    return Happened::Found(found);
                }
            }
        }
    }

    /// Believes that process `pid` listens, if it came of this start; the first process otherwise.
    pub(crate) fn listener(&self, pid: u32) -> u32 {
        if pid != self.process.id() && descends(pid, self.tree.group) {
            pid
        } else {
            self.process.id()
        }
    }

    /// Tells it the word by which it shall end. Whether it could be told.
    pub(crate) fn say_goodbye(&self) -> bool {
        self.ear.as_ref().is_some_and(Ear::say_goodbye)
    }

    /// Asks it to end: the process that listens first, the others when that one is gone.
    pub(crate) fn ask_to_end(&mut self, signal: RawSignal, listener: Option<u32>) {
        let apart = listener.filter(|pid| *pid != self.process.id() && self.tree.owns(*pid));
        match apart.and_then(|pid| Some((pid, handle(pid)?))) {
            Some((pid, handle)) => {
                let _ = rustix::process::pidfd_send_signal(&handle, signal);
                let handle = readable(handle).ok();
                self.listener = handle.map(|handle| Listener { pid, handle });
            }
            None if self.headed_by_shell => self.process.signal_group(signal),
            None => self.process.signal(signal),
        }
    }

    /// Sends it a signal that need not end it: to the process that listens, else to the first one.
    pub(crate) fn signal(&self, signal: RawSignal, listener: Option<u32>) {
        let apart = listener.filter(|pid| *pid != self.process.id() && self.tree.owns(*pid));
        match apart.and_then(handle) {
            Some(handle) => drop(rustix::process::pidfd_send_signal(&handle, signal)),
            None => self.process.signal(signal),
        }
    }

    /// Process `listener` can be given work: the control group it is in now is where it stays.
    pub(crate) fn came_up(&mut self, listener: u32) {
        self.kills = Kills::of(listener);
    }

    /// Ends all of it, at once.
    pub(crate) fn kill(&mut self) {
        self.killed = true;
        self.process.signal_group(RawSignal::KILL);
        self.tree.signal(RawSignal::KILL);
    }

    /// After the end of the first process: how it ended, once its last words were read. It is not reaped yet.
    pub(crate) async fn exit(&mut self, haste: Haste) -> Exit {
        let patience = match haste {
            Haste::Yes => HASTY_WORDS,
            Haste::No => {
                self.tree.signal(RawSignal::TERM);
                LAST_WORDS
            }
        };
        self.last_words(patience).await;
        match self.process.peek().unwrap_or(Exit::Unknown) {
            Exit::Signal(KILLED) | Exit::Code(CHILD_KILLED) if self.was_out_of_memory() => {
                Exit::OutOfMemory
            }
            exit => exit,
        }
    }

    /// Takes the rest of the tree down and reaps. The first process is a zombie until the last line, so that its number
    /// stays the group's.
    pub(crate) async fn bury(mut self) {
        end_rest(&self.tree).await;
        self.last_words(LAST_WORDS).await;
        self.output.room.hurry();
        self.last_words(LAST_WORDS).await;
        for reading in &self.drains {
            reading.task.abort();
        }
        let _ = self.process.wait().await;
    }

    fn was_out_of_memory(&self) -> bool {
        !self.killed && self.kills.as_ref().is_some_and(Kills::grew)
    }

    async fn last_words(&mut self, patience: Duration) {
        let drains = &mut self.drains;
        let all = async {
            while let Some(drain) = drains.last_mut() {
                let _ = (&mut drain.task).await;
                drains.pop();
            }
        };
        if timeout(patience, all).await.is_err() {
            // On a busy machine time runs out before anybody had a turn: whoever can read now, reads now.
            tokio::task::yield_now().await;
        }
    }

    /// The first process, which is also the group.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Whether the next start waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    Yes,
    No,
}

/// `SIGKILL`.
const KILLED: i32 = 9;
/// How a shell says that what it ran was ended by `SIGKILL`.
const CHILD_KILLED: i32 = 128 + KILLED;

/// Ends what is left of a tree: asked first, then killed. Gives up after a while on what cannot be killed (a process in
/// the middle of a dead disk's read, say).
async fn end_rest(tree: &Tree) {
    for signal in [RawSignal::TERM, RawSignal::KILL] {
        let deadline = Instant::now() + REST_GRACE;
        loop {
            let members = tree.members();
            if members.is_empty() {
                return;
            }
            tree.signal(signal);
            let ended = timeout(
                deadline.saturating_duration_since(Instant::now()),
                all_ended(&members),
            );
            if ended.await.is_err() {
                break;
            }
        }
    }
}

/// Waits until every one of these processes has ended. Those that they started meanwhile are another round.
async fn all_ended(pids: &[u32]) {
    let handles = pids.iter().filter_map(|pid| handle(*pid));
    let watched: Vec<_> = handles.filter_map(|handle| readable(handle).ok()).collect();
    for process in &watched {
        let _ = process.readable().await;
    }
}

/// Whether readiness is still looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looking {
    Yes,
    No,
}

async fn hear(ear: &mut Option<Ear>) -> Option<Said> {
    match ear {
        Some(ear) => ear.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for the time, for ever without one.
pub(crate) async fn run_out(timer: Option<Instant>) {
    match timer {
        Some(timer) => sleep_until(timer).await,
        None => std::future::pending().await,
    }
}

async fn listener_ended(listener: Option<&Listener>) {
    match listener {
        Some(listener) => {
            let _ = listener.handle.readable().await;
        }
        None => std::future::pending().await,
    }
}
