//! Accepts connections: as long as a thread serves, and the last of them when it ends. Takes no address.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::sync::watch;

use super::listener::{AsyncListener, Listener};
use crate::drain::Listening;
use crate::thread::Thread;

/// How long a handshake that has begun may take while the socket closes.
const HANDSHAKE: Duration = Duration::from_millis(200);
/// The same on this machine, where another processor may be in the middle of one.
const LOCAL_HANDSHAKE: Duration = Duration::from_millis(10);
/// How long accepting pauses when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins to listen; the future accepts until the thread drains. `number` is the socket's place among those of its
/// thread.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn accept(
    thread: Thread,
    listener: Listener,
    number: usize,
    stop: watch::Receiver<Option<Vec<Listening>>>,
) -> io::Result<impl Future<Output = ()>> {
    listener.open()?;
    Ok(accept_all(thread, listener.into_async()?, number, stop))
}

async fn accept_all(
    thread: Thread,
    listener: AsyncListener,
    number: usize,
    mut stop: watch::Receiver<Option<Vec<Listening>>>,
) {
    let mut reserve = Reserve::new();
    let listening = loop {
        let accepted = tokio::select! {
            biased;
            stop = stop.wait_for(Option::is_some) => {
                break stop.ok().and_then(|all| all.as_ref()?.get(number).copied());
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => thread.spawn(stream, peer),
            Err(error) if is_exhaustion(&error) => {
                thread.counters().accept_pauses.increment();
                reserve.shed(&listener).await;
                pause().await;
            }
            // the client gave up while it waited: the next one is waiting already
            Err(_) => {}
        }
    };
    if listening == Some(Listening::Ends) {
        accept_the_last(&thread, listener).await;
    }
}

/// Whoever has a connection in the kernel's queue believes to be connected: closing the socket would reset it.
/// So nobody new is let in, those who are shaking hands may finish, and all are accepted before the socket
/// goes. Whoever knocks meanwhile hears nothing, asks again a second later, and is refused.
async fn accept_the_last(thread: &Thread, listener: AsyncListener) {
    if filtered(&listener) {
        let is_local = listener.is_local();
        shake_hands(if is_local { LOCAL_HANDSHAKE } else { HANDSHAKE }).await;
    }
    let Ok(Some(listener)) = listener.into_last() else {
        return;
    };
    loop {
        match listener.accept() {
            Ok((stream, peer)) => thread.spawn(stream, peer),
            // the client gave up while it waited
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
    }
}

/// Whether nobody new is let in from now on. A sandbox may forbid it.
fn filtered(listener: &AsyncListener) -> bool {
    let is_tcp = matches!(listener, AsyncListener::Tcp(..));
    is_tcp && SockRef::from(listener).attach_filter(&ONLY_KNOWN).is_ok()
}

/// Drops the first segment of new connections (SYN without ACK), lets everything else pass. The filter sees a
/// segment from its TCP header on; the flags are byte 13.
const ONLY_KNOWN: [SockFilter; 5] = [
    SockFilter::new(0x30, 0, 0, 13),          // A = byte 13
    SockFilter::new(0x54, 0, 0, 0x12),        // A = A & (SYN | ACK)
    SockFilter::new(0x15, 0, 1, 0x02),        // if A is SYN alone
    SockFilter::new(0x06, 0, 0, 0),           //   drop
    SockFilter::new(0x06, 0, 0, 0xFFFF_FFFF), // else pass
];

#[expect(
    clippy::disallowed_methods,
    reason = "not on a request's way: a socket closes for good"
)]
async fn shake_hands(time: Duration) {
    tokio::time::sleep(time).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "not on a request's way: accepting pauses as a whole"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

/// A descriptor kept for the moment when there is none: with it one waiting client can be accepted and
/// let go, instead of waiting for nothing.
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn shed(&mut self, listener: &AsyncListener) {
        self.0 = None;
        let shed = poll_fn(|context| match listener.poll_shed(context) {
            Poll::Ready(shed) => Poll::Ready(shed),
            Poll::Pending => Poll::Ready(false),
        });
        shed.await;
        self.0 = File::open("/dev/null").ok();
    }
}
