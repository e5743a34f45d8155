//! Bounds a request's body in size.
//!
//! - **Does**: lets a body pass whose announced length fits; counts one of unknown length as it passes, and breaks it off
//!   where it would exceed the bound, so that the origin never sees it end.
//! - **Refuses**: 413, at once where the length is announced, before a client that asked (`Expect: 100-continue`) sends a byte;
//!   in the middle where it is not.
//! - **Deployment caveat**: the tunnel of a WebSocket is no body, and has no bound here.
//!
//! How fast a body must come is measured where its bytes come in; what the origin makes of it is not looked at.

use http::header::UPGRADE;
use mainstay_values::Size;
use serde::{Deserialize, Serialize};

use crate::{Body, Enforcement, Exchange, Refusal, Request, Step};

/// How large a request's body may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyOptions {
    /// The most, in bytes of content: transfer codings and trailers do not count. None: as much as comes.
    pub limit: Option<Size>,
    /// Whether a larger one is really refused.
    pub enforcement: Enforcement,
}

impl BodyOptions {
    /// Whether whatever `other` refuses is refused by these.
    pub(crate) fn is_as_strict_as(&self, other: &Self) -> bool {
        let is_less = match (self.limit, other.limit) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own.as_bytes() <= other.as_bytes(),
        };
        is_less && self.enforcement <= other.enforcement
    }
}

#[derive(Debug)]
pub(crate) struct LimitSize {
    limit: Option<u64>,
    enforcement: Enforcement,
}

impl LimitSize {
    pub(crate) fn new(options: &BodyOptions) -> Self {
        Self {
            limit: options.limit.map(Size::as_bytes),
            enforcement: options.enforcement,
        }
    }

    pub(crate) fn limit(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<(), Refusal> {
        exchange.pass(Step::LimitSize);
        let Some(limit) = self.limit else {
            return Ok(());
        };
        match request.body().length() {
            Some(length) if length > limit => {
                self.enforcement
                    .apply(exchange, Step::LimitSize, Refusal::BodyTooLarge)
            }
            Some(_) => Ok(()),
            None => {
                self.count(limit, exchange, request);
                Ok(())
            }
        }
    }

    /// Nobody knows yet how long it will be.
    fn count(&self, limit: u64, exchange: &mut Exchange, request: &mut Request) {
        if request.headers().contains_key(UPGRADE) {
            return;
        }
        if let Body::Stream(frames) = request.body_mut() {
            match self.enforcement {
                Enforcement::Enforce => frames.bound(limit),
                Enforcement::DryRun => exchange.overrun = Some(frames.watch(limit)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::{BodyBroken, Frame, FrameSender, hand_off};

    const LIMIT: u64 = 10;

    fn stage(enforcement: Enforcement) -> LimitSize {
        LimitSize::new(&BodyOptions {
            limit: Some(Size::bytes(LIMIT)),
            enforcement,
        })
    }

    fn exchange() -> Exchange {
        Exchange::unread(&Arc::default(), Instant::now())
    }

    fn streamed(length: Option<u64>) -> (FrameSender, Request) {
        let (sender, frames) = hand_off(length);
        (sender, Request::new(Body::Stream(frames)))
    }

    #[test]
    fn an_announced_length_is_judged_to_the_byte() {
        for (length, expected) in [
            (0, Ok(())),
            (LIMIT, Ok(())),
            (LIMIT + 1, Err(Refusal::BodyTooLarge)),
            (u64::MAX, Err(Refusal::BodyTooLarge)),
        ] {
            let (_sender, mut request) = streamed(Some(length));
            let found = stage(Enforcement::Enforce).limit(&mut exchange(), &mut request);
            assert_eq!(found, expected, "{length}");
        }
        let whole = Bytes::from(vec![b'x'; 11]);
        let found =
            stage(Enforcement::Enforce).limit(&mut exchange(), &mut Request::new(whole.into()));
        assert_eq!(found, Err(Refusal::BodyTooLarge));
    }

    /// Sends pieces of these lengths; what came out, and how it ended.
    async fn passed(
        mut request: Request,
        mut sender: FrameSender,
        pieces: &[usize],
    ) -> (usize, Option<BodyBroken>) {
        for length in pieces {
            sender.send(Frame::Data(Bytes::from(vec![b'x'; *length])));
        }
        sender.finish();
        let mut bytes = 0;
        let Body::Stream(frames) = request.body_mut() else {
            panic!("it was a stream");
        };
        loop {
            match frames.frame().await {
                Some(Ok(Frame::Data(piece))) => bytes += piece.len(),
                Some(Ok(Frame::Trailers(_))) => {}
                Some(Err(reason)) => return (bytes, Some(reason)),
                None => return (bytes, None),
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_length_is_counted_to_the_byte() {
        let broken = Some(BodyBroken::TooLarge);
        for (pieces, expected) in [
            (&[][..], (0, None)),
            (&[10], (10, None)),
            (&[3, 3, 4], (10, None)),
            (&[11], (0, broken)),
            (&[9, 1, 1], (10, broken)),
            (&[9, 2], (9, broken)),
        ] {
            let (sender, mut request) = streamed(None);
            let found = stage(Enforcement::Enforce).limit(&mut exchange(), &mut request);
            assert_eq!(found, Ok(()));
            assert_eq!(
                passed(request, sender, pieces).await,
                expected,
                "{pieces:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_dry_run_lets_all_of_it_pass_and_notes_it() {
        let spared = Some((Step::LimitSize, Refusal::BodyTooLarge));
        for (pieces, expected) in [(&[5, 5][..], None), (&[5, 6, 7], spared)] {
            let (mut exchange, (sender, mut request)) = (exchange(), streamed(None));
            let found = stage(Enforcement::DryRun).limit(&mut exchange, &mut request);
            assert_eq!(found, Ok(()));
            let sum = pieces.iter().sum();
            assert_eq!(passed(request, sender, pieces).await, (sum, None));
            assert_eq!(exchange.spared(), expected, "{pieces:?}");
        }
        let (mut exchange, (_sender, mut request)) = (exchange(), streamed(Some(11)));
        let found = stage(Enforcement::DryRun).limit(&mut exchange, &mut request);
        assert_eq!((found, exchange.spared()), (Ok(()), spared));
    }

    #[tokio::test]
    async fn a_tunnel_is_no_body() {
        let (sender, mut request) = streamed(None);
        let websocket = http::HeaderValue::from_static("websocket");
        request.headers_mut().insert(UPGRADE, websocket);
        let found = stage(Enforcement::Enforce).limit(&mut exchange(), &mut request);
        assert_eq!(found, Ok(()));
        assert_eq!(passed(request, sender, &[100]).await, (100, None));
    }
}
