//! The headers of a real answer, beside what npm's `helmet` makes of the same app.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_testkit::{Mainstay, Response, Running};

/// A name, what helmet is told, and what we are.
const CASES: [(&str, &str, &str); 7] = [
    ("default", "", ""),
    (
        "directives",
        r#"{ contentSecurityPolicy: { directives: { scriptSrc: ["'self'", "cdn.example"], connectSrc: ["'self'", "wss://live.example"], objectSrc: null } } }"#,
        r#"csp = { script-src = ["'self'", "cdn.example"], connect-src = ["'self'", "wss://live.example"], object-src = false }"#,
    ),
    (
        "added",
        r#"{ contentSecurityPolicy: { directives: { "img-src": ["'self'", "data:", "img.example"] } } }"#,
        r#"csp = { img-src = { add = "img.example" } }"#,
    ),
    (
        "alone",
        r#"{ contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], sandbox: ["allow-scripts"] } } }"#,
        r#"csp = { defaults = false, default-src = "'none'", sandbox = "allow-scripts" }"#,
    ),
    (
        "reported",
        r#"{ contentSecurityPolicy: { reportOnly: true, directives: { upgradeInsecureRequests: null, reportUri: ["https://reports.example"] } } }"#,
        r#"csp = { report_only = true, upgrade-insecure-requests = false, report-uri = "https://reports.example" }"#,
    ),
    (
        "values",
        r#"{ strictTransportSecurity: { maxAge: 60, preload: true }, xFrameOptions: { action: "deny" }, referrerPolicy: { policy: ["origin", "unsafe-url"] }, crossOriginEmbedderPolicy: true }"#,
        r#"strict-transport-security = "max-age=60; includeSubDomains; preload"
x-frame-options = "DENY"
referrer-policy = "origin,unsafe-url"
cross-origin-embedder-policy = "require-corp""#,
    ),
    (
        "without",
        "{ contentSecurityPolicy: false, strictTransportSecurity: false, xDnsPrefetchControl: false }",
        "content-security-policy = false\nstrict-transport-security = false\nx-dns-prefetch-control = false",
    ),
];

/// The same app behind helmet on some paths, and behind nothing but us on the others.
fn both() -> Running {
    let mut server =
        String::from("const helmet = require('helmet'); const app = require('express')();\n");
    let mut config = String::from(
        "preset = 'strict'\nwithout = ['rate_limit']\ntrusted_proxies = ['loopback']\n[app.api]\ncommand = 'node server.js'\nworkers = 1\n",
    );
    for (name, theirs, ours) in CASES {
        let _ = writeln!(server, "app.use('/theirs/{name}', helmet({theirs}));");
        let _ = write!(
            config,
            "[route.{name}]\npath = '/ours/{name}'\nto = 'api'\n[route.{name}.headers]\n{ours}\n"
        );
    }
    server.push_str("app.use((q, r) => r.send('hello'));\napp.listen(3000);");
    config.push_str(
        "[route.theirs]\npath = '/theirs'\nto = 'api'\nheaders = { enabled = false }\n[route.rest]\nto = 'api'\n",
    );
    let mainstay = Mainstay::run("").packages();
    mainstay.file("server.js", &server).config(&config).start()
}

/// Over https, as a balancer in front tells it.
fn asked(running: &Running, side: &str, name: &str) -> Response {
    running.request(format!(
        "GET /{side}/{name} HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    ))
}

/// All but what belongs to this one message. Names count in any case, values byte for byte.
fn set(answer: &Response) -> BTreeMap<String, String> {
    const OF_THE_MESSAGE: [&str; 6] = [
        "connection",
        "content-length",
        "content-type",
        "date",
        "etag",
        "x-request-id",
    ];
    let fields = answer
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    fields
        .filter(|(name, _)| !OF_THE_MESSAGE.contains(&name.as_str()))
        .collect()
}

#[test]
fn strict_is_what_helmet_sends() {
    let running = both();
    for (name, ..) in CASES {
        let theirs = asked(&running, "theirs", name).expect(200);
        let ours = asked(&running, "ours", name).expect(200);
        assert_eq!(set(&ours), set(&theirs), "{name}");
        assert_eq!(ours.headers().count(), theirs.headers().count(), "{name}");
    }
}

#[test]
fn what_belongs_to_https_stays_away_from_plain_http_and_localhost() {
    let running = both();
    for (host, scheme, hsts, upgrade) in [
        ("shop.example", "https", true, true),
        ("localhost:3000", "https", false, true),
        ("shop.example", "http", false, false),
    ] {
        let answer = running.request(format!(
            "GET /ours/default HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: {scheme}\r\nConnection: close\r\n\r\n"
        ));
        let policy = answer.header("content-security-policy");
        let upgrades = policy.is_some_and(|policy| policy.contains("upgrade-insecure-requests"));
        let is_kept = answer.header("strict-transport-security").is_some();
        assert_eq!((is_kept, upgrades), (hsts, upgrade), "{scheme}://{host}");
    }
}

/// An app with a policy of its own, and a list of what it reports.
const OPINIONATED: &str = r#"require('http').createServer((request, response) => {
  response.setHeader('Content-Security-Policy', "default-src 'self' 'nonce-1'");
  response.setHeader('X-Frame-Options', 'ALLOWALL');
  response.setHeader('Referrer-Policy', 'unsafe-url');
  response.end('hello');
}).listen(3000);"#;

#[test]
fn the_apps_own_stands_is_replaced_or_goes_header_by_header() {
    let config = r#"
preset = "strict"
[app.api]
command = "node server.js"
workers = 1
[headers]
x-frame-options = { value = "DENY", mode = "override" }
referrer-policy = { mode = "remove" }
csp = { script-src = "'self'" }
[route.strict]
path = "/strict"
to = "api"
headers = { mode = "override" }
[route.all]
to = "api"
"#;
    let running = Mainstay::run("").file("server.js", OPINIONATED);
    let running = running.config(config).start();
    let policies = |answer: &Response| -> Vec<String> {
        let fields = answer.headers();
        let found = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-security-policy"));
        found.map(|(_, value)| value.to_owned()).collect()
    };
    let answer = running.get("/").expect(200);
    assert_eq!(policies(&answer), ["default-src 'self' 'nonce-1'"]);
    let _ = answer
        .header_is("x-frame-options", "DENY")
        .header_absent("referrer-policy");
    let [policy] = &policies(&running.get("/strict").expect(200))[..] else {
        panic!("one policy");
    };
    assert!(
        policy.starts_with("default-src 'self';base-uri 'self';"),
        "{policy}"
    );
}
