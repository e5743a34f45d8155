//! Who is turned away, as tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::options::{HiddenFiles, Traps};
use super::*;
use crate::{BanOptions, Body, Peer, WaitOptions};

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts
        .iter()
        .map(|text| text.parse().expect("a value"))
        .collect()
}

fn filter_of(options: &FilterOptions) -> Filter {
    Filter::new(options, &standing())
}

fn standing() -> Standing {
    Standing::new(Vec::new(), WaitOptions::default())
}

type Fields = &'static [(&'static str, &'static str)];

/// How a request fares: `METHOD path`, then fields.
fn asked(
    filter: &Filter,
    client: &str,
    request: &str,
    fields: &[(&str, &str)],
) -> Result<(), Refusal> {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::Empty).expect("a request");
    let peer = Arc::new(Peer::plain(client.parse().expect("an address"), None));
    let mut exchange = Exchange::begin(&peer, &request, Instant::now());
    filter.check(&mut exchange, request.headers())
}

fn get(filter: &Filter, path: &str) -> Result<(), Refusal> {
    asked(filter, "192.0.2.1", &format!("GET {path}"), &[])
}

#[test]
fn the_default_turns_nobody_away() {
    let filter = filter_of(&FilterOptions::default());
    assert!(filter.is_idle);
    for request in ["TRACE /", "GET /.git/config", "GET /wp-login.php"] {
        assert_eq!(
            asked(&filter, "192.0.2.1", request, &[]),
            Ok(()),
            "{request}"
        );
    }
}

#[test]
fn networks() {
    let filter = filter_of(&FilterOptions {
        allow: parsed(&["10.0.0.0/8", "2001:db8::/32"]),
        deny: parsed(&["10.6.6.0/24"]),
        ..FilterOptions::default()
    });
    for (client, expected) in [
        ("10.1.2.3", Ok(())),
        ("::ffff:10.1.2.3", Ok(())),
        ("2001:db8::9", Ok(())),
        ("10.6.6.6", Err(Refusal::Network)),
        ("192.0.2.1", Err(Refusal::Network)),
        ("::1", Err(Refusal::Network)),
    ] {
        assert_eq!(asked(&filter, client, "GET /", &[]), expected, "{client}");
    }
}

#[test]
fn hosts() {
    let filter = filter_of(&FilterOptions {
        hosts: parsed(&["example.com", "*.example.com"]),
        ..FilterOptions::default()
    });
    for (host, expected) in [
        ("example.com", Ok(())),
        ("WWW.example.com:8080", Ok(())),
        ("example.com.evil.example", Err(Refusal::WrongHost)),
        ("192.0.2.1", Err(Refusal::WrongHost)),
    ] {
        let fields = [("host", host)];
        assert_eq!(asked(&filter, "::1", "GET /", &fields), expected, "{host}");
    }
    assert_eq!(get(&filter, "/"), Err(Refusal::WrongHost), "no host at all");
}

#[test]
fn methods() {
    let no_trace = filter_of(&FilterOptions {
        methods: MethodRule::NoTrace,
        ..FilterOptions::default()
    });
    let only = filter_of(&FilterOptions {
        methods: MethodRule::Only(vec!["GET".to_owned(), "POST".to_owned()]),
        ..FilterOptions::default()
    });
    let no = Err(Refusal::Method);
    let cases: [(&str, Fields, _, _); 11] = [
        ("GET /", &[], Ok(()), Ok(())),
        ("HEAD /", &[], Ok(()), Ok(())),
        ("POST /", &[], Ok(()), Ok(())),
        ("DELETE /", &[], Ok(()), no),
        ("get /", &[], Ok(()), no),
        ("PURGE /", &[], Ok(()), no),
        ("TRACE /", &[], no, no),
        ("TRACK /", &[], no, no),
        ("OPTIONS /", &[], Ok(()), no),
        (
            "OPTIONS /",
            &[("access-control-request-method", "POST")],
            Ok(()),
            Ok(()),
        ),
        (
            "POST /",
            &[("x-http-method-override", "DELETE")],
            Ok(()),
            no,
        ),
    ];
    for (request, fields, without_trace, listed) in cases {
        assert_eq!(
            asked(&no_trace, "::1", request, fields),
            without_trace,
            "{request}"
        );
        assert_eq!(
            asked(&only, "::1", request, fields),
            listed,
            "{request} {fields:?}"
        );
    }
    let fields = [("x-method-override", "post"), ("x-http-method", "HEAD")];
    assert_eq!(asked(&only, "::1", "POST /", &fields), Ok(()));
    assert_eq!(only.allowed, "GET, POST, HEAD");
}

#[test]
fn secrets_are_hidden_in_every_spelling() {
    let filter = filter_of(&FilterOptions {
        hidden: HiddenFiles::Secrets,
        ..FilterOptions::default()
    });
    for path in [
        "/.git",
        "/.git/config",
        "/.GIT/HEAD",
        "/x/.gitignore",
        "/.env",
        "/a/b/.env.production",
        "/%2egit/config",
        "/%252egit/config",
        "/x%2F.env",
        "/x%5C.env",
        "/x;a/..;/.env",
        "/public/..%2f.env",
        "//.env",
        "/.env;x",
        "/.env%2500.png",
        "/.git/../x",
    ] {
        assert_eq!(get(&filter, path), Err(Refusal::HiddenFile), "{path}");
    }
    for path in [
        "/",
        "/git",
        "/x.env",
        "/.well-known/acme-challenge/t",
        "/environment",
        "/a%20b",
        "/.github.io",
    ] {
        let expected = if path == "/.github.io" {
            Err(Refusal::HiddenFile)
        } else {
            Ok(())
        };
        assert_eq!(get(&filter, path), expected, "{path}");
    }
}

#[test]
fn all_hides_dots_backups_dumps_and_keys() {
    let options = FilterOptions {
        hidden: HiddenFiles::All,
        ..FilterOptions::default()
    };
    let filter = filter_of(&options);
    for path in [
        "/.htaccess",
        "/.DS_Store",
        "/a/.b/c",
        "/index.php~",
        "/wp-config.php.bak",
        "/dump.sql.gz",
        "/id_rsa",
        "/x/server.key",
        "/.well-known/.git/config",
        "/x/.well-known/y",
        "/x/../.well-known/y",
        "/...",
    ] {
        assert_eq!(get(&filter, path), Err(Refusal::HiddenFile), "{path}");
    }
    for path in [
        "/",
        "/.well-known/security.txt",
        "/a.b/c.html",
        "/a/./b",
        "/a/../b",
        "/~user",
        "/sql",
        "/keys",
    ] {
        assert_eq!(get(&filter, path), Ok(()), "{path}");
    }
    let filter = filter_of(&FilterOptions {
        hidden_except: parsed(&["/dumps"]),
        ..options
    });
    assert_eq!(get(&filter, "/dumps/all.sql"), Ok(()));
    for path in [
        "/dumps/..%2fx.sql",
        "/dumps/..;/x.sql",
        "/DUMPS/x.sql",
        "/x.sql",
    ] {
        assert_eq!(get(&filter, path), Err(Refusal::HiddenFile), "{path}");
    }
}

#[test]
fn traps_come_first_and_a_dry_run_only_notes() {
    let options = FilterOptions {
        hidden: HiddenFiles::All,
        traps: Traps::Known,
        ..FilterOptions::default()
    };
    let filter = filter_of(&options);
    for path in [
        "/.env",
        "/wp-login.php",
        "/WP-Admin/x",
        "/%77p-login.php",
        "//phpMyAdmin/",
    ] {
        assert_eq!(get(&filter, path), Err(Refusal::Trap), "{path}");
    }
    assert_eq!(get(&filter, "/x/wp-login.php"), Ok(()));
    let dry = filter_of(&FilterOptions {
        enforcement: Enforcement::DryRun,
        ..options
    });
    assert_eq!(get(&dry, "/wp-login.php"), Ok(()));
}

/// Three hits, one hour.
fn banning() -> FilterOptions {
    FilterOptions {
        traps: Traps::Known,
        trap_ban: Some(BanOptions {
            after: 3,
            lasts: Duration::from_hours(1),
        }),
        ..FilterOptions::default()
    }
}

const TRAP: &str = "GET /wp-login.php";

#[tokio::test(start_paused = true)]
async fn who_walks_into_traps_is_banned_for_a_while_by_all_who_share_the_table() {
    let standing = standing();
    let filter = Filter::new(&banning(), &standing);
    let other_thread = Filter::new(&banning(), &standing);
    let home = |filter: &Filter, client: &str| asked(filter, client, "GET /", &[]);
    for client in ["203.0.113.9", "2001:db8::1"] {
        for filter in [&filter, &other_thread, &filter] {
            assert_eq!(home(filter, client), Ok(()));
            assert_eq!(asked(filter, client, TRAP, &[]), Err(Refusal::Trap));
        }
        for filter in [&filter, &other_thread] {
            assert_eq!(home(filter, client), Err(Refusal::TrapBanned));
            assert_eq!(asked(filter, client, TRAP, &[]), Err(Refusal::TrapBanned));
        }
        assert_eq!(home(&filter, "203.0.113.10"), Ok(()));
    }
    // a client of IPv6 has a whole network
    assert_eq!(home(&filter, "2001:db8:0:ff::2"), Err(Refusal::TrapBanned));
    tokio::time::advance(Duration::from_secs(3_602)).await;
    assert_eq!(home(&filter, "203.0.113.9"), Ok(()));
    // and begins anew, with all of its hits
    for _ in 0..3 {
        assert_eq!(asked(&filter, "203.0.113.9", TRAP, &[]), Err(Refusal::Trap));
    }
    assert_eq!(home(&filter, "203.0.113.9"), Err(Refusal::TrapBanned));
}

#[tokio::test(start_paused = true)]
async fn hits_that_are_far_apart_ban_nobody() {
    let filter = filter_of(&banning());
    for _ in 0..9 {
        assert_eq!(asked(&filter, "203.0.113.9", TRAP, &[]), Err(Refusal::Trap));
        tokio::time::advance(Duration::from_mins(31)).await;
    }
}

#[tokio::test]
async fn one_hit_is_enough_where_the_settings_say_so_and_a_probe_passes() {
    let filter = filter_of(&FilterOptions {
        trap_ban: Some(BanOptions {
            after: 1,
            lasts: Duration::from_secs(1),
        }),
        ..banning()
    });
    let client = "203.0.113.9";
    assert_eq!(asked(&filter, client, TRAP, &[]), Err(Refusal::Trap));
    assert_eq!(
        asked(&filter, client, "GET /", &[]),
        Err(Refusal::TrapBanned)
    );
    let request = http::Request::new(Body::Empty);
    let peer = Arc::new(Peer::plain(client.parse().expect("an address"), None));
    let mut exchange = Exchange::begin(&peer, &request, Instant::now());
    exchange.is_probe = true;
    assert_eq!(filter.check(&mut exchange, request.headers()), Ok(()));
}

#[tokio::test]
async fn who_may_be_many_is_never_banned() {
    let filter = filter_of(&banning());
    for client in [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "172.17.0.1",
        "192.168.1.1",
        "::ffff:10.1.2.3",
        "fd00::1",
        "fe80::1",
        "169.254.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "104.16.0.1",
    ] {
        for _ in 0..5 {
            assert_eq!(
                asked(&filter, client, TRAP, &[]),
                Err(Refusal::Trap),
                "{client}"
            );
        }
    }
    for client in ["100.128.0.1", "100.63.0.1", "172.32.0.1"] {
        for _ in 0..3 {
            let _ = asked(&filter, client, TRAP, &[]);
        }
        assert_eq!(
            asked(&filter, client, TRAP, &[]),
            Err(Refusal::TrapBanned),
            "{client}"
        );
    }
    // a trusted proxy that names nobody behind it
    let request = http::Request::get("/wp-login.php")
        .body(Body::Empty)
        .expect("a request");
    let peer = Arc::new(Peer::plain([203, 0, 113, 7].into(), None));
    for _ in 0..5 {
        let mut exchange = Exchange::begin(&peer, &request, Instant::now());
        exchange.client_is_proxy = true;
        assert_eq!(
            filter.check(&mut exchange, request.headers()),
            Err(Refusal::Trap)
        );
    }
}

#[tokio::test]
async fn a_dry_run_bans_nobody_and_says_whom_it_would() {
    let standing = standing();
    let dry = FilterOptions {
        enforcement: Enforcement::DryRun,
        ..banning()
    };
    let (dry, real) = (
        Filter::new(&dry, &standing),
        Filter::new(&banning(), &standing),
    );
    let request = http::Request::get("/wp-login.php")
        .body(Body::Empty)
        .expect("a request");
    let peer = Arc::new(Peer::plain([203, 0, 113, 7].into(), None));
    let spared = || {
        let mut exchange = Exchange::begin(&peer, &request, Instant::now());
        assert_eq!(dry.check(&mut exchange, request.headers()), Ok(()));
        exchange.spared()
    };
    for _ in 0..3 {
        assert_eq!(spared(), Some((Step::Filter, Refusal::Trap)));
    }
    assert_eq!(spared(), Some((Step::Filter, Refusal::TrapBanned)));
    assert_eq!(asked(&real, "203.0.113.7", "GET /", &[]), Ok(()));
}
