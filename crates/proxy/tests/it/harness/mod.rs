//! The data plane in this process, between scripted ends.
//!
//! What may not be here: help for anybody to be right. Both ends are byte for byte what a test says.

mod gateway;
mod message;
mod origin;
mod wire;

pub(crate) use gateway::{Gateway, endpoint, endpoints};
pub(crate) use message::Ending;
pub(crate) use origin::Origin;
pub(crate) use wire::{End, Wire};

/// A whole answer of two bytes.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request for a tunnel.
pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The origin agrees to it.
pub(crate) const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// A whole frame of a WebSocket with the text `hi`.
pub(crate) const FRAME: &[u8] = b"\x81\x02hi";
/// A server's close frame that says "service restart".
pub(crate) const RESTART: &[u8] = b"\x88\x02\x03\xF4";
/// The beginning of an event stream.
pub(crate) const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n";

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

/// A request with this body.
pub(crate) fn with_body(method: &str, body: &str) -> String {
    format!(
        "{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Only the head of a request whose body will have this length.
pub(crate) fn head_for(method: &str, length: usize) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n")
}

/// Only the head of a request with a chunked body.
pub(crate) fn head_for_chunks(method: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// An answer with this body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
