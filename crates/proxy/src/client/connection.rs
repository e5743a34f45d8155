//! A client connection from its first byte to its last.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::header::EXPECT;
use http::{Method, StatusCode, Version};
use mainstay_codec::{Persistence, RequestHead, Upgrade, write_interim};
use mainstay_pipeline::{InterimHead, Peer, Refusal, Request};

use super::head::{self, Arrival};
use super::inbound::{Expects, Inbound, State};
use super::outbound::{self, Sent};
use crate::deadline::Deadline;
use crate::link::Link;
use crate::stream::Stream;
use crate::thread::{Serving, Thread};

/// A connection that has been idle for this long gives back what it held for the next request: many clients come
/// once and stay, and what each held for longer would add up.
const WARM: Duration = Duration::from_millis(200);
/// While draining, a client that does not close its end holds up the end of all for no longer than this.
const LAST_LINGER: Duration = Duration::from_secs(2);
/// How long the rest of a body that nobody wanted may take.
const REST: Duration = Duration::from_secs(1);
/// So much of a body that nobody wanted is read and thrown away to save the connection.
const DISCARD: usize = 64 * 1024;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another request may come. Whether the client is a trusted proxy decides how long it may take.
    Keep { peer_is_trusted: bool },
    /// All is said; it is closed in an orderly way.
    Close,
    /// It is of no more use to anybody.
    Abandon,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(thread: &Thread, stream: Stream, peer: Arc<Peer>) {
    let mut link = Link::new(stream, thread.scratch());
    let deadline = thread.deadline();
    let mut peer_is_trusted = false;
    while request_begins(thread, &mut link, &deadline, peer_is_trusted).await {
        // boxed, so that an idle connection does not hold the room that a busy one needs
        match Box::pin(busy(thread, &mut link, &deadline, &peer)).await {
            Next::Keep {
                peer_is_trusted: is_trusted,
            } => peer_is_trusted = is_trusted,
            Next::Close => {
                let patience = thread.serving().options.client.linger;
                let patience = if thread.is_draining() {
                    patience.min(LAST_LINGER)
                } else {
                    patience
                };
                return linger(&mut link, &deadline, patience).await;
            }
            Next::Abandon => return,
        }
    }
}

/// Waits in little memory until something comes. False when nothing will.
async fn request_begins(
    thread: &Thread,
    link: &mut Link,
    deadline: &Deadline,
    peer_is_trusted: bool,
) -> bool {
    link.rest();
    let keep_alive = {
        let serving = thread.serving();
        let options = &serving.options.client;
        if peer_is_trusted {
            options.keep_alive_trusted
        } else {
            options.keep_alive
        }
    };
    deadline.set(keep_alive);
    let mut until = None;
    poll_fn(|context| {
        if !link.input.is_empty() {
            return Poll::Ready(true);
        }
        if let Poll::Ready(read) = link.poll_fill(context) {
            return Poll::Ready(matches!(read, Ok(1..)));
        }
        // while draining an idle connection may still bring the request that is perhaps on its way
        if thread.idle_until() != until {
            until = thread.idle_until();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            deadline.shorten(left.unwrap_or(keep_alive));
        }
        if deadline.poll_expired(context) {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Serves requests as long as they follow each other closely.
async fn busy(thread: &Thread, link: &mut Link, deadline: &Deadline, peer: &Arc<Peer>) -> Next {
    loop {
        let serving = thread.serving();
        let next = exchange(thread, &serving, link, deadline, peer).await;
        if !matches!(next, Next::Keep { .. }) {
            return next;
        }
        if link.input.is_empty() {
            deadline.set(WARM);
            let more = poll_fn(|context| match link.poll_fill(context) {
                Poll::Ready(Ok(1..)) => Poll::Ready(Some(true)),
                Poll::Ready(_) => Poll::Ready(Some(false)),
                Poll::Pending if deadline.poll_expired(context) || thread.is_draining() => {
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            });
            match more.await {
                Some(true) => {}
                Some(false) => return Next::Abandon,
                None => return next,
            }
        }
    }
}

/// One request and its answer.
async fn exchange(
    thread: &Thread,
    serving: &Serving,
    link: &mut Link,
    deadline: &Deadline,
    peer: &Arc<Peer>,
) -> Next {
    let (head, started) = match head::read(link, serving, deadline).await {
        Arrival::Request(head, started) => (head, started),
        Arrival::Closed => return Next::Abandon,
        Arrival::Refused(refused, started) => {
            let refusal = Refusal::Codec(refused.status(), refused.reason());
            return refuse(thread, serving, link, peer, refusal, started).await;
        }
        Arrival::TooSlow(started) => {
            return refuse(thread, serving, link, peer, Refusal::HeadTimeout, started).await;
        }
    };
    deadline.clear();
    let reply = Reply {
        method: head.method.clone(),
        version: head.version,
        connection: head.connection,
    };
    let (request, mut inbound) = assemble(head, link, serving);
    let mut answer = None;
    {
        let mut serve = pin!(serving.pipeline.serve(peer, request, started));
        let driven = poll_fn(|context| {
            if let Poll::Ready(came) = serve.as_mut().poll(context) {
                answer = Some(came);
                return Poll::Ready(());
            }
            poll_meanwhile(link, inbound.as_mut(), deadline, peer, context)
        });
        driven.await;
    }
    let Some(mut answer) = answer else {
        return Next::Abandon;
    };
    if let Some(refresh) = answer.refresh.take() {
        let serving = thread.serving();
        tokio::task::spawn_local(async move { serving.pipeline.refresh(refresh).await });
    }
    // those that came together with the answer still go first
    write_interims(link, peer.interim.take(), inbound.as_mut());
    let peer_is_trusted = answer.ending.exchange().peer_is_trusted;
    let is_switch = answer.response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let mut sending = outbound::begin(thread, serving, link, &reply, answer, inbound.as_mut());
    let sent = outbound::finish(&mut sending, thread, link, inbound.as_mut(), deadline).await;
    // the answer is over: what follows is about the connection
    drop(sending);
    match sent {
        Sent::Whole { .. } if is_switch => {
            let patience = serving.options.client.linger;
            finish_tunnel(thread, inbound, link, deadline, patience).await;
            Next::Close
        }
        Sent::Whole { keep: true } if discard(inbound, link, deadline).await => {
            Next::Keep { peer_is_trusted }
        }
        Sent::Whole { .. } => Next::Close,
        Sent::Broken => Next::Abandon,
    }
}

/// The origin has ended its direction of a tunnel; the client may still have something to say in its own,
/// but not for ever: most origins end both at once.
async fn finish_tunnel(
    thread: &Thread,
    inbound: Option<Inbound>,
    link: &mut Link,
    deadline: &Deadline,
    patience: Duration,
) {
    let Some(mut inbound) = inbound else { return };
    let mut came = None;
    let silence = thread.deadline();
    poll_fn(|context| {
        let shut = link.poll_shutdown(context);
        let fed = inbound.poll_feed(link, deadline, context);
        if came != Some(inbound.came()) {
            came = Some(inbound.came());
            silence.set(patience);
        }
        let is_over = fed.is_ready() || inbound.poll_unwanted(context);
        if (shut.is_ready() && is_over) || silence.poll_expired(context) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// What of a request decides how its answer is framed.
pub(super) struct Reply {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) connection: Persistence,
}

fn assemble(head: RequestHead, link: &mut Link, serving: &Serving) -> (Request, Option<Inbound>) {
    let (body, inbound) = if head.upgrade == Upgrade::WebSocket {
        let (body, inbound) = Inbound::tunnel(serving.limits());
        (body, Some(inbound))
    } else {
        Inbound::begin(
            head.framing,
            link,
            serving.limits(),
            &serving.options.client,
            if head.expect_continue {
                Expects::Continue
            } else {
                Expects::Nothing
            },
        )
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers;
    if !head.expect_continue && request.headers().keys().any(|name| *name == EXPECT) {
        // there is nothing to be told to go on with: no body, or a client that knows no 100
        request.headers_mut().remove(EXPECT);
    }
    (request, inbound)
}

/// What goes on while the pipeline works: interim answers out, the body in. Ready when the client is
/// gone.
fn poll_meanwhile(
    link: &mut Link,
    mut inbound: Option<&mut Inbound>,
    deadline: &Deadline,
    peer: &Peer,
    context: &mut Context<'_>,
) -> Poll<()> {
    write_interims(link, peer.interim.take(), inbound.as_deref_mut());
    if let Poll::Ready(Err(_)) = link.poll_flush(context) {
        return Poll::Ready(());
    }
    let Some(inbound) = inbound else {
        return link.poll_gone(deadline, context);
    };
    let _ = inbound.poll_feed(link, deadline, context);
    match inbound.state() {
        State::Gone => Poll::Ready(()),
        State::Complete | State::Held => link.poll_gone(deadline, context),
        // an unwanted or broken body is not read on: what follows is no request
        State::Coming | State::Unwanted | State::Broken | State::TooSlow => Poll::Pending,
    }
}

fn write_interims(link: &mut Link, heads: Vec<InterimHead>, inbound: Option<&mut Inbound>) {
    let continues = heads.iter().any(|head| head.status == StatusCode::CONTINUE);
    if let Some(inbound) = inbound.filter(|_| continues) {
        inbound.was_continued();
    }
    for head in heads {
        write_interim(link.out(), head.status, &head.headers);
    }
}

async fn refuse(
    thread: &Thread,
    serving: &Serving,
    link: &mut Link,
    peer: &Arc<Peer>,
    refusal: Refusal,
    started: Instant,
) -> Next {
    let answer = serving.pipeline.refuse(peer, refusal, started);
    let reply = Reply {
        method: Method::GET,
        version: Version::HTTP_11,
        connection: Persistence::Close,
    };
    let deadline = thread.deadline();
    let mut sending = outbound::begin(thread, serving, link, &reply, answer, None);
    match outbound::finish(&mut sending, thread, link, None, &deadline).await {
        Sent::Whole { .. } => Next::Close,
        Sent::Broken => Next::Abandon,
    }
}

/// Reads the rest of a body that was not wanted, if it is short and comes soon. Whether the connection
/// stands at the next request then.
async fn discard(inbound: Option<Inbound>, link: &mut Link, deadline: &Deadline) -> bool {
    let Some(mut inbound) = inbound.filter(|inbound| !inbound.is_over()) else {
        return true;
    };
    let mut bound = DISCARD;
    deadline.set(REST);
    poll_fn(
        |context| match inbound.poll_discard(link, &mut bound, context) {
            Poll::Pending if deadline.poll_expired(context) => Poll::Ready(false),
            poll => poll,
        },
    )
    .await
}

/// Ends our direction and waits a little for the client to end its own: a connection that is closed
/// while bytes wait unread is reset, and the reset may overtake the answer.
async fn linger(link: &mut Link, deadline: &Deadline, patience: Duration) {
    deadline.set(patience);
    poll_fn(|context| {
        if link.poll_shutdown(context).is_pending() {
            return if deadline.poll_expired(context) {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        loop {
            link.input.clear();
            match link.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
            if deadline.poll_expired(context) {
                return Poll::Ready(());
            }
        }
        if deadline.poll_expired(context) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Whether a body is known to be over, or short enough to be read to its end for the connection's sake.
pub(super) fn may_be_finished(inbound: Option<&Inbound>) -> bool {
    inbound.is_none_or(|inbound| {
        !inbound.is_ambiguous()
            && match inbound.state() {
                State::Complete | State::Held => true,
                State::Coming | State::Unwanted => inbound
                    .remaining()
                    .is_some_and(|left| left <= DISCARD as u64),
                State::Broken | State::TooSlow | State::Gone => false,
            }
    })
}
