//! Whose budget a request takes from: a hash to count by, and the same as text for lists and headers.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest as _, Sha256};

use super::options::KeyPart;
use crate::{Exchange, Identity, IdentityKind};

/// Between the parts of a key written as text.
const JOINT: char = '|';
/// No more of a value counts than this: whoever sends longer ones shares a budget with those that begin alike.
const LONGEST: usize = 256;

/// One part of a key as a request has it.
enum Part<'a> {
    /// A network of one client.
    Client(IpAddr),
    Text(Cow<'a, [u8]>),
}

/// What tells budgets apart, ready to be asked.
#[derive(Debug)]
pub(super) struct Key {
    parts: Vec<KeyPart>,
    ipv6_prefix: u8,
    /// The routes' names by index.
    routes: Arc<[String]>,
}

impl Key {
    pub(super) fn new(parts: Vec<KeyPart>, ipv6_prefix: u8, routes: Arc<[String]>) -> Self {
        Self {
            parts,
            ipv6_prefix,
            routes,
        }
    }

    /// Writes what a request's key is made of. Each part says its kind and its length, so that no two keys write
    /// the same.
    pub(super) fn write(&self, exchange: &Exchange, headers: &HeaderMap, hasher: &mut impl Hasher) {
        for part in &self.parts {
            write(hasher, &self.part(part, exchange, headers));
        }
    }

    /// The same as text: `203.0.113.9`, `2001:db8:1::/56`, `203.0.113.9|42`.
    pub(super) fn text(&self, exchange: &Exchange, headers: &HeaderMap) -> String {
        let mut text = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                text.push(JOINT);
            }
            match self.part(part, exchange, headers) {
                Part::Client(IpAddr::V6(ip)) => {
                    let _ = write!(text, "{ip}/{}", self.ipv6_prefix);
                }
                Part::Client(ip) => {
                    let _ = write!(text, "{ip}");
                }
                Part::Text(value) => text.push_str(&String::from_utf8_lossy(&value)),
            }
        }
        text
    }

    /// Writes the key that somebody wrote as text, in the form of [`Key::text`]. Whether it can be one.
    pub(super) fn write_typed(&self, text: &str, hasher: &mut impl Hasher) -> bool {
        let mut typed = text.splitn(self.parts.len().max(1), JOINT);
        for part in &self.parts {
            let Some(typed) = typed.next() else {
                return false;
            };
            let address = || typed.split('/').next().and_then(|ip| ip.parse().ok());
            let part = match part {
                KeyPart::Client => address().map(|ip| self.client(ip)),
                _ => Some(Part::Text(typed.as_bytes().into())),
            };
            match part {
                Some(part) => write(hasher, &part),
                None => return false,
            }
        }
        true
    }

    fn part<'a>(
        &'a self,
        part: &KeyPart,
        exchange: &'a Exchange,
        headers: &'a HeaderMap,
    ) -> Part<'a> {
        let identity = exchange.identity.as_deref();
        let found: Option<Cow<'a, [u8]>> = match part {
            KeyPart::Client => None,
            KeyPart::Route => {
                let name = exchange.route.and_then(|index| self.routes.get(index));
                name.map(|name| name.as_bytes().into())
            }
            KeyPart::Header(name) => headers.get(name).map(|value| value.as_bytes().into()),
            KeyPart::Cookie(name) => cookie(headers, name).map(Cow::Borrowed),
            KeyPart::ApiKey => named(identity, |kind| kind == IdentityKind::Key),
            KeyPart::User => named(identity, |kind| kind != IdentityKind::Key),
            KeyPart::Claim(name) => {
                let claim = identity.and_then(|identity| identity.claim(name));
                claim.map(|claim| match claim {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                })
            }
        };
        found.map_or_else(|| self.client(exchange.client), Part::Text)
    }

    /// IPv6 addresses are given out by networks: one client has all of one.
    fn client<'a>(&self, ip: IpAddr) -> Part<'a> {
        Part::Client(match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let length = u32::from(self.ipv6_prefix.clamp(1, 128));
                IpAddr::V6(Ipv6Addr::from_bits(
                    ip.to_bits() & u128::MAX << (128 - length),
                ))
            }
            ip @ IpAddr::V4(_) => ip,
        })
    }
}

/// The name of an identity of this kind.
fn named(
    identity: Option<&Identity>,
    is_meant: impl FnOnce(IdentityKind) -> bool,
) -> Option<Cow<'_, [u8]>> {
    identity
        .filter(|identity| is_meant(identity.kind))
        .map(|identity| identity.name.as_bytes().into())
}

fn write(hasher: &mut impl Hasher, part: &Part<'_>) {
    match part {
        Part::Client(IpAddr::V4(ip)) => {
            hasher.write_u8(4);
            hasher.write_u32(ip.to_bits());
        }
        Part::Client(IpAddr::V6(ip)) => {
            hasher.write_u8(6);
            hasher.write_u128(ip.to_bits());
        }
        Part::Text(value) => {
            let value = &value[..value.len().min(LONGEST)];
            hasher.write_u8(1);
            hasher.write_usize(value.len());
            hasher.write(value);
        }
    }
}

/// A cookie's value (RFC 6265, 5.4), the first of that name.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| {
            let pair = pair.trim_ascii_start();
            pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
        })
        .map(<[u8]>::trim_ascii)
}

/// Partition keys that were made lately: a client's is the same with each of its requests, and making it costs more than
/// counting them.
pub(super) struct Partitions(Mutex<Vec<Partition>>);

/// A key of the table, and its partition key.
type Partition = (u64, [u8; 16]);

impl Partitions {
    /// How many are remembered.
    const PLACES: usize = 256;

    /// That of a key of the table, which `text` is the text of.
    pub(super) fn of(&self, key: u64, text: impl FnOnce() -> String) -> [u8; 16] {
        // one thread asks, so this waits for nobody
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, partition) = &mut places[key as usize % Self::PLACES];
        if *known != key {
            (*known, *partition) = (key, self::partition(&text()));
        }
        *partition
    }
}

impl Default for Partitions {
    fn default() -> Self {
        // no key is 0
        Self(Mutex::new(vec![(0, [0; 16]); Self::PLACES]))
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions").finish_non_exhaustive()
    }
}

/// What draft 08 calls a partition key, as express-rate-limit makes it: of the key's SHA-256 the first twelve
/// hexadecimal digits, in base64.
pub(super) fn partition(text: &str) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(text.as_bytes());
    let mut digits = [0; 12];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.iter()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    let mut out = [0; 16];
    for (four, three) in out.chunks_exact_mut(4).zip(digits.chunks_exact(3)) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for (place, letter) in four.iter_mut().enumerate() {
            *letter = BASE64[(bits >> (18 - 6 * place) & 63) as usize];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;
    use std::time::Instant;

    use super::*;
    use crate::{Body, Peer};

    fn keyed(parts: &[&str], client: &str, fields: &[(&str, &str)]) -> (u64, String) {
        let mut request = http::Request::builder();
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::Empty).expect("a request");
        let peer = Arc::new(Peer::plain(client.parse().expect("an address"), None));
        let exchange = Exchange::begin(&peer, &request, Instant::now());
        let parts = parts.iter().map(|part| part.parse().expect("a part"));
        let key = Key::new(parts.collect(), 56, Arc::default());
        let mut hasher = DefaultHasher::new();
        key.write(&exchange, request.headers(), &mut hasher);
        (hasher.finish(), key.text(&exchange, request.headers()))
    }

    #[test]
    fn what_is_typed_is_the_same_key() {
        for (parts, typed) in [
            (&["ip"][..], "203.0.113.9"),
            (&["ip"], "2001:db8:1:2ff::1"),
            (&["ip"], "2001:db8:1:200::/56"),
            (&["header:a"], "x"),
            (&["ip", "header:a"], "203.0.113.9|x|y"),
        ] {
            let client = typed
                .split(['|', '/'])
                .next()
                .filter(|text| text.contains(['.', ':']));
            let value = typed.split_once('|').map_or(typed, |(_, value)| value);
            let (hash, _) = keyed(parts, client.unwrap_or("192.0.2.1"), &[("a", value)]);
            let parts = parts.iter().map(|part| part.parse().expect("a part"));
            let key = Key::new(parts.collect(), 56, Arc::default());
            let mut hasher = DefaultHasher::new();
            assert!(key.write_typed(typed, &mut hasher));
            assert_eq!(hasher.finish(), hash, "{typed}");
        }
        let key = Key::new(vec![KeyPart::Client], 56, Arc::default());
        assert!(!key.write_typed("nobody", &mut DefaultHasher::new()));
    }

    #[test]
    fn clients_are_told_apart_by_network() {
        let of = |client| keyed(&["ip"], client, &[]);
        assert_eq!(of("203.0.113.9").1, "203.0.113.9");
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
        assert_eq!(of("2001:db8:1:2ff::1").1, "2001:db8:1:200::/56");
        assert_eq!(of("2001:db8:1:2ff::1"), of("2001:db8:1:201::2"));
        assert_ne!(of("2001:db8:1:2ff::1").0, of("2001:db8:1:300::1").0);
        assert_ne!(of("203.0.113.9").0, of("203.0.113.10").0);
    }

    #[test]
    fn what_is_not_there_is_the_clients() {
        let key = ["header:x-api-key"];
        let with = |value| keyed(&key, "192.0.2.1", &[("x-api-key", value)]);
        assert_eq!(with("abc").1, "abc");
        assert_ne!(with("abc").0, with("abd").0);
        assert_eq!(keyed(&key, "192.0.2.1", &[]).1, "192.0.2.1");
        // an address in the header is no address
        assert_ne!(with("192.0.2.2").0, keyed(&key, "192.0.2.2", &[]).0);
        let cookie = |line| keyed(&["cookie:sid"], "192.0.2.1", &[("cookie", line)]).1;
        assert_eq!(cookie("a=1; sid=xyz; b=2"), "xyz");
        assert_eq!(cookie("asid=1"), "192.0.2.1");
    }

    #[test]
    fn parts_do_not_run_together() {
        let of = |a, b| {
            keyed(
                &["header:a", "header:b"],
                "192.0.2.1",
                &[("a", a), ("b", b)],
            )
        };
        assert_ne!(of("xy", "z").0, of("x", "yz").0);
        assert_eq!(of("x", "y").1, "x|y");
    }

    #[test]
    fn partitions_are_express_rate_limits() {
        // sha256("127.0.0.1") begins with 12ca17b49af2
        assert_eq!(&partition("127.0.0.1"), b"MTJjYTE3YjQ5YWYy");
        let made = Partitions::default();
        let next = 1 + Partitions::PLACES as u64;
        for (key, text) in [(1, "127.0.0.1"), (next, "127.0.0.2"), (1, "127.0.0.1")] {
            assert_eq!(made.of(key, || text.to_owned()), partition(text));
            assert_eq!(made.of(key, || unreachable!()), partition(text));
        }
    }
}
