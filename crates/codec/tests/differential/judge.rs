//! The two readers that are compared. The fuzz target of the same name uses them too.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use mainstay_codec::{BodyDecoder, Decoded, HeadScan, Limits, parse_request};

/// A request as one of the two read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Vec<String>,
}

/// The first request of the input, when it is accepted and whole.
pub(crate) fn read(input: &[u8]) -> Option<Seen> {
    let limits = Limits::default();
    let mut input = BytesMut::from(input);
    let span = HeadScan::default().find_end(&input, &limits).ok()??;
    let head = input.split_to(span.end).freeze().slice(span.start..);
    let request = parse_request(head, &limits).ok()?;
    let mut decoder = BodyDecoder::new(request.framing, &limits);
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    loop {
        match decoder.decode(&mut input).ok()? {
            Decoded::Data(piece) => body.extend_from_slice(&piece),
            Decoded::Trailers(map) => trailers = map,
            Decoded::NeedMore => return None,
            Decoded::End => break,
        }
    }
    Some(Seen {
        target: alike(&request.method, &request.uri.to_string()),
        method: request.method,
        headers: request.headers,
        body,
        trailers: names(&trailers),
    })
}

/// The same by hyper. It leaves an absolute-form target as it is, and `Host` beside it, which
/// is put right here; and it passes every trailer, of which ours are a part.
/// Takes out what our side tells in another way.
fn drop_spent(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
    headers.remove(CONNECTION);
    let is_spent = |line: &HeaderValue| {
        let line = line.as_bytes();
        line.eq_ignore_ascii_case(b"close") || line.eq_ignore_ascii_case(b"keep-alive")
    };
    for line in lines.into_iter().filter(|line| !is_spent(line)) {
        headers.append(CONNECTION, line);
    }
}

pub(crate) fn hyper_read(input: &[u8]) -> Option<Seen> {
    let seen = Arc::new(Mutex::new(None));
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let trailers = body.trailers().cloned().unwrap_or_default();
                let mut headers = parts.headers;
                if let Some(authority) = parts.uri.authority() {
                    headers.insert(HOST, authority.as_str().parse().expect("it was a value"));
                }
                drop_spent(&mut headers);
                let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
                seen.lock()
                    .expect("nothing panics under it")
                    .get_or_insert(Seen {
                        target: alike(&parts.method, target),
                        method: parts.method,
                        headers,
                        body: body.to_bytes().to_vec(),
                        trailers: names(&trailers),
                    });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let io = Recorded {
        input: input.to_vec(),
        at: 0,
    };
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // nothing in it ever waits: the input is all there, and writes are swallowed
    let mut context = Context::from_waker(std::task::Waker::noop());
    for _ in 0..1_000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    seen.lock().expect("nothing panics under it").take()
}

/// A target without what is written in two ways: hyper leaves `http://host?query` without its
/// slash, and does not tell `OPTIONS http://host` from the same with a slash behind it.
fn alike(method: &Method, target: &str) -> String {
    match target {
        "*" if method == Method::OPTIONS => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        _ => target.to_owned(),
    }
}

/// Names of the trailers that both pass on, among those that the inputs have.
fn names(trailers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<String> = trailers
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.starts_with("x-t") && !name.contains('_'))
        .collect();
    names.sort();
    names
}

/// A connection whose peer has said all it will say.
struct Recorded {
    input: Vec<u8>,
    at: usize,
}

impl Read for Recorded {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let len = buffer.remaining().min(self.input.len() - self.at);
        buffer.put_slice(&self.input[self.at..self.at + len]);
        self.at += len;
        Poll::Ready(Ok(()))
    }
}

impl Write for Recorded {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
