//! A small HTTP/1.1 server for what is ours to answer: the admin socket, metrics, the sample app.
//!
//! Bounded in head, body and time; one request after the other on a connection. No proxying, no pipeline:
//! it never stands towards the internet without the gateway in front, but for read-only metrics.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use mainstay_codec::{
    BodyDecoder, Decoded, HeadScan, Limits, Persistence, RequestHead, end_head, parse_request,
    write_field, write_fields, write_status_line,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::feed::Feed;

/// Longer bodies are refused.
const MOST: usize = 64 * 1024;
/// A client has this long for each step.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, all of it.
pub(crate) type Call = http::Request<Bytes>;
/// An answer.
pub(crate) type Reply = http::Response<Content>;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// Pieces as they come; the connection's end is the end.
    Pieces(mpsc::UnboundedReceiver<Bytes>),
    /// A beginning, then what comes, until the client goes away.
    Feed(Bytes, Arc<Feed>),
}

/// An answer of text.
pub(crate) fn text(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Reply {
    with_type(status, media_type, Content::Whole(body.into()))
}

/// An answer that is told piece by piece.
pub(crate) fn pieces(media_type: &'static str, pieces: mpsc::UnboundedReceiver<Bytes>) -> Reply {
    with_type(StatusCode::OK, media_type, Content::Pieces(pieces))
}

/// An answer that goes on for as long as the client reads it.
pub(crate) fn feed(media_type: &'static str, beginning: Bytes, feed: Arc<Feed>) -> Reply {
    with_type(StatusCode::OK, media_type, Content::Feed(beginning, feed))
}

fn with_type(status: StatusCode, media_type: &'static str, content: Content) -> Reply {
    let mut reply = Reply::new(content);
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S, F>(mut stream: S, answer: impl Fn(Call) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Reply>,
{
    let mut input = BytesMut::new();
    while let Ok(Ok(Some(head))) =
        tokio::time::timeout(PATIENCE, read_head(&mut stream, &mut input)).await
    {
        let keeps = head.connection == Persistence::KeepAlive;
        let is_head = head.method == Method::HEAD;
        let body = read_body(&mut stream, &mut input, &head);
        let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, body).await else {
            return;
        };
        let mut call = Call::new(body.into());
        *call.method_mut() = head.method;
        *call.uri_mut() = head.uri;
        *call.headers_mut() = head.headers;
        let mut reply = answer(call).await;
        let bytes = written(&reply, is_head, keeps);
        let sent = tokio::time::timeout(PATIENCE, stream.write_all(&bytes)).await;
        let Ok(Ok(())) = sent else { break };
        match reply.body_mut() {
            Content::Whole(_) if keeps => {}
            Content::Whole(_) => break,
            Content::Pieces(pieces) => {
                write_pieces(&mut stream, pieces).await;
                break;
            }
            Content::Feed(beginning, feed) => {
                write_feed(&mut stream, beginning, feed).await;
                break;
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// Whoever does not read any more is no reason to hold up what is told.
async fn write_pieces(
    stream: &mut (impl AsyncWrite + Unpin),
    pieces: &mut mpsc::UnboundedReceiver<Bytes>,
) {
    while let Some(piece) = pieces.recv().await {
        let sent = tokio::time::timeout(PATIENCE, stream.write_all(&piece)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// A client may stop reading for as long as it likes: what waits for it is bounded. One that goes away ends it.
async fn write_feed<S>(stream: &mut S, beginning: &Bytes, feed: &Feed)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if stream.write_all(beginning).await.is_err() {
        return;
    }
    loop {
        let mut none = [0];
        let piece = tokio::select! {
            piece = feed.next() => piece,
            _ = stream.read(&mut none) => return,
        };
        if stream.write_all(&piece).await.is_err() {
            return;
        }
    }
}

async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<Option<RequestHead>> {
    let limits = Limits::default();
    let mut scan = HeadScan::default();
    loop {
        if let Some(span) = scan.find_end(input, &limits).map_err(io::Error::other)? {
            let head = input.split_to(span.end).freeze().slice(span.start..);
            return parse_request(head, &limits)
                .map(Some)
                .map_err(io::Error::other);
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    head: &RequestHead,
) -> io::Result<Vec<u8>> {
    let mut decoder = BodyDecoder::new(head.framing, &Limits::default());
    let mut body = Vec::new();
    loop {
        match decoder.decode(input).map_err(io::Error::other)? {
            Decoded::Data(piece) => {
                body.extend_from_slice(&piece);
                if body.len() > MOST {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
            }
            Decoded::Trailers(_) => {}
            Decoded::End => return Ok(body),
            Decoded::NeedMore => {
                if stream.read_buf(input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

fn written(reply: &Reply, is_head: bool, keeps: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_status_line(&mut out, reply.status());
    write_fields(&mut out, reply.headers());
    let whole = match reply.body() {
        Content::Whole(whole) => Some(whole),
        Content::Pieces(_) | Content::Feed(..) => None,
    };
    if let Some(whole) = whole {
        write_field(
            &mut out,
            "content-length",
            whole.len().to_string().as_bytes(),
        );
    }
    if !keeps || whole.is_none() {
        write_field(&mut out, "connection", b"close");
    }
    end_head(&mut out);
    if let (Some(whole), false) = (whole, is_head) {
        out.extend_from_slice(whole);
    }
    out
}
