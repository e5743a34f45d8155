//! HTTP/1.1 messages to bytes and back, both sides, strict, sans-IO (RFC 9110, RFC 9112).
//!
//! What may not be in it: sockets, clocks, buffers that grow on their own, and policy. What
//! is refused here is refused because its framing or its meaning is ambiguous, never because
//! somebody configured it so; [`Limits`] is the only thing a caller can choose.
//!
//! A message is taken out of a growing buffer in three moves and written in three:
//!
//! | reading | writing |
//! |---|---|
//! | [`HeadScan`] finds the end of the head | [`write_request_line`] or [`write_status_line`], and [`write_fields`] |
//! | [`parse_request`], [`parse_response`] | [`end_head`] |
//! | [`BodyDecoder`] yields the body in pieces | [`BodyEncoder`] frames the pieces |
//!
//! Strictness in one sentence: a line ends in CRLF, a field has one meaning, a message has one
//! length, and whatever says otherwise is a [`Refused`] request, a [`Malformed`] response or a
//! [`BodyFault`]; after any of them the connection is closed.
//!
//! ```
//! use bytes::BytesMut;
//! use mainstay_codec::{HeadScan, Limits, parse_request};
//!
//! let limits = Limits::default();
//! let mut input = BytesMut::from("GET /hello HTTP/1.1\r\nHost: example.com\r\n\r\n");
//! let span = HeadScan::default().find_end(&input, &limits)?.expect("the head is complete");
//! let head = input.split_to(span.end).freeze().slice(span.start..);
//! let request = parse_request(head, &limits)?;
//! assert_eq!(request.uri.path(), "/hello");
//! # Ok::<(), mainstay_codec::Refused>(())
//! ```

mod body;
mod chunked;
mod connection;
mod encoder;
mod fault;
mod fields;
mod framing;
mod host;
mod limits;
mod malformed;
mod names;
mod refused;
mod request;
mod response;
mod scan;
mod target;
mod trailers;
mod write;

pub use body::{BodyDecoder, Decoded};
pub use connection::{Persistence, Upgrade};
pub use encoder::{BodyEncoder, Miscount};
pub use fault::{BodyFault, HeadFault};
pub use framing::{Framing, FramingFault};
pub use limits::Limits;
pub use malformed::Malformed;
pub use refused::Refused;
pub use request::{RequestHead, parse_request};
pub use response::{ResponseHead, parse_response};
pub use scan::{HeadScan, HeadSpan};
pub use write::{
    end_head, write_field, write_fields, write_fields_without, write_interim, write_request_line,
    write_status_line,
};
