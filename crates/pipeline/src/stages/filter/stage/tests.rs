//! Who is turned away, as tables.

use std::sync::Arc;
use std::time::Instant;

use super::super::options::{HiddenFiles, Traps};
use super::*;
use crate::{Body, Peer};

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts
        .iter()
        .map(|text| text.parse().expect("a value"))
        .collect()
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
    let filter = Filter::new(&FilterOptions::default());
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
    let filter = Filter::new(&FilterOptions {
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
    let filter = Filter::new(&FilterOptions {
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
    let no_trace = Filter::new(&FilterOptions {
        methods: MethodRule::NoTrace,
        ..FilterOptions::default()
    });
    let only = Filter::new(&FilterOptions {
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
    let filter = Filter::new(&FilterOptions {
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
    let filter = Filter::new(&options);
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
    let filter = Filter::new(&FilterOptions {
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
    let filter = Filter::new(&options);
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
    let dry = Filter::new(&FilterOptions {
        enforcement: Enforcement::DryRun,
        ..options
    });
    assert_eq!(get(&dry, "/wp-login.php"), Ok(()));
}
