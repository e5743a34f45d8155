//! All that is known of one request while it is served. Decides nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, HOST, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::debug::Account;
use crate::stages::cache;
use crate::stages::overload::Permits;
use crate::stages::{Owed, Quota, Wish};
use crate::varies::Varies;
use crate::{
    CacheOutcome, Forwarding, Identity, Leak, Peer, Refusal, Request, RouteTimeouts, Step, Trail,
};

/// How a client speaks to the outermost trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    /// Who holds the connection.
    pub peer: Arc<Peer>,
    /// Who asks, behind trusted proxies.
    pub client: IpAddr,
    /// Whether that is a trusted proxy's address, since it named nobody behind it.
    pub client_is_proxy: bool,
    /// Whether the peer is a trusted proxy, whose forwarded headers are believed.
    pub peer_is_trusted: bool,
    /// How the client spoke to the outermost trusted proxy.
    pub scheme: Scheme,
    /// The authority the client asked for, port included; empty in an HTTP/1.0 request without `Host`.
    pub host: HeaderValue,
    /// The id in logs, headers and pages.
    pub request_id: HeaderValue,
    /// The method.
    pub method: Method,
    /// The target as sent.
    pub uri: Uri,
    /// Which kinds of answer the client would like.
    pub accept: Option<HeaderValue>,
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
    /// The site whose page asks, in its own word: browsers say it (RFC 6454), others may say anything.
    pub web_origin: Option<HeaderValue>,
    /// Index of the route, once it is found.
    pub route: Option<usize>,
    /// Index of the route's target.
    pub target: usize,
    /// What the route says of waiting for its origin.
    pub timeouts: RouteTimeouts,
    /// Who asks, once that is verified.
    pub identity: Option<Arc<Identity>>,
    /// Which worker or server answered, for the log.
    pub origin: Option<Arc<str>>,
    /// How long the origin took to its response head.
    pub origin_duration: Option<Duration>,
    /// Attempts beyond the first.
    pub resends: u8,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
    /// What a layer on a dry run would have refused first, and its step; [`Exchange::spared`] knows more once the body has passed.
    pub(crate) spared: Option<(Step, Refusal)>,
    /// What the app's answer showed, for which it was replaced.
    pub scrubbed: Option<Leak>,
    /// What the cache did.
    pub(crate) cache: Option<cache::Note>,
    /// The kept answer that it is answered with.
    pub(crate) kept: Option<cache::Kept>,
    /// What is to be fetched anew beside it.
    pub(crate) refresh: Option<Box<cache::Refresh>>,
    /// The steps taken.
    pub trail: Trail,
    /// The version the client speaks.
    pub version: Version,
    /// What of a trusted proxy's words is kept or answered in kind.
    pub(crate) heard: Heard,
    /// What is told to origins, once that has been decided.
    pub(crate) forwarding: Option<Arc<Forwarding>>,
    /// What our own steps have looked at to make the answer.
    pub(crate) varies: Varies,
    /// What the answer may be encoded in.
    pub(crate) wish: Wish,
    /// Fields that tell the app who asks: set after all that a client may have taken out.
    pub(crate) vouched: Vec<(HeaderName, HeaderValue)>,
    /// What a 401 asks for, as values of `WWW-Authenticate`.
    pub(crate) challenges: Vec<HeaderValue>,
    /// A probe of the app's own health path: its 404 becomes our answer.
    pub(crate) is_probe: bool,
    /// Its places among those under way.
    pub(crate) permits: Permits,
    /// Set when a body exceeds a bound on a dry run.
    pub(crate) overrun: Option<Arc<AtomicBool>>,
    /// The budget that is nearest to its end, for the client.
    pub(crate) quota: Option<Quota>,
    /// What is given back of budgets when the answer is known.
    pub(crate) owed: Option<Box<Owed>>,
    /// What is noted for whoever asked how the answer came about, and may know.
    pub(crate) account: Option<Box<Account>>,
    started: Instant,
    /// The wall clock when the head's first byte came.
    began: SystemTime,
}

/// What a trusted proxy said that not every proxy says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// `Forwarded` (RFC 7239): one is sent on.
    pub(crate) forwarded: bool,
    /// When the request came: it stands.
    pub(crate) start: bool,
}

const NO_VALUE: HeaderValue = HeaderValue::from_static("");

impl Exchange {
    /// Begins an exchange whose head's first byte came at `started`.
    #[inline]
    pub fn begin(peer: &Arc<Peer>, request: &Request, started: Instant) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let mut exchange = Self::blank(peer, method, uri, started);
        exchange.version = request.version();
        for (name, value) in request.headers() {
            if *name == HOST {
                exchange.host = value.clone();
            } else if *name == ACCEPT {
                exchange.accept.get_or_insert_with(|| value.clone());
            } else if *name == USER_AGENT {
                exchange.user_agent.get_or_insert_with(|| value.clone());
            } else if *name == ORIGIN {
                exchange.web_origin.get_or_insert_with(|| value.clone());
            }
        }
        exchange
    }

    /// An exchange whose request could not be read.
    pub fn unread(peer: &Arc<Peer>, started: Instant) -> Self {
        Self::blank(peer, Method::GET, Uri::from_static("/"), started)
    }

    /// An exchange for a request that is sent beside this one on its client's behalf, who gets nothing of it.
    pub(crate) fn beside(&self, request: &Request) -> Self {
        let mut peer = Peer::plain(self.peer.address, self.peer.local_port);
        peer.scheme = self.peer.scheme;
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self {
            client: self.client,
            peer_is_trusted: self.peer_is_trusted,
            scheme: self.scheme,
            host: self.host.clone(),
            request_id: self.request_id.clone(),
            route: self.route,
            target: self.target,
            timeouts: self.timeouts,
            identity: self.identity.clone(),
            version: self.version,
            heard: self.heard,
            vouched: self.vouched.clone(),
            ..Self::blank(&Arc::new(peer), method, uri, self.started + self.elapsed())
        }
    }

    /// How the answer came about, where a cache was asked: an outcome's word, and why in another.
    pub fn cache(&self) -> Option<(CacheOutcome, Option<&'static str>)> {
        self.cache.map(|note| (note.outcome, note.detail))
    }

    // where it is put, it is made: moving it costs more
    #[inline]
    fn blank(peer: &Arc<Peer>, method: Method, uri: Uri, started: Instant) -> Self {
        Self {
            peer: Arc::clone(peer),
            client: peer.address,
            client_is_proxy: false,
            peer_is_trusted: false,
            scheme: peer.scheme,
            host: NO_VALUE,
            request_id: NO_VALUE,
            method,
            uri,
            accept: None,
            identity: None,
            user_agent: None,
            web_origin: None,
            route: None,
            target: 0,
            timeouts: RouteTimeouts::default(),
            origin: None,
            origin_duration: None,
            resends: 0,
            refusal: None,
            spared: None,
            scrubbed: None,
            cache: None,
            kept: None,
            refresh: None,
            trail: Trail::default(),
            version: Version::HTTP_11,
            heard: Heard::default(),
            forwarding: None,
            varies: Varies::NOTHING,
            wish: Wish::default(),
            vouched: Vec::new(),
            challenges: Vec::new(),
            is_probe: false,
            permits: Permits::default(),
            quota: None,
            owed: None,
            overrun: None,
            account: None,
            started,
            began: SystemTime::now(),
        }
    }

    /// Tells what an origin may rely on beside the client's own fields: who asks, how, for what, under which
    /// id. Names are in lower case. To be written behind the request's fields, which hold none of these any more.
    pub fn forwarded_fields(&self, tell: impl FnMut(&'static str, &[u8])) {
        if let Some(forwarding) = &self.forwarding {
            forwarding.fields(self, tell);
        }
    }

    /// Notes that a step was reached.
    pub fn pass(&mut self, step: Step) {
        self.trail.note(step);
    }

    /// Notes what a step made of the response's fields, where somebody asked.
    pub(crate) fn note(&mut self, step: Step, headers: &HeaderMap) {
        if let Some(account) = &mut self.account {
            account.note(step, headers);
        }
    }

    /// What a layer on a dry run would have refused first, as far as that is known by now, and its step.
    pub fn spared(&self) -> Option<(Step, Refusal)> {
        let overran = || {
            self.overrun
                .as_ref()
                .is_some_and(|overrun| overrun.load(Relaxed))
        };
        self.spared
            .or_else(|| overran().then_some((Step::LimitSize, Refusal::BodyTooLarge)))
    }

    /// The step that refused, if one did: how far the request came tells it. None: it was refused before the first step.
    pub(crate) fn refused_by(&self, refusal: Refusal) -> Option<Step> {
        match refusal {
            // met where the body is read, decided by what bounds it
            Refusal::BodyTooLarge | Refusal::BodyTimeout => Some(Step::LimitSize),
            _ => self
                .trail
                .steps()
                .take_while(|step| *step < Step::Pages)
                .last(),
        }
    }

    /// Since the head's first byte.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the head's first byte came.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When the head's first byte came, by the wall clock.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// The host without its port, and without the brackets' meaning lost: `[::1]` stays so.
    pub fn host_name(&self) -> &str {
        str::from_utf8(self.split_host().0).unwrap_or("")
    }

    /// The port the client asked for: in the host, else the scheme's.
    pub fn port(&self) -> u16 {
        str::from_utf8(self.split_host().1)
            .ok()
            .and_then(|port| port.parse().ok())
            .unwrap_or(self.scheme.default_port())
    }

    /// Name and port as they are written; no port where none is.
    fn split_host(&self) -> (&[u8], &[u8]) {
        let host = self.host.as_bytes();
        match memchr::memrchr2(b':', b']', host) {
            Some(colon) if host[colon] == b':' => (&host[..colon], &host[colon + 1..]),
            _ => (host, b""),
        }
    }

    /// Whether a page is wanted rather than JSON.
    pub(crate) fn wants_html(&self) -> bool {
        let Some(accept) = self.accept.as_ref().map(HeaderValue::as_bytes) else {
            return false;
        };
        let html = memchr::memmem::find(accept, b"text/html");
        let json = memchr::memmem::find(accept, b"application/json");
        match (html, json) {
            (Some(html), Some(json)) => html < json,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// All values of a header, line by line; lines that are not text are passed over.
pub(crate) fn all_values<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_apart() {
        for (host, name, port) in [
            ("example.com", "example.com", 80),
            ("example.com:8080", "example.com", 8080),
            ("[::1]", "[::1]", 80),
            ("[::1]:3000", "[::1]", 3000),
            ("", "", 80),
        ] {
            let request = http::Request::builder()
                .header(HOST, host)
                .body(crate::Body::Empty)
                .expect("a request");
            let exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
            assert_eq!(
                (exchange.host_name(), exchange.port()),
                (name, port),
                "{host}"
            );
        }
    }
}
