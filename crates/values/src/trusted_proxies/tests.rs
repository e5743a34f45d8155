//! The grammar, the walk as a table, and that a spoofed address is never believed.

use proptest::prelude::*;

use super::Walk::{Exhausted, Garbage, Untrusted};
use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn walk(rule: &str, socket: &str, forwarded_for: &str) -> (String, usize, Walk) {
    let rule: TrustedProxies = rule.parse().expect(rule);
    let client = rule.client(ip(socket), &mut forwarded_for.rsplit(','));
    (
        client.address.to_string(),
        client.trusted_hops,
        client.ended,
    )
}

/// Rule, socket, `X-Forwarded-For`; the client, how many were trusted, why the walk ended.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    usize,
    Walk,
);

const WALKS: &[Row] = &[
    // nobody is trusted
    ("", "10.0.0.1", "1.1.1.1", "10.0.0.1", 0, Untrusted),
    ("0", "10.0.0.1", "1.1.1.1", "10.0.0.1", 0, Untrusted),
    // hop counts
    ("1", "10.0.0.1", "", "10.0.0.1", 0, Exhausted),
    ("1", "10.0.0.1", "1.1.1.1", "1.1.1.1", 1, Untrusted),
    ("1", "10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1", 1, Untrusted),
    ("2", "10.0.0.1", "9.9.9.9, 1.1.1.1", "9.9.9.9", 2, Untrusted),
    ("3", "10.0.0.1", "9.9.9.9, 1.1.1.1", "9.9.9.9", 2, Exhausted),
    // lists
    ("loopback", "127.0.0.1", "1.1.1.1", "1.1.1.1", 1, Untrusted),
    ("loopback", "127.9.9.9", "1.1.1.1", "1.1.1.1", 1, Untrusted),
    ("loopback", "::1", "1.1.1.1", "1.1.1.1", 1, Untrusted),
    (
        "loopback",
        "::ffff:127.0.0.1",
        "1.1.1.1",
        "1.1.1.1",
        1,
        Untrusted,
    ),
    ("loopback", "10.0.0.1", "1.1.1.1", "10.0.0.1", 0, Untrusted),
    (
        "loopback",
        "127.0.0.1",
        "9.9.9.9, 10.0.0.2",
        "10.0.0.2",
        1,
        Untrusted,
    ),
    (
        "loopback, uniquelocal",
        "127.0.0.1",
        "9.9.9.9, 10.0.0.2",
        "9.9.9.9",
        2,
        Untrusted,
    ),
    (
        "loopback, uniquelocal",
        "127.0.0.1",
        "10.0.0.3, 10.0.0.2",
        "10.0.0.3",
        2,
        Exhausted,
    ),
    ("linklocal", "fe80::1", "1.1.1.1", "1.1.1.1", 1, Untrusted),
    (
        "10.0.0.0/255.0.0.0",
        "10.0.0.1",
        "1.1.1.1",
        "1.1.1.1",
        1,
        Untrusted,
    ),
    ("10.0.0.1", "10.0.0.2", "1.1.1.1", "10.0.0.2", 0, Untrusted),
    (
        "cloudflare",
        "104.16.0.1",
        "1.1.1.1",
        "1.1.1.1",
        1,
        Untrusted,
    ),
    (
        "cloudflare",
        "2606:4700::1",
        "2001:db8::1",
        "2001:db8::1",
        1,
        Untrusted,
    ),
    // forms that proxies send
    ("1", "10.0.0.1", " , 1.1.1.1 ,, ", "1.1.1.1", 1, Untrusted),
    ("1", "10.0.0.1", "1.1.1.1:4711", "1.1.1.1", 1, Untrusted),
    (
        "1",
        "10.0.0.1",
        "[2001:db8::1]:4711",
        "2001:db8::1",
        1,
        Untrusted,
    ),
    (
        "1",
        "10.0.0.1",
        "[2001:db8::1]",
        "2001:db8::1",
        1,
        Untrusted,
    ),
    (
        "1",
        "10.0.0.1",
        "\"[2001:db8::1]\"",
        "2001:db8::1",
        1,
        Untrusted,
    ),
    ("1", "10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1", 1, Untrusted),
    // garbage ends the walk at the proxy that passed it on
    ("1", "10.0.0.1", "unknown", "10.0.0.1", 0, Garbage),
    (
        "2",
        "10.0.0.1",
        "9.9.9.9, _hidden, 1.1.1.1",
        "1.1.1.1",
        1,
        Garbage,
    ),
    ("9", "10.0.0.1", "1.1.1.1:x", "10.0.0.1", 0, Garbage),
    ("9", "10.0.0.1", "[::1", "10.0.0.1", 0, Garbage),
    ("9", "10.0.0.1", "[1.1.1.1]", "10.0.0.1", 0, Garbage),
    ("9", "10.0.0.1", "1.1.1.1:123456", "10.0.0.1", 0, Garbage),
    ("9", "10.0.0.1", "fe80::1%eth0", "10.0.0.1", 0, Garbage),
];

#[test]
fn walks_as_express_does() {
    for &(rule, socket, forwarded_for, address, hops, ended) in WALKS {
        assert_eq!(
            walk(rule, socket, forwarded_for),
            (address.to_owned(), hops, ended),
            "`{rule}` from {socket} for `{forwarded_for}`"
        );
    }
}

#[test]
fn reads_and_prints() {
    for (text, printed) in [
        ("", "0"),
        ("2", "2"),
        (" loopback ,10.0.0.0/8", "loopback, 10.0.0.0/8"),
        ("Loopback", "loopback"),
    ] {
        let rule: TrustedProxies = text.parse().expect(text);
        assert_eq!(rule.to_string(), printed);
        assert_eq!(printed.parse(), Ok(rule));
    }
    for (text, hint) in [
        (
            "true",
            Some(
                "whoever connects could then claim any address; name the proxies, or their number",
            ),
        ),
        ("loopbak", Some("did you mean `loopback`?")),
        (
            "0.0.0.0/0",
            Some("a prefix of 0 would trust the whole world"),
        ),
        ("::/0", Some("a prefix of 0 would trust the whole world")),
        (
            "loopback, 1",
            Some("a hop count stands alone: `trusted_proxies = 1`"),
        ),
        ("8080", Some("a hop count is from 0 to 32")),
        ("10.0.0.0/40", Some("an IPv4 prefix is from 0 to 32")),
        ("nginx.internal", None),
        ("a,,b", None),
    ] {
        let complaint = text.parse::<TrustedProxies>().expect_err(text);
        assert_eq!(complaint.hint.as_deref(), hint, "{text}");
    }
}

#[test]
fn every_word_stands_for_networks() {
    for (word, networks) in WORDS {
        assert_eq!(
            expand(word).map(|found| found.len()),
            Ok(networks.len()),
            "{word}"
        );
    }
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from)
    ]
}

proptest! {
    /// What a client writes to the left of what trusted proxies add changes nothing.
    #[test]
    fn a_spoofed_address_is_never_believed(
        client in any_ip(),
        spoofed in proptest::collection::vec("\\PC{0,20}|10\\.0\\.0\\.[1-9]|127\\.0\\.0\\.1", 0..5),
        proxies in 0_u32..4,
    ) {
        let uniquelocal: TrustedProxies = "uniquelocal, loopback".parse().expect("known words");
        prop_assume!(!uniquelocal.trusts(client, 0));
        // client -> proxy 1 -> ... -> proxy n -> us; each proxy appends whom it heard from
        let mut header = spoofed.join(",");
        let mut peer = client;
        for proxy in 1..=proxies {
            header = format!("{header}, {peer}");
            peer = ip(&format!("10.0.0.{proxy}"));
        }
        for rule in [TrustedProxies::hops(proxies), uniquelocal] {
            let found = rule.client(peer, &mut header.rsplit(','));
            prop_assert_eq!(found.address, canonical(client));
            prop_assert_eq!(found.trusted_hops, proxies as usize);
            prop_assert_eq!(found.ended, Untrusted);
        }
    }

    #[test]
    fn never_panics(text in "\\PC{0,60}|[0-9a-f:.\\[\\]\"]{0,60}") {
        let _ = parse_forwarded_address(&text);
        let _ = text.parse::<TrustedProxies>();
    }
}
