//! What tells answers apart: the resource's key, and of a resource the request fields that select one of its answers. Knows no store.

use std::hash::Hasher;

use http::header::{ACCEPT_ENCODING, COOKIE, VARY};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::options::{CacheOptions, QueryOrder, QueryRule, UnsafeSharing, any_is};
use super::terms::Unkept;
use super::together::{SharedName, shortened};
use crate::Exchange;
use crate::exchange::Scheme;
use crate::forwarding::is_told_by_us;

/// Names in one answer's `Vary`; with more it is not kept.
const MOST_NAMES: usize = 16;
/// Parameters of one query that are sorted and chosen from; a longer one stays as it is.
const MOST_PARAMETERS: usize = 256;

/// What keys and selections are hashed with: nobody outside can find two that are alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secret(u64, u64);

impl Secret {
    pub(super) fn random() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        let number = || RandomState::new().build_hasher().finish();
        Self(number(), number())
    }

    fn hasher(self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// A resource: target, scheme, host, port, path and query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

impl Key {
    /// `target` is whoever answers: two that listen on different ports may be asked for the same host, since any client may say
    /// any host.
    pub(super) fn of(secret: Secret, target: &str, place: Place<'_>, path: &str) -> Self {
        let mut hasher = secret.hasher();
        hasher.write(target.as_bytes());
        // names hold no such byte
        hasher.write_u8(0xff);
        hasher.write_u8(place.scheme as u8);
        hasher.write_u16(place.port);
        for byte in place.host.bytes() {
            hasher.write_u8(byte.to_ascii_lowercase());
        }
        hasher.write_u8(0xff);
        hasher.write(path.as_bytes());
        Self(hasher.finish128().as_u128())
    }

    pub(super) const fn low(self) -> u64 {
        self.0 as u64
    }

    /// Other bits than the low ones.
    pub(super) const fn tag(self) -> u32 {
        (self.0 >> 96) as u32
    }

    #[cfg(test)]
    pub(super) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

/// Where a client thinks a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) scheme: Scheme,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

impl<'a> Place<'a> {
    pub(super) fn of(exchange: &'a Exchange) -> Self {
        Self {
            scheme: exchange.scheme,
            host: exchange.host_name(),
            port: exchange.port(),
        }
    }

    /// The resource as a URL, for people and purges.
    pub(super) fn url(self, path: &str) -> String {
        let Self { scheme, host, port } = self;
        let (scheme, host, default) = (
            scheme.as_str(),
            host.to_ascii_lowercase(),
            scheme.default_port(),
        );
        if port == default {
            format!("{scheme}://{host}{path}")
        } else {
            format!("{scheme}://{host}:{port}{path}")
        }
    }

    /// The path of another resource of the same place, named in an answer. None: it is elsewhere, or cannot be told.
    pub(super) fn path_here(self, reference: &HeaderValue) -> Option<String> {
        let text = reference.to_str().ok()?;
        let uri: Uri = text.split('#').next()?.parse().ok()?;
        let path = uri.path_and_query()?;
        match (uri.scheme_str(), uri.authority()) {
            (None, None) => {}
            (Some(scheme), Some(authority)) => {
                let port = authority.port_u16().unwrap_or(self.scheme.default_port());
                let is_here = scheme.eq_ignore_ascii_case(self.scheme.as_str())
                    && authority.host().eq_ignore_ascii_case(self.host)
                    && port == self.port;
                if !is_here {
                    return None;
                }
            }
            _ => return None,
        }
        path.as_str()
            .starts_with('/')
            .then(|| path.as_str().to_owned())
    }
}

/// Path and query with what tells answers apart, and nothing else. None: as they are.
pub(super) fn chosen_query(options: &CacheOptions, path: &PathAndQuery) -> Option<PathAndQuery> {
    if options.query == QueryRule::All && options.query_order == QueryOrder::Kept {
        return None;
    }
    let query = path.query()?;
    let mut parameters: Vec<&str> = query.split('&').take(MOST_PARAMETERS + 1).collect();
    if parameters.len() > MOST_PARAMETERS {
        return None;
    }
    let name = |parameter: &str| parameter.split('=').next().unwrap_or("").to_owned();
    parameters.retain(|parameter| match &options.query {
        QueryRule::All => true,
        QueryRule::Only(names) => any_is(names, name(parameter).as_bytes()),
        QueryRule::Without(names) => !any_is(names, name(parameter).as_bytes()),
    });
    if options.query_order == QueryOrder::Sorted {
        // equal names keep their order, which may mean something
        parameters.sort_by_key(|parameter| name(parameter));
    }
    let query = parameters.join("&");
    let text = if query.is_empty() {
        path.path().to_owned()
    } else {
        format!("{}?{query}", path.path())
    };
    text.parse().ok()
}

/// Which requests an answer is for, of those for its resource (RFC 9111, 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// The fields that count beside those of the settings.
    names: Box<[HeaderName]>,
    /// Their values.
    digest: u128,
}

impl Selection {
    /// What selects the answer to a request, where the answer says that it depends on these fields.
    pub(super) fn of(
        secret: Secret,
        options: &CacheOptions,
        names: Box<[HeaderName]>,
        request: &HeaderMap,
    ) -> Self {
        let digest = digest(secret, options, &names, request);
        Self { names, digest }
    }

    /// Whether an answer to this request would be selected by the same.
    pub(super) fn fits(&self, secret: Secret, options: &CacheOptions, request: &HeaderMap) -> bool {
        self.digest == digest(secret, options, &self.names, request)
    }

    /// The same fields with this request's values.
    pub(super) fn with(&self, secret: Secret, options: &CacheOptions, request: &HeaderMap) -> u128 {
        digest(secret, options, &self.names, request)
    }

    pub(super) fn names(&self) -> &[HeaderName] {
        &self.names
    }
}

/// What the settings alone select by.
pub(super) fn digest(
    secret: Secret,
    options: &CacheOptions,
    names: &[HeaderName],
    request: &HeaderMap,
) -> u128 {
    let (headers, cookies) = (&options.key_headers, &options.key_cookies);
    if names.is_empty() && headers.is_empty() && cookies.is_empty() {
        return 0;
    }
    let mut hasher = secret.hasher();
    write_selection(&mut hasher, options, names, request);
    hasher.finish128().as_u128()
}

/// The same for several machines: without a secret, so by a hash of which nobody finds two alike.
pub(super) fn shared_digest(
    options: &CacheOptions,
    names: &[HeaderName],
    request: &HeaderMap,
) -> SharedName {
    let mut hasher = ShaHasher(Sha256::new());
    write_selection(&mut hasher, options, names, request);
    shortened(hasher.0)
}

struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks a number of this one.
    fn finish(&self) -> u64 {
        0
    }
}

fn write_selection(
    hasher: &mut impl Hasher,
    options: &CacheOptions,
    names: &[HeaderName],
    request: &HeaderMap,
) {
    for name in names {
        write_field(hasher, name.as_str(), request);
    }
    for name in &options.key_headers {
        write_field(hasher, name, request);
    }
    for wanted in &options.key_cookies {
        hasher.write_u8(0xfe);
        for (name, value) in cookies(request) {
            if name == wanted.as_bytes() {
                write_value(hasher, value);
            }
        }
    }
}

/// With its length: a value may hold any byte that could end it.
fn write_value(hasher: &mut impl Hasher, value: &[u8]) {
    hasher.write_u8(0xff);
    hasher.write(&(value.len() as u64).to_le_bytes());
    hasher.write(value);
}

/// Members of all lines; blanks around commas mean nothing. A field that is not there differs from one that is empty.
fn write_field(hasher: &mut impl Hasher, name: &str, request: &HeaderMap) {
    hasher.write_u8(0xfe);
    hasher.write(name.as_bytes());
    for line in request.get_all(name) {
        // asking for plain content is asking for nothing
        if name == ACCEPT_ENCODING.as_str() && line == "identity" {
            continue;
        }
        for member in line.as_bytes().split(|byte| *byte == b',') {
            write_value(hasher, member.trim_ascii());
        }
    }
}

/// The fields that an answer depends on.
pub(super) fn varies_on(
    answer: &HeaderMap,
    request: &HeaderMap,
) -> Result<Box<[HeaderName]>, Unkept> {
    let mut names = Vec::new();
    let lines = answer.get_all(VARY).iter();
    for name in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        let name = name.trim_ascii();
        if name.is_empty() {
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Unkept::VaryAny)?;
        if is_told_by_us(&name) {
            // part of the key, or another one for every client
            if matches!(
                name.as_str(),
                "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port"
            ) {
                continue;
            }
            return Err(Unkept::VaryOnClient);
        }
        if !names.contains(&name) && name != http::header::HOST {
            names.push(name);
        }
        if names.len() > MOST_NAMES {
            return Err(Unkept::VaryAny);
        }
    }
    // an app that allows the site that asks, and does not say that its answer depends on it
    let allows_one = answer
        .get(http::header::ACCESS_CONTROL_ALLOW_ORIGIN)
        .is_some_and(|allowed| allowed != "*");
    if allows_one
        && request.contains_key(http::header::ORIGIN)
        && !names.contains(&http::header::ORIGIN)
    {
        names.push(http::header::ORIGIN);
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    Ok(names.into())
}

/// Names and values of a request's cookies.
fn cookies(request: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = request.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let name_end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let value = pair.get(name_end + 1..).unwrap_or_default();
        (!pair.is_empty()).then(|| (pair[..name_end].trim_ascii_end(), value))
    })
}

/// Whether a request has cookies that may tell who sent it.
pub(super) fn has_cookies(options: &CacheOptions, request: &HeaderMap) -> bool {
    if options.shares(UnsafeSharing::Cookie) {
        return false;
    }
    cookies(request).any(|(name, _)| {
        !any_is(&options.ignore_cookies, name)
            && !options
                .key_cookies
                .iter()
                .any(|known| known.as_bytes() == name)
    })
}

/// Takes the cookies out of a request that mean nothing to its origin: what does not tell answers apart must not make them.
pub(super) fn drop_ignored_cookies(options: &CacheOptions, request: &mut HeaderMap) {
    if options.ignore_cookies.is_empty() || !request.contains_key(COOKIE) {
        return;
    }
    let mut kept = Vec::new();
    for (name, value) in cookies(request) {
        if !any_is(&options.ignore_cookies, name) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(name);
            kept.push(b'=');
            kept.extend_from_slice(value);
        }
    }
    request.remove(COOKIE);
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(&kept)
    {
        request.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests;
