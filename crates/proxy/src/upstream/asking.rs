//! One request out and its answer's head in, at the same time. Picks nobody, and reads no body.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{StatusCode, Version};
use mainstay_codec::{HeadScan, ResponseHead, parse_response};
use mainstay_pipeline::{BodyBroken, Exchange, InterimHead, Refusal};

use super::attempt::{Failure, Reach};
use super::forward::Tools;
use super::outgoing::{Cursor, Outgoing, Progress};
use crate::curfew::{Curfew, Home, Kind};
use crate::deadline::Deadline;
use crate::link::Link;

/// Interim answers that an origin may send before it is called broken.
const INTERIM: u32 = 16;
/// How long a client that waits for 100 is left waiting for the origin's word.
const CONTINUE_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Sending the request and waiting for the answer's head, at the same time.
pub(super) struct Asking<'a> {
    outgoing: &'a mut Outgoing,
    cursor: &'a mut Cursor,
    link: &'a mut Link,
    /// How sending ended, once it has.
    pub(super) sent: Option<Progress>,
    has_continued: bool,
    /// When whoever is asked has to be done.
    curfew: &'a Curfew,
    home: Home,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        outgoing: &'a mut Outgoing,
        cursor: &'a mut Cursor,
        link: &'a mut Link,
        curfew: &'a Curfew,
    ) -> Self {
        Self {
            outgoing,
            cursor,
            link,
            sent: None,
            has_continued: false,
            curfew,
            home: Home::default(),
        }
    }
}

impl Asking<'_> {
    /// The answer's head; interim ones are passed on.
    pub(super) async fn head(
        &mut self,
        tools: &Tools,
        exchange: &Exchange,
        deadline: &Deadline,
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

    fn poll_head(
        &mut self,
        scan: &mut HeadScan,
        tools: &Tools,
        exchange: &Exchange,
        deadline: &Deadline,
        continue_clock: Option<&Deadline>,
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
            deadline.set(tools.head_timeout(exchange));
        }
        let waits_for_client = self.link.unsent() == 0 && !self.outgoing.is_switch;
        if self.sent.is_none() && (self.link.written() != before || waits_for_client) {
            // the origin takes what it is given: a long upload may take as long as its client does
            deadline.set(tools.head_timeout(exchange));
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
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(self.hung_up())),
                Poll::Pending => break,
            }
        }
        if let Some(clock) = continue_clock
            && !self.has_continued
            && clock.poll_expired(context)
        {
            self.let_continue(exchange);
        }
        let curfews = [self.curfew, &tools.workshop.curfew];
        let deadlines = &tools.workshop.deadlines;
        if self.home.poll_due(curfews, Kind::Plain, deadlines, context) {
            return Poll::Ready(Err(self.sent_home(&tools.workshop.curfew)));
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
    fn hung_up(&self) -> Failure {
        let reach = if !self.link.input.is_empty() {
            Reach::Final
        } else if self.link.written() > 0 {
            Reach::Asked
        } else {
            // an idle connection that its other end had closed
            Reach::Nothing
        };
        Failure {
            refusal: Refusal::OriginGone,
            reach,
        }
    }

    /// Whoever is asked, or all of us, must end before an answer came. In the first case another may be asked
    /// what may be repeated.
    fn sent_home(&self, ours: &Curfew) -> Failure {
        if ours.is_over(Kind::Plain) {
            return broken(Refusal::Draining);
        }
        Failure {
            refusal: Refusal::OriginTimeout,
            reach: if self.link.input.is_empty() {
                Reach::Asked
            } else {
                Reach::Final
            },
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
        BodyBroken::TooLarge => Refusal::BodyTooLarge,
    })
}
