//! One thread of the data plane: its settings, its clocks, its connections.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mainstay_codec::Limits;
use mainstay_observe::{Timestamp, TimestampCache};
use mainstay_pipeline::Pipeline;
use tokio::sync::{Notify, watch};

use crate::client;
use crate::curfew::Curfew;
use crate::deadline::{Deadline, Deadlines, TICK};
use crate::listen;
use crate::{Counters, DrainOptions, Listener, Listening, Options, Upstreams};

/// Bytes read from a socket at once.
const READ: usize = 64 * 1024;
/// Buffers for writing that are kept for the next response.
const BUFFERS: usize = 64;
/// Beyond its grace a draining thread waits so long for connections that had to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A buffer that grew beyond this is not kept.
const BUFFER: usize = 64 * 1024;

/// What requests are served with. Swapped whole; exchanges that have begun keep theirs.
#[derive(Debug)]
pub struct Serving {
    /// The pipeline with the origins behind it.
    pub pipeline: Pipeline<Upstreams>,
    /// Bounds and clocks.
    pub options: Options,
    limits: Limits,
}

impl Serving {
    /// Joins both.
    pub fn new(pipeline: Pipeline<Upstreams>, options: Options) -> Self {
        let limits = options.client.limits();
        Self {
            pipeline,
            options,
            limits,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// One thread. Cheap to clone; must stay on its thread.
#[derive(Clone)]
pub struct Thread(Rc<Inner>);

struct Inner {
    serving: RefCell<Rc<Serving>>,
    scratch: Rc<Scratch>,
    deadlines: Deadlines,
    counters: Arc<Counters>,
    curfew: Rc<Curfew>,
    /// Until when idle connections are kept, once it drains.
    idle_until: Cell<Option<Instant>>,
    open: Cell<usize>,
    /// Sockets that are accepted from.
    accepting: Cell<usize>,
    /// Told when either comes down to none.
    closed: Notify,
    /// The value of `Date`, made anew by the ticker.
    date: Rc<RefCell<String>>,
    /// By socket, in the order in which they came.
    stop_accepting: watch::Sender<Option<Vec<Listening>>>,
    sockets: Cell<usize>,
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("open", &self.0.open.get())
            .finish_non_exhaustive()
    }
}

impl Thread {
    /// A thread that serves like this. Must be called inside a `LocalRuntime`.
    pub fn start(workshop: Workshop, serving: Serving) -> Self {
        let thread = Self(Rc::new(Inner {
            serving: RefCell::new(Rc::new(serving)),
            scratch: workshop.scratch,
            deadlines: workshop.deadlines,
            counters: workshop.counters,
            curfew: workshop.curfew,
            idle_until: Cell::new(None),
            open: Cell::new(0),
            accepting: Cell::new(0),
            closed: Notify::new(),
            date: Rc::new(RefCell::new(Timestamp::new(SystemTime::now()).http_date())),
            stop_accepting: watch::Sender::new(None),
            sockets: Cell::new(0),
        }));
        tokio::task::spawn_local(tick(thread.0.deadlines.clone(), Rc::clone(&thread.0.date)));
        thread
    }

    /// New settings for every request that begins from now on.
    pub fn serve_with(&self, serving: Serving) {
        *self.0.serving.borrow_mut() = Rc::new(serving);
    }

    /// Accepts connections from a socket until the thread drains. The socket itself stays open: others
    /// may hold it.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn accept(&self, listener: impl Into<Listener>) -> std::io::Result<()> {
        let stop = self.0.stop_accepting.subscribe();
        let number = self.0.sockets.get();
        let accepting = listen::accept(self.clone(), listener.into(), number, stop)?;
        self.0.sockets.set(number + 1);
        let place = Accepting::take(self);
        tokio::task::spawn_local(async move {
            accepting.await;
            drop(place);
        });
        Ok(())
    }

    /// Goes on for the delay, then accepts no more, answers what comes on open connections and closes them;
    /// returns when all are closed or their time is over. `listening` says of each socket, in the order in
    /// which they came, who accepts from it afterwards. Asked again while it drains, the shorter times hold.
    pub async fn drain(&self, options: &DrainOptions, listening: Vec<Listening>) {
        wait(options.delay).await;
        let now = Instant::now();
        let inner = &self.0;
        let idle_until = now + options.idle.min(options.grace);
        let sooner = inner
            .idle_until
            .get()
            .map_or(idle_until, |known| known.min(idle_until));
        inner.idle_until.set(Some(sooner));
        inner.curfew.set(
            now + options.streams.min(options.grace),
            now + options.grace,
        );
        inner.stop_accepting.send_replace(Some(listening));
        inner.deadlines.wake_all();
        let empty = async {
            loop {
                let mut closed = std::pin::pin!(inner.closed.notified());
                closed.as_mut().enable();
                if inner.open.get() == 0 && inner.accepting.get() == 0 {
                    return;
                }
                closed.await;
            }
        };
        // what the curfew ends at the last moment may still be told so
        let _ = tokio::time::timeout(options.grace + LAST_WORDS, empty).await;
    }

    /// Client connections open now.
    pub fn open_connections(&self) -> usize {
        self.0.open.get()
    }

    pub(crate) fn serving(&self) -> Rc<Serving> {
        Rc::clone(&self.0.serving.borrow())
    }

    pub(crate) fn scratch(&self) -> Rc<Scratch> {
        Rc::clone(&self.0.scratch)
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.0.deadlines.entry()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Hands `write` the value of `Date`, as of the last tick.
    pub(crate) fn write_date(&self, write: impl FnOnce(&str)) {
        write(&self.0.date.borrow());
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.idle_until.get().is_some()
    }

    /// Until when an idle connection is kept, once the thread drains.
    pub(crate) fn idle_until(&self) -> Option<Instant> {
        self.0.idle_until.get()
    }

    /// Serves a connection on a task of its own.
    pub(crate) fn spawn(&self, stream: crate::stream::Stream, mut peer: mainstay_pipeline::Peer) {
        let Some(connection) = self.0.serving.borrow().pipeline.connect(&mut peer) else {
            self.counters().turned_away.increment();
            return;
        };
        let place = Place::take(self);
        let thread = self.clone();
        tokio::task::spawn_local(async move {
            client::serve(&thread, stream, Arc::new(peer)).await;
            drop((place, connection));
        });
    }
}

/// What parts of a thread share: buffers, clocks, counters.
#[derive(Clone, Debug)]
pub struct Workshop {
    pub(crate) scratch: Rc<Scratch>,
    pub(crate) deadlines: Deadlines,
    pub(crate) counters: Arc<Counters>,
    /// When all of it has to end.
    pub(crate) curfew: Rc<Curfew>,
}

impl Workshop {
    /// Fresh tools, counting into `counters`.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self {
            scratch: Rc::new(Scratch::new()),
            deadlines: Deadlines::new(),
            counters,
            curfew: Rc::default(),
        }
    }
}

async fn tick(deadlines: Deadlines, date: Rc<RefCell<String>>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut clock = TimestampCache::default();
    loop {
        interval.tick().await;
        clock
            .http_date(SystemTime::now())
            .clone_into(&mut date.borrow_mut());
        deadlines.tick();
    }
}

/// Counts a connection for as long as it is open.
struct Place(Thread);

impl Place {
    fn take(thread: &Thread) -> Self {
        thread.0.open.set(thread.0.open.get() + 1);
        thread.counters().accepted.increment();
        thread.counters().connections.add(1);
        Self(thread.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.open.set(inner.open.get() - 1);
        inner.counters.connections.add(-1);
        if inner.open.get() == 0 {
            inner.closed.notify_waiters();
        }
    }
}

/// Counts a socket for as long as it is accepted from.
struct Accepting(Thread);

impl Accepting {
    fn take(thread: &Thread) -> Self {
        thread.0.accepting.set(thread.0.accepting.get() + 1);
        Self(thread.clone())
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.accepting.set(inner.accepting.get() - 1);
        inner.closed.notify_waiters();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "not on a request's way: a thread waits before it drains"
)]
async fn wait(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// Buffers lent while bytes are present.
pub(crate) struct Scratch {
    read: RefCell<Vec<u8>>,
    buffers: RefCell<Vec<Vec<u8>>>,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

impl Scratch {
    fn new() -> Self {
        Self {
            read: RefCell::new(vec![0; READ]),
            buffers: RefCell::new(Vec::new()),
        }
    }

    /// The buffer to read into; never held across an await.
    pub(crate) fn borrow(&self) -> RefMut<'_, Vec<u8>> {
        self.read.borrow_mut()
    }

    /// An empty buffer to write into.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.buffers
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(4 * 1024))
    }

    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS && buffer.capacity() <= BUFFER {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}
