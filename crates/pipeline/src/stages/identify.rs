//! Who asks, for what, under which id.
//!
//! - **Does**: believes `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-Id` only of trusted proxies,
//!   in the grammar of Express's `trust proxy`; gives every request an id.
//! - **Refuses**: 400 for a path that has no normal form, and for a forwarded host or scheme that cannot be one; 508 for a request that has
//!   passed this instance before (RFC 9110, 7.6.3).
//! - **Deployment caveat**: behind a balancer that is not listed in `trusted_proxies`, every client looks
//!   like the balancer. The first such request is named once, with the line that would trust it.

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use mainstay_values::{Client, TrustedProxies, Walk, word_of_proxies};

use crate::debug::{DEBUG_FIELD, DebugToken};
use crate::exchange::all_values;
use crate::request_id::{self, RequestIds};
use crate::{
    Exchange, Forwarding, KeyPart, NormalPath, Notices, RatePolicy, Refusal, Request, Scheme, Step,
};

#[derive(Debug)]
pub(crate) struct Identify {
    trusted: TrustedProxies,
    ids: RequestIds,
    notices: Arc<Notices>,
    debug: Option<DebugToken>,
    /// What it costs when all clients look alike.
    confusion: &'static str,
}

impl Identify {
    pub(crate) fn new(
        trusted: TrustedProxies,
        notices: Arc<Notices>,
        debug: Option<DebugToken>,
        rate_limits: &[RatePolicy],
    ) -> Self {
        let by_client = |policy: &RatePolicy| policy.key.contains(&KeyPart::Client);
        Self {
            confusion: if rate_limits.iter().any(by_client) {
                " and share ONE budget of every rate limit: some use it up for all"
            } else {
                ""
            },
            trusted,
            ids: RequestIds::new(),
            notices,
            debug,
        }
    }

    /// Whether it is a trusted proxy.
    pub(crate) fn trusts(&self, peer: &crate::Peer) -> bool {
        self.trusted.trusts(peer.address, 0)
    }

    pub(crate) fn identify(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        forwarding: &Forwarding,
    ) -> Result<(), Refusal> {
        exchange.pass(Step::Identify);
        let headers = request.headers();
        let claims = Claims::of(headers);
        if let (Some(said), Some(token)) = (claims.debug, &self.debug)
            && token.is(said)
        {
            exchange.account = Some(Box::default());
        }
        exchange.peer_is_trusted = self.trusts(&exchange.peer);
        if exchange.peer_is_trusted {
            let client = self.client(exchange.peer.address, headers);
            exchange.client = client.address;
            exchange.client_is_proxy = client.ended != Walk::Untrusted;
            believe_scheme(exchange, headers)?;
            believe_host(exchange, headers)?;
        } else if claims.forwards {
            self.notice_untrusted(exchange.peer.address);
        }
        exchange.request_id = match claims.request_id {
            Some(id) if exchange.peer_is_trusted && request_id::is_acceptable(id) => id.clone(),
            _ => self.ids.next(),
        };
        if !NormalPath::is_sound(exchange.uri.path()) {
            return Err(Refusal::BadPath);
        }
        if claims.passed_proxies && forwarding.has_been_here(headers) {
            return Err(Refusal::Loop);
        }
        Ok(())
    }

    /// An id for an exchange whose request could not be read.
    pub(crate) fn name(&self, exchange: &mut Exchange) {
        exchange.request_id = self.ids.next();
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let mut nearest_first = all_values(headers, "x-forwarded-for")
            .rev()
            .flat_map(|line| line.rsplit(','));
        self.trusted.client(peer, &mut nearest_first)
    }

    /// A balancer's address is private or a CDN's; anybody else who sends these headers is making them up.
    fn notice_untrusted(&self, peer: IpAddr) {
        if let Some(word) = word_of_proxies(peer) {
            self.notices.say(&peer.to_string(), || {
                format!(
                    "{peer} sends X-Forwarded-For and is not trusted, so its clients all look like {peer}{}; \
                     if it is your proxy, add: trusted_proxies = [\"{}\"]",
                    self.confusion,
                    if word == "uniquelocal" { peer.to_string() } else { word.to_owned() }
                )
            });
        }
    }
}

/// What a request says of its way here. Found in one pass: to look three names up would cost more.
#[derive(Default)]
struct Claims<'a> {
    /// There is an `X-Forwarded-For`.
    forwards: bool,
    /// There is a `Via`.
    passed_proxies: bool,
    request_id: Option<&'a HeaderValue>,
    /// What should be the token of whoever may know how the answer comes about.
    debug: Option<&'a HeaderValue>,
}

impl<'a> Claims<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut claims = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "via" => claims.passed_proxies = true,
                "x-forwarded-for" => claims.forwards = true,
                DEBUG_FIELD => claims.debug = claims.debug.or(Some(value)),
                "x-request-id" => claims.request_id = claims.request_id.or(Some(value)),
                _ => {}
            }
        }
        claims
    }
}

/// The first value: what the outermost trusted proxy saw.
fn first<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    all_values(headers, name)
        .next()
        .and_then(|line| line.split(',').next())
        .map(str::trim)
}

fn believe_scheme(exchange: &mut Exchange, headers: &HeaderMap) -> Result<(), Refusal> {
    exchange.scheme = match first(headers, "x-forwarded-proto") {
        None | Some("") => exchange.scheme,
        Some(scheme)
            if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") =>
        {
            Scheme::Https
        }
        Some(scheme)
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") =>
        {
            Scheme::Http
        }
        Some(_) => return Err(Refusal::BadForwarded),
    };
    Ok(())
}

fn believe_host(exchange: &mut Exchange, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(host) = first(headers, "x-forwarded-host").filter(|host| !host.is_empty()) else {
        return Ok(());
    };
    match host.parse::<Authority>() {
        Ok(authority) if !host.contains('@') && !authority.host().is_empty() => {
            exchange.host = host.parse().map_err(|_| Refusal::BadForwarded)?;
            Ok(())
        }
        _ => Err(Refusal::BadForwarded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Peer};
    use std::time::Instant;

    fn identified(
        trusted: &str,
        fields: &[(&str, &str)],
    ) -> (Result<(), Refusal>, Exchange, Vec<String>) {
        let mut request = http::Request::builder().header("host", "seen.example");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::Empty).expect("a request");
        let notices = Arc::new(Notices::default());
        let trusted = trusted.parse().expect("trusted proxies");
        let identify = Identify::new(trusted, Arc::clone(&notices), None, &[]);
        let peer = Arc::new(Peer::plain([10, 0, 0, 2].into(), None));
        let mut exchange = Exchange::begin(&peer, &request, Instant::now());
        let result = identify.identify(&mut exchange, &request, &Forwarding::new("a"));
        (result, exchange, notices.take())
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("x-forwarded-for", "203.0.113.9, 198.51.100.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "asked.example"),
        ("x-request-id", "given"),
    ];

    #[test]
    fn strangers_are_not_believed_and_named_once() {
        let (result, exchange, notices) = identified("0", &FORWARDED);
        assert_eq!(result, Ok(()));
        assert_eq!(exchange.client, IpAddr::from([10, 0, 0, 2]));
        assert_eq!(exchange.scheme, Scheme::Http);
        assert_eq!(exchange.host, "seen.example");
        assert_ne!(exchange.request_id, "given");
        assert_eq!(notices.len(), 1);
        assert!(
            notices[0].ends_with("trusted_proxies = [\"10.0.0.2\"]"),
            "{notices:?}"
        );
    }

    #[test]
    fn trusted_proxies_are() {
        for (trusted, client) in [
            ("1", [198, 51, 100, 4]),
            ("2", [203, 0, 113, 9]),
            ("uniquelocal", [198, 51, 100, 4]),
        ] {
            let (result, exchange, notices) = identified(trusted, &FORWARDED);
            assert_eq!(result, Ok(()));
            assert_eq!(exchange.client, IpAddr::from(client), "{trusted}");
            assert_eq!(exchange.scheme, Scheme::Https);
            assert_eq!(exchange.host, "asked.example");
            assert_eq!(exchange.request_id, "given");
            assert!(notices.is_empty());
        }
    }

    #[test]
    fn a_proxy_that_names_nobody_is_known_as_one() {
        for (trusted, forwarded, is_proxy) in [
            ("0", "203.0.113.9", false),
            ("1", "203.0.113.9", false),
            ("1", "", true),
            ("2", "203.0.113.9", true),
            ("uniquelocal", "10.0.0.9", true),
            ("uniquelocal", "203.0.113.9, 10.0.0.9", false),
            ("uniquelocal", "nonsense", true),
        ] {
            let (_, exchange, _) = identified(trusted, &[("x-forwarded-for", forwarded)]);
            assert_eq!(exchange.client_is_proxy, is_proxy, "{trusted} {forwarded}");
        }
    }

    #[test]
    fn nonsense_from_trusted_proxies_is_refused() {
        for fields in [
            [("x-forwarded-proto", "gopher")],
            [("x-forwarded-host", "user@host")],
            [("x-forwarded-host", "a b")],
        ] {
            assert_eq!(
                identified("1", &fields).0,
                Err(Refusal::BadForwarded),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn loops_end() {
        assert_eq!(
            identified("0", &[("via", "1.1 mainstay-a")]).0,
            Err(Refusal::Loop)
        );
    }
}
