//! What passes and what does not.

use std::sync::Arc;
use std::time::Instant;

use http::header::HOST;
use proptest::prelude::*;

use super::*;
use crate::{Body, Peer};

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a field name"),
            HeaderValue::from_str(value).expect("a field value"),
        );
    }
    headers
}

fn exchange(trusted: bool) -> Exchange {
    let request = http::Request::builder()
        .header(HOST, "example.com:8080")
        .body(Body::Empty)
        .expect("a request");
    let peer = Arc::new(Peer::plain([192, 0, 2, 7].into(), Some(8080)));
    let mut exchange = Exchange::begin(&peer, &request, Instant::now());
    exchange.peer_is_trusted = trusted;
    exchange.request_id = HeaderValue::from_static("id");
    exchange
}

fn prepared(trusted: bool, fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = map(fields);
    let mut exchange = exchange(trusted);
    let forwarding = Forwarding::new("a1");
    Forwarding::prepare(&mut exchange, &mut headers);
    forwarding.fields(&exchange, |name, value| {
        assert!(name == "via" || !headers.contains_key(name), "{name} twice");
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    });
    headers
}

#[test]
fn the_origin_is_told_the_truth() {
    let headers = prepared(false, &[("host", "example.com:8080")]);
    for (name, value) in [
        ("host", "example.com:8080"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-real-ip", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "example.com:8080"),
        ("x-forwarded-port", "8080"),
        ("x-request-id", "id"),
        ("via", "1.1 mainstay-a1"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(
        headers["x-request-start"]
            .to_str()
            .is_ok_and(|start| start.starts_with("t="))
    );
    assert!(!headers.contains_key(FORWARDED));
}

#[test]
fn what_strangers_say_of_the_client_is_removed_in_every_spelling() {
    for name in [
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded_Host",
        "Forwarded",
        "X-Real-IP",
        "x_real_ip",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Forwarded-Prefix",
        "X-Client-IP",
        "x_request_id",
    ] {
        let headers = prepared(false, &[(name, "203.0.113.9")]);
        assert!(
            headers.values().all(|value| value != "203.0.113.9"),
            "{name}: {headers:?}"
        );
    }
}

#[test]
fn what_trusted_proxies_say_beyond_the_client_stays() {
    let headers = prepared(
        true,
        &[
            ("x-forwarded-prefix", "/app"),
            ("x-request-start", "t=1"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1, 2"),
        ],
    );
    assert_eq!(headers["x-forwarded-prefix"], "/app");
    assert_eq!(headers["x-request-start"], "t=1");
    assert_eq!(
        headers["forwarded"],
        "for=192.0.2.7;host=\"example.com:8080\";proto=http"
    );
    assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
}

#[test]
fn hop_by_hop_fields_end_here() {
    let mut headers = map(&[
        ("connection", "close, X-Secret"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip, trailers;q=0.5"),
        ("transfer-encoding", "chunked"),
        ("proxy-authorization", "x"),
        ("x-secret", "1"),
        ("x-kept", "1"),
    ]);
    assert_eq!(strip_hop_by_hop(&mut headers), None);
    assert_eq!(headers, map(&[("te", "trailers"), ("x-kept", "1")]));
}

#[test]
fn nominations_cannot_take_away_what_decides() {
    let headers = prepared(
        false,
        &[
            (
                "connection",
                "cookie, authorization, content-type, x-forwarded-for, via",
            ),
            ("cookie", "a=b"),
            ("authorization", "Basic x"),
            ("content-type", "text/plain"),
        ],
    );
    for name in [
        "cookie",
        "authorization",
        "content-type",
        "x-forwarded-for",
        "via",
    ] {
        assert!(headers.contains_key(name), "{name}");
    }
}

#[test]
fn only_nominated_websocket_upgrades_pass() {
    for (connection, upgrade, passes) in [
        ("Upgrade", "websocket", true),
        ("keep-alive, Upgrade", "WebSocket", true),
        ("Upgrade", "h2c", false),
        ("keep-alive", "websocket", false),
    ] {
        let headers = prepared(
            false,
            &[
                ("connection", connection),
                ("upgrade", upgrade),
                ("sec-websocket-version", "13"),
            ],
        );
        assert_eq!(
            headers.contains_key(UPGRADE),
            passes,
            "{connection} {upgrade}"
        );
        assert_eq!(headers.contains_key(CONNECTION), passes);
    }
}

#[test]
fn a_request_that_comes_back_is_known_and_another_instance_is_not_us() {
    let here = Forwarding::new("a1");
    for (via, known) in [
        ("1.1 mainstay-a1", true),
        ("1.0 fred, 1.1 mainstay-a1 (x)", true),
        ("1.1 mainstay-b2", false),
        ("1.1 x", false),
    ] {
        assert_eq!(here.has_been_here(&map(&[("via", via)])), known, "{via}");
    }
}

proptest! {
    /// Whatever a stranger sends, the origin reads one client address, and it is the peer's.
    #[test]
    fn a_stranger_never_chooses_its_address(
        names in proptest::collection::vec("(x|X)[-_](forwarded|Forwarded|real|client)[-_](for|ip|host|proto|port)|forwarded|connection|te|via", 0..6),
        value in "[0-9a-z., ;=_-]{1,20}",
    ) {
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
        let headers = prepared(false, &fields);
        let said: Vec<_> = headers
            .iter()
            .filter(|(name, _)| {
                let name = name.as_str().replace('_', "-");
                name == "x-forwarded-for" || name == "x-real-ip" || name == "x-client-ip" || name == "forwarded"
            })
            .map(|(_, value)| value.clone())
            .collect();
        prop_assert_eq!(said, ["192.0.2.7", "192.0.2.7"]);
        prop_assert!(!headers.keys().any(|name| HOP_BY_HOP.contains(name) && *name != TE && *name != CONNECTION));
    }
}

#[test]
fn trailers_say_nothing_that_the_head_may_not() {
    let protected = ProtectedFields::new(["X-User"].into_iter());
    let mut trailers = map(&[
        ("x-sum", "1"),
        ("x-user", "root"),
        ("x_user", "root"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded_proto", "https"),
        ("x-real-ip", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-request-id", "mine"),
        ("mainstay-debug", "token"),
        ("keep-alive", "timeout=9"),
        ("http2-settings", "AAMAAABk"),
        ("server-timing", "db;dur=1"),
    ]);
    strip_trailers(&mut trailers, &protected);
    assert_eq!(
        trailers,
        map(&[("x-sum", "1"), ("server-timing", "db;dur=1")])
    );
}
