//! A request's head from bytes (RFC 9112, 3 and 6). It decides what the request is and how
//! long its body is; whether it is welcome is the pipeline's to say.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};

use crate::connection::{Options, Seen, is_spent};
use crate::framing::{FramingFields, looks_like_framing};
use crate::host::check_host;
use crate::scan::is_token;
use crate::target::{Target, parse_target};
use crate::{Framing, HeadFault, Limits, Persistence, Refused, Upgrade, fields, names};

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method, never `CONNECT`.
    pub method: Method,
    /// Path and query byte for byte as sent, or `*`. An absolute-form target has lost its
    /// scheme and authority; the authority is in the `Host` field.
    pub uri: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All fields but those of `Connection` that say no more than `connection` does; values are slices of the head's bytes. Names may hold `_`. `Host` is there once, and checked;
    /// in HTTP/1.0 it may be missing.
    pub headers: HeaderMap,
    /// How long the body is. Never [`Framing::UntilClose`].
    pub framing: Framing,
    /// Whether the client means to use the connection again.
    pub connection: Persistence,
    /// Whether the client waits for `100 Continue` before it sends the body. False where no
    /// body follows, and in HTTP/1.0 (RFC 9110, 10.1.1).
    pub expect_continue: bool,
    /// What the client asks the connection to become.
    pub upgrade: Upgrade,
}

/// Reads a request's head: exactly one, from its first line to its blank line, as
/// [`HeadScan`](crate::HeadScan) found it.
///
/// # Errors
/// Whatever makes the request ambiguous or beyond the limits.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the caller gives the bytes away: they live on in the values"
)]
pub fn parse_request(head: Bytes, limits: &Limits) -> Result<RequestHead, Refused> {
    let mut room = fields::room();
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(&head, &mut room[..fields::most(limits)]);
    if status != Ok(httparse::Status::Complete(head.len())) {
        return Err(diagnose(&head, status.err(), limits));
    }
    let (method, version, target) = check_start(&head, &parsed, limits)?;
    fields::check_lines(&head, parsed.headers, limits)?;

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

    let framing = meaning.framing.decide(version)?.unwrap_or(Framing::None);
    let has_body = !matches!(framing, Framing::None | Framing::Length(0));
    let upgrade = meaning.upgrade(&method, version);
    if upgrade == Upgrade::WebSocket && has_body {
        return Err(Refused::UpgradeWithBody);
    }
    match meaning.host {
        Some(value) => check_host(value)?,
        None if version == Version::HTTP_11 => return Err(Refused::HostMissing),
        None => {}
    }
    if let Some(authority) = target.authority {
        headers.insert(header::HOST, authority);
    }
    Ok(RequestHead {
        method,
        uri: target.uri,
        version,
        headers,
        framing,
        connection: meaning.connection.persistence(version),
        expect_continue: meaning.expect == Seen::Yes && version == Version::HTTP_11 && has_body,
        upgrade,
    })
}

/// Checks what the parser lets pass in front of the fields, and reads the first line.
fn check_start(
    head: &Bytes,
    parsed: &httparse::Request<'_, '_>,
    limits: &Limits,
) -> Result<(Method, Version, Target), Refused> {
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(HeadFault::StartLine.into());
    };
    // the parser skips line ends in front, which the scan has counted and left out
    if matches!(head.first(), Some(b'\r' | b'\n')) || head.len() > limits.head {
        return Err(diagnose(head, None, limits));
    }
    if target.len() > limits.target {
        return Err(Refused::TargetTooLong);
    }
    let version = match minor {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let method = parse_method(method)?;
    let target = parse_target(head.slice_ref(target.as_bytes()), &method)?;
    Ok((method, version, target))
}

/// What the fields that mean something to the codec say, gathered while they are read.
#[derive(Default)]
struct Meaning<'head> {
    host: Option<&'head [u8]>,
    framing: FramingFields,
    connection: Options,
    expect: Seen,
    upgrade: Option<&'head [u8]>,
    websocket_version: Option<&'head [u8]>,
}

impl<'head> Meaning<'head> {
    /// Takes note of one field. Most are told apart by the length of their name alone.
    fn read(&mut self, text: &str, name: &HeaderName, value: &'head [u8]) -> Result<(), Refused> {
        match text.len() {
            4 if *name == header::HOST => match self.host {
                None => self.host = Some(value),
                Some(_) => return Err(Refused::HostRepeated),
            },
            6 if *name == header::EXPECT => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refused::Expectation);
                }
                self.expect = Seen::Yes;
            }
            // two fields are a list of two: not exactly `websocket`
            7 if *name == header::UPGRADE => {
                self.upgrade = Some(if self.upgrade.is_none() { value } else { b"" });
            }
            10 if *name == header::CONNECTION => self.connection.read(value),
            14 if *name == header::CONTENT_LENGTH => self.framing.read_length(value)?,
            17 if *name == header::TRANSFER_ENCODING => self.framing.read_encoding(value)?,
            14 | 17 if looks_like_framing(text.as_bytes()) => {
                return Err(Refused::FramingLookAlike);
            }
            21 if *name == header::SEC_WEBSOCKET_VERSION => self.websocket_version = Some(value),
            _ => {}
        }
        Ok(())
    }

    fn upgrade(&self, method: &Method, version: Version) -> Upgrade {
        let Some(protocol) = self.upgrade else {
            return Upgrade::None;
        };
        let is_websocket = protocol.eq_ignore_ascii_case(b"websocket")
            && self.connection.upgrade == Seen::Yes
            && self.websocket_version == Some(b"13")
            && method == Method::GET
            && version == Version::HTTP_11;
        if is_websocket {
            Upgrade::WebSocket
        } else {
            Upgrade::Other
        }
    }
}

fn parse_method(method: &str) -> Result<Method, Refused> {
    if method.len() > Limits::METHOD {
        return Err(Refused::Method);
    }
    match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT) => Err(Refused::Connect),
        Ok(method) => Ok(method),
        Err(_) => Err(Refused::Method),
    }
}

/// Says what is wrong with a head that the parser did not take, or took too kindly.
#[cold]
fn diagnose(head: &[u8], error: Option<httparse::Error>, limits: &Limits) -> Refused {
    if head.len() > limits.head {
        return HeadFault::HeadTooLarge.into();
    }
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |lf| lf + 1);
    let (line, rest) = head.split_at(end);
    if let Some(fault) = fields::diagnose_ends(line) {
        return fault.into();
    }
    if let Some(refused) = diagnose_request_line(line.strip_suffix(b"\r\n").unwrap_or(line)) {
        return refused;
    }
    match error {
        Some(httparse::Error::TooManyHeaders) => HeadFault::TooManyFields.into(),
        _ => fields::diagnose(rest).into(),
    }
}

fn diagnose_request_line(line: &[u8]) -> Option<Refused> {
    let parts: Vec<&[u8]> = line.splitn(4, |&byte| byte == b' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return Some(HeadFault::StartLine.into());
    };
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => {}
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Some(Refused::Version);
        }
        _ => return Some(HeadFault::StartLine.into()),
    }
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return Some(HeadFault::StartLine.into());
    }
    let is_visible = |&byte: &u8| byte > b' ' && byte != 0x7f;
    (target.is_empty() || !target.iter().all(is_visible)).then_some(Refused::Target)
}

#[cfg(test)]
mod tests;
