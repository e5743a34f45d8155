//! Writing answers: the right ones. Wrong ones are written byte by byte in `routes`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::request::Request;
use crate::socket::Stream;

/// What becomes of the connection after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// A complete answer with a length; HEAD gets the head alone.
pub(crate) fn whole(
    mut stream: &Stream,
    request: &Request,
    status: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<Then> {
    let then = if request.wants_close() {
        Then::Close
    } else {
        Then::Keep
    };
    let connection = if then == Then::Close {
        "close"
    } else {
        "keep-alive"
    };
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if request.method != "HEAD" {
        bytes.extend_from_slice(body);
    }
    stream.write_all(&bytes)?;
    Ok(then)
}

pub(crate) fn text(stream: &Stream, request: &Request, body: &str) -> io::Result<Then> {
    whole(stream, request, "200 OK", "text/plain", body.as_bytes())
}

pub(crate) fn json(stream: &Stream, request: &Request, body: &str) -> io::Result<Then> {
    whole(
        stream,
        request,
        "200 OK",
        "application/json",
        body.as_bytes(),
    )
}

/// One chunk of a chunked body.
pub(crate) fn chunk(mut stream: &Stream, bytes: &[u8]) -> io::Result<()> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    stream.write_all(&framed)
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
