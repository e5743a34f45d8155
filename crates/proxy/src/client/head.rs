//! Reading a request's head from a client. Bounded in size and time.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use mainstay_codec::{HeadScan, Refused, RequestHead, parse_request};

use crate::deadline::Deadline;
use crate::link::Link;
use crate::thread::Serving;

/// How waiting for a head ended.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly always the large one, and gone at once"
)]
pub(super) enum Arrival {
    /// A request, and when its first byte was seen.
    Request(RequestHead, Instant),
    /// Something that is not one.
    Refused(Refused, Instant),
    /// It began and did not end in time.
    TooSlow(Instant),
    /// The client is gone, or may go: nothing had begun.
    Closed,
}

/// Reads one head. The link's input may already hold some of it, or all.
pub(super) async fn read(link: &mut Link, serving: &Serving, deadline: &Deadline) -> Arrival {
    let started = Instant::now();
    let mut scan = HeadScan::default();
    let mut is_timed = false;
    loop {
        match scan.find_end(&link.input, serving.limits()) {
            Ok(Some(found)) => {
                let head = link.input.split_to(found.end).freeze().slice(found.start..);
                return match parse_request(head, serving.limits()) {
                    Ok(request) => Arrival::Request(request, started),
                    Err(refused) => Arrival::Refused(refused, started),
                };
            }
            Ok(None) => {}
            Err(refused) => return Arrival::Refused(refused, started),
        }
        if !is_timed {
            // a head that came in one piece needs no clock
            deadline.set(serving.options.client.head_timeout);
            is_timed = true;
        }
        let more = poll_fn(|context| {
            if let Poll::Ready(read) = link.poll_fill(context) {
                return Poll::Ready(Some(read));
            }
            if deadline.poll_expired(context) {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        });
        match more.await {
            Some(Ok(1..)) => {}
            None => return Arrival::TooSlow(started),
            // half a head and no more to come: nobody waits for an answer
            Some(Ok(0) | Err(_)) => return Arrival::Closed,
        }
    }
}
