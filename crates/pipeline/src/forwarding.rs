//! What an origin is told about the client, and what neither side may tell the other.
//!
//! Edits header maps; sends nothing. RFC 9110, 7.6 (hop-by-hop fields, `Via`), RFC 7239 (`Forwarded`).
//!
//! An app gets exactly one address in `X-Forwarded-For`: the client's, as far as trusted proxies vouch
//! for it. So `trust proxy` set to 1 or `loopback` is right whatever stands in front of us.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::SystemTime;

use http::header::{
    CONNECTION, EXPECT, FORWARDED, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SEC_WEBSOCKET_VERSION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::Exchange;
use crate::debug::DEBUG_FIELD;
use crate::exchange::all_values;
use crate::name_set::NameSet;
use crate::protected_fields::ProtectedFields;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Rewrites the fields of requests on their way to an origin.
#[derive(Debug)]
pub struct Forwarding {
    /// `mainstay-1f2e3d4c`: our name in `Via`, another one for every instance.
    pseudonym: String,
    via_11: String,
    via_10: String,
}

impl Forwarding {
    /// `instance` tells this instance from others in a chain of proxies.
    pub fn new(instance: &str) -> Self {
        let name: String = instance
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(32)
            .collect();
        let pseudonym = format!("mainstay-{name}");
        Self {
            via_11: format!("1.1 {pseudonym}"),
            via_10: format!("1.0 {pseudonym}"),
            pseudonym,
        }
    }

    /// Whether a request has passed this instance before.
    pub(crate) fn has_been_here(&self, headers: &HeaderMap) -> bool {
        all_values(headers, "via")
            .flat_map(|line| line.split(','))
            .any(|element| element.split_ascii_whitespace().nth(1) == Some(self.pseudonym.as_str()))
    }

    /// Removes what must not pass, and whatever [`Forwarding::fields`] says instead.
    pub(crate) fn prepare(exchange: &mut Exchange, headers: &mut HeaderMap) {
        let upgrade = strip_hop_by_hop(headers).filter(|_| begins_websocket(exchange, headers));
        let options = match (&upgrade, headers.contains_key(TE)) {
            (None, false) => None,
            (None, true) => Some("te"),
            (Some(_), false) => Some("upgrade"),
            (Some(_), true) => Some("upgrade, te"),
        };
        if let Some(upgrade) = upgrade {
            headers.insert(UPGRADE, upgrade);
        }
        if let Some(options) = options {
            headers.insert(CONNECTION, HeaderValue::from_static(options));
        }
        if exchange.peer_is_trusted {
            exchange.heard.forwarded = headers.remove(FORWARDED).is_some();
            exchange.heard.start = headers.contains_key(X_REQUEST_START);
            for name in [
                X_FORWARDED_FOR,
                X_REAL_IP,
                X_FORWARDED_PROTO,
                X_FORWARDED_HOST,
                X_FORWARDED_PORT,
                X_REQUEST_ID,
            ] {
                headers.remove(name);
            }
            // they vouch for the usual spelling; another one came through them
            strip(headers, |name| {
                name == DEBUG_FIELD || name.contains('_') && speaks_of_client(name)
            });
        } else {
            strip(headers, |name| {
                name == DEBUG_FIELD || speaks_of_client(name)
            });
        }
        // last, so that no client can have them taken out by naming them in `Connection`
        for (name, value) in exchange.vouched.drain(..) {
            headers.append(name, value);
        }
    }

    /// What the origin is told beside the client's own fields, one field after the other. They are told
    /// rather than put into a map: most origins only write them down.
    pub(crate) fn fields(&self, exchange: &Exchange, mut tell: impl FnMut(&'static str, &[u8])) {
        let other;
        let client = if exchange.client == exchange.peer.address {
            exchange.peer.address_text()
        } else {
            other = exchange.client.to_string();
            &other
        };
        tell("x-forwarded-for", client.as_bytes());
        tell("x-real-ip", client.as_bytes());
        tell("x-forwarded-proto", exchange.scheme.as_str().as_bytes());
        if !exchange.host.is_empty() {
            tell("x-forwarded-host", exchange.host.as_bytes());
        }
        let mut port = itoa::Buffer::new();
        tell("x-forwarded-port", port.format(exchange.port()).as_bytes());
        tell("x-request-id", exchange.request_id.as_bytes());
        if !exchange.heard.start {
            tell("x-request-start", &request_start(exchange.began()));
        }
        if exchange.heard.forwarded {
            tell("forwarded", forwarded(exchange).as_bytes());
        }
        let via = if exchange.version == Version::HTTP_10 {
            &self.via_10
        } else {
            &self.via_11
        };
        tell("via", via.as_bytes());
    }
}

/// Whether a request that asks for a WebSocket may have one (RFC 6455, 4.1). Anything else keeps its body,
/// and must not be taken for a tunnel by anybody.
fn begins_websocket(exchange: &Exchange, headers: &HeaderMap) -> bool {
    exchange.method == Method::GET
        && exchange.version == Version::HTTP_11
        && headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_some_and(|version| version == "13")
}

/// Removes the fields that concern one connection only, and those that `Connection` names.
/// Returns the `Upgrade` that was there if it was nominated and asks for a WebSocket.
///
/// Nearly every head holds one or two of them, so only those that are there are looked up.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    static NAMES: LazyLock<NameSet> = LazyLock::new(|| NameSet::new(HOP_BY_HOP));
    let mut present = headers.keys().filter(|name| NAMES.contains(name));
    let first = present.next().cloned()?;
    let others: Vec<HeaderName> = present.cloned().collect();
    let is_present = |name: &HeaderName| first == *name || others.contains(name);

    let nominated = if is_present(&CONNECTION) {
        nominated(headers)
    } else {
        Vec::new()
    };
    let upgrade = nominated
        .contains(&UPGRADE)
        .then(|| headers.get(UPGRADE))
        .flatten()
        .filter(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        .cloned();
    let wants_trailers = is_present(&TE) && wants_trailers(headers);
    for name in others.iter().chain([&first]) {
        headers.remove(name);
    }
    for name in nominated.iter().filter(|name| may_be_nominated(name)) {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

/// The fields that `Connection` names. Its two everyday words name none that matter.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    all_values(headers, "connection")
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|word| {
            !word.eq_ignore_ascii_case("keep-alive") && !word.eq_ignore_ascii_case("close")
        })
        .filter_map(|word| HeaderName::from_bytes(word.as_bytes()).ok())
        .collect()
}

fn wants_trailers(headers: &HeaderMap) -> bool {
    all_values(headers, "te").any(|line| {
        line.split(',').any(|coding| {
            coding
                .split(';')
                .next()
                .is_some_and(|name| name.trim().eq_ignore_ascii_case("trailers"))
        })
    })
}

/// Whether a field concerns one connection only.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Fields of one connection (RFC 9110, 7.6.1). `Trailer` is not among them: trailers are passed on.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HTTP2_SETTINGS,
];

/// A client must not be able to take away what decides about it: only fields that nobody relies on end
/// to end can be removed by naming them in `Connection`.
fn may_be_nominated(name: &HeaderName) -> bool {
    const NEVER: [&str; 14] = [
        "accept",
        "authorization",
        "cache-control",
        "cookie",
        "host",
        "if-match",
        "if-none-match",
        "origin",
        "range",
        "referer",
        "set-cookie",
        "user-agent",
        "vary",
        "via",
    ];
    let name_text = name.as_str();
    !NEVER.contains(&name_text)
        && !name_text.starts_with("content-")
        && !name_text.starts_with("sec-")
        && *name != EXPECT
        && *name != TRAILER
}

/// Removes fields that speak about the client and were not written by somebody trusted, in every
/// spelling: some servers read `X_Forwarded_For` and `X-Forwarded-For` as the same variable.
fn strip(headers: &mut HeaderMap, is_meant: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_meant(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// Removes from a request's trailers what its head may not say either: some servers put them among the head's fields. No
/// proxy writes about clients there, a trusted one neither. What frames and routes messages the codec has dropped before.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap, protected: &ProtectedFields) {
    let is_meant = |name: &HeaderName| {
        *name == DEBUG_FIELD
            || is_hop_by_hop(name)
            || speaks_of_client(name.as_str())
            || protected.contains(name)
    };
    while let Some(name) = trailers.keys().find(|name| is_meant(name)).cloned() {
        trailers.remove(name);
    }
}

/// Whether origins get a field from us, in the place of any that clients send.
pub fn is_told_by_us(name: &HeaderName) -> bool {
    speaks_of_client(name.as_str()) || *name == http::header::VIA
}

/// Whether a field name, `_` read as `-`, is one by which proxies speak about clients.
pub(crate) fn speaks_of_client(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "cf-pseudo-ipv4",
        "fastly-client-ip",
        "forwarded",
        "forwarded-for",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-forwarded",
        "x-original-forwarded-for",
        "x-original-host",
        "x-real-ip",
        "x-request-id",
        "x-request-start",
    ];
    if !matches!(name.as_bytes().first(), Some(b'x' | b'f' | b'c' | b't')) {
        return false;
    }
    let same = |one: &[u8], other: &[u8]| {
        one.iter()
            .zip(other)
            .all(|(one, other)| one == other || (*one == b'_' && *other == b'-'))
    };
    let (name, prefix) = (name.as_bytes(), b"x-forwarded-");
    (name.len() >= prefix.len() && same(&name[..prefix.len()], prefix))
        || NAMES
            .iter()
            .any(|known| known.len() == name.len() && same(name, known.as_bytes()))
}

/// `t=` and epoch seconds with milliseconds: the form that queue-time meters read.
fn request_start(began: SystemTime) -> [u8; 16] {
    let since = began
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut text = *b"t=0000000000.000";
    let mut rest = since.as_secs() * 1_000 + u64::from(since.subsec_millis());
    for place in (2..12).chain(13..16).rev() {
        text[place] = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    text
}

/// The same in the words of RFC 7239.
fn forwarded(exchange: &Exchange) -> String {
    let client = match exchange.client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let host = exchange.host.to_str().unwrap_or("");
    let scheme = exchange.scheme.as_str();
    format!("for={client};host=\"{host}\";proto={scheme}")
}

#[cfg(test)]
mod tests;
