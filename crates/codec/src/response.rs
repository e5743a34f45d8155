//! A response's head from bytes (RFC 9112, 4 and 6), as an upstream sent it. It decides how
//! long the body is; what becomes of the response is the proxy's to say.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

use crate::connection::{Options, is_spent, keep_alive_timeout};
use crate::framing::FramingFields;
use crate::{Framing, HeadFault, Limits, Malformed, Persistence, fields, names};

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status, 100 to 599.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All fields but those of `Connection` that say no more than `connection` does; values are slices of the head's bytes.
    pub headers: HeaderMap,
    /// How long the body is, with regard to what was asked.
    pub framing: Framing,
    /// Whether the upstream means to use the connection again.
    pub connection: Persistence,
    /// Seconds from `Keep-Alive: timeout=`: how long the upstream keeps an idle connection.
    pub keep_alive_timeout: Option<u64>,
}

/// Reads a response's head: exactly one, as [`HeadScan`](crate::HeadScan) found it. `to` is the
/// method that was asked with, for HEAD and CONNECT change what the framing fields mean.
///
/// # Errors
/// Whatever makes the response ambiguous or beyond the limits.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the caller gives the bytes away: they live on in the values"
)]
pub fn parse_response(
    head: Bytes,
    to: &Method,
    limits: &Limits,
) -> Result<ResponseHead, Malformed> {
    let mut room = fields::room();
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        &head,
        &mut room[..fields::most(limits)],
    );
    if status != Ok(httparse::Status::Complete(head.len())) {
        return Err(diagnose(&head, status.err(), limits));
    }
    let (Some(code), Some(minor)) = (parsed.code, parsed.version) else {
        return Err(HeadFault::StartLine.into());
    };
    if !head.starts_with(b"HTTP/1.") || head.len() > limits.head {
        return Err(diagnose(&head, None, limits));
    }
    fields::check_lines(&head, parsed.headers, limits)?;
    let version = if minor == 1 {
        Version::HTTP_11
    } else {
        Version::HTTP_10
    };
    let status = match StatusCode::from_u16(code) {
        Ok(status) if code < 600 => status,
        _ => return Err(Malformed::Status),
    };

    let mut meaning = Meaning::default();
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        if is_spent(field.name, field.value) {
            meaning.connection.read(field.value);
            continue;
        }
        let Ok(value) = HeaderValue::from_maybe_shared(head.slice_ref(field.value)) else {
            return Err(HeadFault::FieldValue.into());
        };
        names::append(&mut headers, field.name, value, |name| {
            meaning.read(field.name, name, field.value)
        })?;
    }
    let said = meaning.framing.decide(version)?;
    let framing = if is_bodiless(status, to) {
        Framing::None
    } else {
        said.unwrap_or(Framing::UntilClose)
    };
    let connection = match framing {
        Framing::UntilClose => Persistence::Close,
        _ => meaning.connection.persistence(version),
    };
    Ok(ResponseHead {
        status,
        version,
        headers,
        framing,
        connection,
        keep_alive_timeout: meaning.keep_alive_timeout,
    })
}

/// What the fields that mean something to the codec say, gathered while they are read.
#[derive(Default)]
struct Meaning {
    framing: FramingFields,
    connection: Options,
    keep_alive_timeout: Option<u64>,
}

impl Meaning {
    /// Takes note of one field. Most are told apart by the length of their name alone.
    fn read(&mut self, text: &str, name: &HeaderName, value: &[u8]) -> Result<(), Malformed> {
        match text.len() {
            10 if *name == header::CONNECTION => self.connection.read(value),
            10 if name == "keep-alive" => self.keep_alive_timeout = keep_alive_timeout(value),
            14 if *name == header::CONTENT_LENGTH => self.framing.read_length(value)?,
            17 if *name == header::TRANSFER_ENCODING => self.framing.read_encoding(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// Whether a response has no body, whatever its fields say (RFC 9112, 6.3).
fn is_bodiless(status: StatusCode, to: &Method) -> bool {
    status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || *to == Method::HEAD
        || (*to == Method::CONNECT && status.is_success())
}

/// Says what is wrong with a head that the parser did not take, or took too kindly.
#[cold]
fn diagnose(head: &[u8], error: Option<httparse::Error>, limits: &Limits) -> Malformed {
    if head.len() > limits.head {
        return HeadFault::HeadTooLarge.into();
    }
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |lf| lf + 1);
    let (line, rest) = head.split_at(end);
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', ..] => {}
        [b'H', b'T', b'T', b'P', b'/', ..] => return Malformed::Version,
        _ => return Malformed::NotHttp,
    }
    if let Some(fault) = fields::diagnose_ends(line) {
        return fault.into();
    }
    match error {
        Some(httparse::Error::Status) => Malformed::Status,
        Some(httparse::Error::TooManyHeaders) => HeadFault::TooManyFields.into(),
        _ => fields::diagnose(rest).into(),
    }
}

#[cfg(test)]
mod tests;
