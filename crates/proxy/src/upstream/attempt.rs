//! One attempt at one origin: a connection, the request out, the answer's head in.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::{Method, StatusCode, Version};
use mainstay_codec::{BodyDecoder, Decoded, Framing, Limits, Persistence, ResponseHead};
use mainstay_pipeline::{Body, Exchange, Refusal, Response, hand_off};

use super::asking::Asking;

use super::endpoint::InFlight;
use super::forward::Tools;
use super::group::Member;
use super::outgoing::{Cursor, Outgoing, Progress};
use super::receive::{Receiving, receive};
use super::web_socket::FrameBounds;
use crate::curfew::{Home, Kind};
use crate::deadline::Deadline;
use crate::link::Link;
use crate::turns::behind_the_others;

/// Why an attempt brought no answer, and what that says about trying again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) refusal: Refusal,
    pub(super) reach: Reach,
}

impl Failure {
    /// Whether the one who was asked is to blame: it closed the connection on us, or said what nobody understands.
    fn is_its_own(&self) -> bool {
        match self.refusal {
            // an idle connection may be closed
            Refusal::OriginGone => self.reach != Reach::Nothing,
            Refusal::OriginMalformed(_) => true,
            _ => false,
        }
    }
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not a byte of the request was written.
    Nothing,
    /// Something was written and not a byte of an answer came.
    Asked,
    /// Something came; or trying again would not help.
    Final,
}

/// The one kind of answer that may be silent (media types know no case: RFC 9110, 8.3.1).
const EVENTS: &[u8] = b"text/event-stream";

/// Asks one member.
pub(super) async fn attempt(
    tools: &Tools,
    member: &Rc<Member>,
    outgoing: &mut Outgoing,
    exchange: &Exchange,
    now: Instant,
) -> Result<Answered, Failure> {
    let counted = InFlight::begin(&member.endpoint);
    let deadline = tools.workshop.deadlines.entry();
    let mut link = match warm(member, now).await {
        Some(link) => link,
        None => connect(tools, member, &deadline).await?,
    };
    let mut cursor = outgoing.begin(&mut link, exchange);
    if member.endpoint.in_flight() > 1 {
        behind_the_others().await;
    }
    deadline.set(tools.head_timeout(exchange));
    let mut asking = Asking::new(outgoing, &mut cursor, &mut link, &member.curfew);
    let head = asking.head(tools, exchange, &deadline).await;
    let head = head.inspect_err(|failure| {
        if failure.is_its_own() {
            member.endpoint.failed();
        }
    })?;
    let sent = asking.sent;
    let came = Instant::now();
    member.endpoint.answered(head.status.as_u16(), now, came);
    Ok(answer(
        tools,
        member,
        outgoing,
        Connected {
            link,
            cursor,
            sent,
            counted,
            deadline,
            came,
        },
        head,
        tools.body_timeout(exchange),
    ))
}

/// An idle connection whose other end has said nothing. What the runtime knows already costs no call.
async fn warm(member: &Member, now: Instant) -> Option<Link> {
    while let Some(mut link) = member.take_idle(now) {
        let is_quiet = poll_fn(|context| Poll::Ready(link.poll_fill(context).is_pending())).await;
        if is_quiet {
            return Some(link);
        }
    }
    None
}

async fn connect(tools: &Tools, member: &Member, deadline: &Deadline) -> Result<Link, Failure> {
    deadline.set(tools.options.connect_timeout);
    let mut connecting = std::pin::pin!(member.endpoint.connect());
    let connected = poll_fn(|context| match connecting.as_mut().poll(context) {
        Poll::Ready(stream) => Poll::Ready(Some(stream)),
        Poll::Pending if deadline.poll_expired(context) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    tools.workshop.counters.origin_connections.increment();
    match connected.await {
        Some(Ok(stream)) => Ok(Link::new(stream, Rc::clone(&tools.workshop.scratch))),
        Some(Err(_)) => {
            member.forget_idle();
            Err(Failure {
                refusal: Refusal::OriginUnreachable,
                reach: Reach::Nothing,
            })
        }
        None => Err(Failure {
            refusal: Refusal::ConnectTimeout,
            reach: Reach::Nothing,
        }),
    }
}

struct Connected {
    link: Link,
    cursor: Cursor,
    sent: Option<Progress>,
    counted: InFlight,
    deadline: Deadline,
    /// When the head had come.
    came: Instant,
}

/// What an attempt brought.
pub(super) struct Answered {
    pub(super) response: Response,
    /// What of the exchange goes on.
    /// Boxed: most answers are whole.
    pub(super) rest: Option<Box<Rest>>,
    /// When the head had come.
    pub(super) came: Instant,
}

/// What of an exchange goes on after its head is known.
pub(super) struct Rest {
    pub(super) receiving: Receiving,
    pub(super) cursor: Cursor,
    pub(super) needs_sending: bool,
}

/// Makes a response of a head: with the body if it has come already, else with what brings it.
fn answer(
    tools: &Tools,
    member: &Rc<Member>,
    outgoing: &Outgoing,
    connected: Connected,
    head: ResponseHead,
    body_timeout: Duration,
) -> Answered {
    let Connected {
        mut link,
        cursor,
        sent,
        counted,
        deadline,
        came,
    } = connected;
    let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let framing = if is_switch {
        Framing::UntilClose
    } else {
        head.framing
    };
    let mut decoder = BodyDecoder::new(framing, &tools.limits);
    let keeps =
        head.connection == Persistence::KeepAlive && head.version == Version::HTTP_11 && !is_switch;
    let said = head.keep_alive_timeout.map(Duration::from_secs);
    let whole = whole(framing, &mut decoder, &mut link);
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(body) = whole {
        *response.body_mut() = body;
        // both messages ended cleanly and nothing follows: only then may it be used again
        if keeps && sent == Some(Progress::Done) && link.input.is_empty() {
            member.give_back(link, said, &tools.options, came);
        }
        return Answered {
            response,
            rest: None,
            came,
        };
    }
    let is_silent = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().get(..EVENTS.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS));

    let length = decoder.remaining_hint();
    let (sender, frames) = hand_off(length);
    *response.body_mut() = Body::Stream(frames);
    let receiving = Receiving {
        link,
        decoder,
        sender,
        member: Rc::clone(member),
        keep_for: keeps.then_some(said.unwrap_or(tools.options.idle + Duration::from_secs(1))),
        deadline,
        timeout: (!is_silent && !is_switch).then_some(body_timeout),
        is_switch,
        kind: if is_silent || is_switch {
            Kind::Stream
        } else {
            Kind::Plain
        },
        home: Home::default(),
        is_ending: false,
        bounds: is_switch.then(FrameBounds::default),
        _counted: counted,
    };
    debug_assert!(outgoing.method != Method::HEAD);
    let rest = Rest {
        receiving,
        cursor,
        needs_sending: sent.is_none(),
    };
    Answered {
        response,
        rest: Some(Box::new(rest)),
        came,
    }
}

/// The body, if all of it came with the head: most answers are that short, and need no task of their own.
fn whole(framing: Framing, decoder: &mut BodyDecoder, link: &mut Link) -> Option<Body> {
    match framing {
        Framing::None | Framing::Length(0) => Some(Body::Empty),
        Framing::Length(length) if link.input.len() as u64 >= length => {
            match decoder.decode(&mut link.input) {
                Ok(Decoded::Data(piece)) => Some(Body::Full(piece)),
                _ => None,
            }
        }
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => None,
    }
}

/// Lets the rest of an exchange go on beside the pipeline.
pub(super) fn go_on(tools: &Rc<Tools>, outgoing: Outgoing, rest: Box<Rest>) {
    tokio::task::spawn_local(receive(Rc::clone(tools), outgoing, *rest));
}

/// So that tests can name the limits a thread uses towards origins.
pub(super) fn limits() -> Limits {
    // an app may set more cookies than a client may send
    Limits {
        head: 64 * 1024,
        field: 32 * 1024,
        ..Limits::default()
    }
}
