//! One attempt at one origin: a connection, the request out, the answer's head in.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use mainstay_codec::{
    BodyDecoder, Decoded, Framing, HeadScan, Limits, Persistence, ResponseHead, parse_response,
};
use mainstay_pipeline::{Body, BodyBroken, Exchange, InterimHead, Refusal, Response, hand_off};

use super::endpoint::InFlight;
use super::forward::Tools;
use super::group::Member;
use super::outgoing::{Cursor, Outgoing, Progress};
use super::receive::{Receiving, receive};
use crate::deadline::Deadline;
use crate::link::Link;

/// Interim answers that an origin may send before it is called broken.
const INTERIM: u32 = 16;
/// How long a client that waits for 100 is left waiting for the origin's word.
const CONTINUE_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Why an attempt brought no answer, and what that says about trying again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) refusal: Refusal,
    pub(super) reach: Reach,
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
    let (mut link, freshness) = match warm(member, now).await {
        Some(link) => (link, Freshness::Used),
        None => (connect(tools, member, &deadline).await?, Freshness::Fresh),
    };
    let mut cursor = outgoing.begin(&mut link, exchange);
    deadline.set(tools.options.head_timeout);
    let mut asking = Asking {
        outgoing,
        cursor: &mut cursor,
        link: &mut link,
        sent: None,
        has_continued: false,
    };
    let head = asking.head(tools, exchange, &deadline, freshness).await?;
    let sent = asking.sent;
    let came = Instant::now();
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
    ))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    /// Made for this attempt.
    Fresh,
    /// Used before: its other end may have gone away meanwhile.
    Used,
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

/// Sending the request and waiting for the answer's head, at the same time.
struct Asking<'a> {
    outgoing: &'a mut Outgoing,
    cursor: &'a mut Cursor,
    link: &'a mut Link,
    /// How sending ended, once it has.
    sent: Option<Progress>,
    has_continued: bool,
}

impl Asking<'_> {
    async fn head(
        &mut self,
        tools: &Tools,
        exchange: &Exchange,
        deadline: &Deadline,
        freshness: Freshness,
    ) -> Result<ResponseHead, Failure> {
        let continue_clock = self
            .outgoing
            .expects
            .then(|| tools.workshop.deadlines.entry());
        if let Some(clock) = &continue_clock {
            clock.set(CONTINUE_AFTER);
        }
        let mut scan = HeadScan::default();
        let mut interim = 0;
        loop {
            let found = poll_fn(|context| {
                self.poll_head(
                    &mut scan,
                    tools,
                    exchange,
                    deadline,
                    continue_clock.as_ref(),
                    freshness,
                    context,
                )
            });
            let head = found.await?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return self.judge(head);
            }
            interim += 1;
            if interim > INTERIM {
                return Err(broken(Refusal::OriginMalformed("interim_storm")));
            }
            self.pass_on(head, exchange);
            scan = HeadScan::default();
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one wait, used in one place"
    )]
    fn poll_head(
        &mut self,
        scan: &mut HeadScan,
        tools: &Tools,
        exchange: &Exchange,
        deadline: &Deadline,
        continue_clock: Option<&Deadline>,
        freshness: Freshness,
        context: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, Failure>> {
        let before = self.link.written();
        if self.sent.is_none()
            && let Poll::Ready(progress) = self.outgoing.poll_send(self.cursor, self.link, context)
        {
            if let Progress::ClientBroke(reason) = progress {
                return Poll::Ready(Err(client_broke(reason)));
            }
            self.sent = Some(progress);
            // the clock for the answer runs from the request's last byte
            deadline.set(tools.options.head_timeout);
        }
        let waits_for_client = self.link.unsent() == 0 && !self.outgoing.is_switch;
        if self.sent.is_none() && (self.link.written() != before || waits_for_client) {
            // the origin takes what it is given: a long upload may take as long as its client does
            deadline.set(tools.options.head_timeout);
        }
        loop {
            match scan.find_response_end(&self.link.input, &tools.limits) {
                Ok(Some(found)) => {
                    let head: Bytes = self
                        .link
                        .input
                        .split_to(found.end)
                        .freeze()
                        .slice(found.start..);
                    let parsed = parse_response(head, &self.outgoing.method, &tools.limits);
                    return Poll::Ready(
                        parsed.map_err(|fault| broken(Refusal::OriginMalformed(fault.reason()))),
                    );
                }
                Ok(None) => {}
                Err(fault) => {
                    return Poll::Ready(Err(broken(Refusal::OriginMalformed(fault.reason()))));
                }
            }
            match self.link.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(self.hung_up(freshness))),
                Poll::Pending => break,
            }
        }
        if let Some(clock) = continue_clock
            && !self.has_continued
            && clock.poll_expired(context)
        {
            self.let_continue(exchange);
        }
        if deadline.poll_expired(context) {
            return Poll::Ready(Err(Failure {
                refusal: Refusal::OriginTimeout,
                reach: Reach::Final,
            }));
        }
        Poll::Pending
    }

    /// The origin ended before an answer's head was whole.
    fn hung_up(&self, freshness: Freshness) -> Failure {
        let reach = if !self.link.input.is_empty() {
            Reach::Final
        } else if self.link.written() > 0 {
            Reach::Asked
        } else {
            // an idle connection that its other end had closed
            debug_assert!(freshness == Freshness::Used || self.sent == Some(Progress::OriginGone));
            Reach::Nothing
        };
        Failure {
            refusal: Refusal::OriginGone,
            reach,
        }
    }

    fn judge(&self, head: ResponseHead) -> Result<ResponseHead, Failure> {
        if head.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
        let agrees = head
            .headers
            .get(http::header::UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if self.outgoing.is_switch && agrees {
            Ok(head)
        } else {
            Err(broken(Refusal::OriginMalformed("unasked_switch")))
        }
    }

    fn pass_on(&mut self, head: ResponseHead, exchange: &Exchange) {
        if exchange.version < Version::HTTP_11 {
            return; // such clients know no interim answers (RFC 9110, 15.2)
        }
        if head.status == StatusCode::CONTINUE {
            if self.outgoing.expects {
                self.let_continue(exchange);
            }
        } else {
            let mut headers = head.headers;
            mainstay_pipeline::strip_hop_by_hop(&mut headers);
            exchange.peer.interim.send(InterimHead {
                status: head.status,
                headers,
            });
        }
    }

    fn let_continue(&mut self, exchange: &Exchange) {
        if !self.has_continued && exchange.version >= Version::HTTP_11 {
            self.has_continued = true;
            let head = InterimHead {
                status: StatusCode::CONTINUE,
                headers: http::HeaderMap::new(),
            };
            exchange.peer.interim.send(head);
        }
    }
}

fn broken(refusal: Refusal) -> Failure {
    Failure {
        refusal,
        reach: Reach::Final,
    }
}

fn client_broke(reason: BodyBroken) -> Failure {
    broken(match reason {
        BodyBroken::Gone => Refusal::ClientGone,
        BodyBroken::Malformed => Refusal::BodyBroken,
        BodyBroken::TooSlow => Refusal::BodyTimeout,
    })
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
    pub(super) rest: Option<Rest>,
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
    let said = head.keep_alive_timeout.map(std::time::Duration::from_secs);
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
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));

    let length = decoder.remaining_hint();
    let (sender, frames) = hand_off(length);
    *response.body_mut() = Body::Stream(frames);
    let receiving = Receiving {
        link,
        decoder,
        sender,
        member: Rc::clone(member),
        keep_for: keeps
            .then_some(said.unwrap_or(tools.options.idle + std::time::Duration::from_secs(1))),
        deadline,
        timeout: (!is_silent && !is_switch).then_some(tools.options.body_timeout),
        is_switch,
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
        rest: Some(rest),
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
pub(super) fn go_on(tools: &Rc<Tools>, outgoing: Outgoing, rest: Rest) {
    tokio::task::spawn_local(receive(Rc::clone(tools), outgoing, rest));
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
