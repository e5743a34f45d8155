//! A body that is encoded while it comes: whatever the origin has sent when it pauses can be read by the client.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::oneshot;

use super::encoder::Encoder;
use super::hands;
use crate::{BodyBroken, Frame, Frames};

/// Pieces from this size on are encoded by another thread.
pub(super) const HEAVY: usize = 16 * 1024;
/// Encoded bytes that are gathered before they are handed on, while the origin has more.
const GATHER: usize = 16 * 1024;

/// Frames of another body, encoded.
#[derive(Debug)]
pub(crate) struct Encoded {
    inner: Frames,
    state: State,
    out: Vec<u8>,
    trailers: Option<HeaderMap>,
}

#[derive(Debug)]
enum State {
    /// Waits for the next piece. Whether something was put in that could not be read yet.
    Idle { encoder: Encoder, holds: bool },
    /// Another thread has the encoder.
    Away(oneshot::Receiver<io::Result<(Encoder, Vec<u8>)>>),
    /// All of it was given out.
    Over,
}

impl Encoded {
    pub(super) fn new(inner: Frames, encoder: Encoder) -> Self {
        Self {
            inner,
            state: State::Idle {
                encoder,
                holds: false,
            },
            out: Vec::new(),
            trailers: None,
        }
    }

    pub(crate) fn inner(&mut self) -> &mut Frames {
        &mut self.inner
    }

    /// As [`Frames::poll_frame`].
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, BodyBroken>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => {
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|fields| Ok(Frame::Trailers(fields))));
                }
                State::Away(mut work) => match Pin::new(&mut work).poll(context) {
                    Poll::Pending => {
                        self.state = State::Away(work);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Ok((encoder, out)))) => {
                        self.out = out;
                        self.state = State::Idle {
                            encoder,
                            holds: true,
                        };
                    }
                    Poll::Ready(_) => return Poll::Ready(Some(Err(BodyBroken::Gone))),
                },
                State::Idle { encoder, holds } => {
                    if let Some(frame) = self.next(encoder, holds, context) {
                        return frame;
                    }
                }
            }
        }
    }

    /// Takes what the origin has. None: look at the state again.
    fn next(
        &mut self,
        mut encoder: Encoder,
        holds: bool,
        context: &mut Context<'_>,
    ) -> Option<Poll<Option<Result<Frame, BodyBroken>>>> {
        if self.out.len() >= GATHER {
            self.state = State::Idle { encoder, holds };
            return self.give();
        }
        let done = match self.inner.poll_frame(context) {
            Poll::Ready(Some(Ok(Frame::Data(piece)))) if piece.len() >= HEAVY => {
                self.state = State::Away(self.send_away(encoder, piece));
                return None;
            }
            Poll::Ready(Some(Ok(Frame::Data(piece)))) => {
                let written = encoder.write(&piece, &mut self.out);
                self.state = State::Idle {
                    encoder,
                    holds: true,
                };
                written
            }
            Poll::Ready(Some(Ok(Frame::Trailers(fields)))) => {
                self.trailers = Some(fields);
                self.state = State::Idle { encoder, holds };
                Ok(())
            }
            Poll::Ready(Some(Err(broken))) => return Some(Poll::Ready(Some(Err(broken)))),
            Poll::Ready(None) => match encoder.finish(&mut self.out) {
                Ok(()) if self.out.is_empty() => Ok(()),
                Ok(()) => return self.give(),
                Err(error) => Err(error),
            },
            Poll::Pending => {
                let flushed = if holds {
                    encoder.flush(&mut self.out)
                } else {
                    Ok(())
                };
                self.state = State::Idle {
                    encoder,
                    holds: false,
                };
                match flushed {
                    Ok(()) if self.out.is_empty() => return Some(Poll::Pending),
                    Ok(()) => return self.give(),
                    Err(error) => Err(error),
                }
            }
        };
        if done.is_err() {
            self.state = State::Over;
            return Some(Poll::Ready(Some(Err(BodyBroken::Gone))));
        }
        None
    }

    fn send_away(
        &mut self,
        mut encoder: Encoder,
        piece: Bytes,
    ) -> oneshot::Receiver<io::Result<(Encoder, Vec<u8>)>> {
        let mut out = std::mem::take(&mut self.out);
        hands::submit(move || {
            encoder.write(&piece, &mut out)?;
            Ok((encoder, out))
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "said where it returns")]
    fn give(&mut self) -> Option<Poll<Option<Result<Frame, BodyBroken>>>> {
        let out = std::mem::take(&mut self.out);
        Some(Poll::Ready(Some(Ok(Frame::Data(out.into())))))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::hand_off;
    use crate::stages::compress::Coding;

    fn poll(encoded: &mut Encoded) -> Poll<Option<Result<Frame, BodyBroken>>> {
        encoded.poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn each_pause_of_the_origin_is_a_flush() {
        for coding in Coding::ALL {
            let (mut sender, frames) = hand_off(None);
            let inner = Encoder::new(coding, 1).expect("an encoder");
            let mut encoded = Encoded::new(frames, inner);
            assert!(poll(&mut encoded).is_pending(), "nothing to flush");
            for _ in 0..3 {
                sender.send(Frame::Data(Bytes::from_static(b"data: one\n\n")));
                sender.send(Frame::Data(Bytes::from_static(b"data: two\n\n")));
                assert!(matches!(
                    poll(&mut encoded),
                    Poll::Ready(Some(Ok(Frame::Data(_))))
                ));
                assert!(poll(&mut encoded).is_pending(), "both in one");
            }
            let mut fields = HeaderMap::new();
            fields.insert("x-sum", http::HeaderValue::from_static("1"));
            sender.send(Frame::Trailers(fields));
            sender.finish();
            assert!(matches!(
                poll(&mut encoded),
                Poll::Ready(Some(Ok(Frame::Data(_))))
            ));
            assert!(matches!(
                poll(&mut encoded),
                Poll::Ready(Some(Ok(Frame::Trailers(_))))
            ));
            assert!(matches!(poll(&mut encoded), Poll::Ready(None)));
        }
    }

    #[test]
    fn a_broken_body_stays_broken() {
        let (mut sender, frames) = hand_off(None);
        let gzip = Encoder::new(Coding::Gzip, 1).expect("an encoder");
        let mut encoded = Encoded::new(frames, gzip);
        sender.send(Frame::Data(Bytes::from_static(b"half")));
        sender.break_off(BodyBroken::TooSlow);
        assert!(matches!(
            poll(&mut encoded),
            Poll::Ready(Some(Err(BodyBroken::TooSlow)))
        ));
    }

    #[tokio::test]
    async fn large_pieces_are_encoded_elsewhere_in_their_order() {
        use std::io::Read as _;
        let (mut sender, frames) = hand_off(None);
        let gzip = Encoder::new(Coding::Gzip, 1).expect("an encoder");
        let mut encoded = Encoded::new(frames, gzip);
        let mut sent = Vec::new();
        for number in 0..6_u8 {
            let piece = vec![number; if number % 2 == 0 { 3 * HEAVY } else { 10 }];
            sent.extend_from_slice(&piece);
            sender.send(Frame::Data(piece.into()));
        }
        sender.finish();
        let mut got = Vec::new();
        while let Some(frame) = std::future::poll_fn(|context| encoded.poll_frame(context)).await {
            match frame.expect("whole") {
                Frame::Data(data) => got.extend_from_slice(&data),
                Frame::Trailers(_) => panic!("no trailers were sent"),
            }
        }
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&got[..])
            .read_to_end(&mut back)
            .expect("it decodes");
        assert_eq!(back, sent);
    }
}
