//! What pages of other sites may do, beside what npm's `cors` says to the same requests.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mainstay_testkit::{Mainstay, Response, Running};

/// A name, what npm's package is told, and what we are.
const CASES: [(&str, &str, &str); 8] = [
    ("any", "{}", "origins = '*'"),
    (
        "one",
        "{ origin: ['https://a.example'] }",
        "origins = 'https://a.example'",
    ),
    (
        "several",
        "{ origin: ['https://a.example', 'https://b.example:8443', 'null'] }",
        "origins = ['https://a.example', 'https://b.example:8443', 'null']",
    ),
    (
        "below",
        r"{ origin: /^https:\/\/[^/]+\.a\.example$/ }",
        "origins = 'https://*.a.example'",
    ),
    (
        "expression",
        r"{ origin: [/^https:\/\/pr-\d+\.a\.example$/] }",
        r"origins = '/https:\/\/pr-\d+\.a\.example/'",
    ),
    (
        "methods",
        "{ origin: ['https://a.example'], methods: ['GET', 'DELETE'] }",
        "origins = 'https://a.example', methods = ['GET', 'DELETE']",
    ),
    (
        "headers",
        "{ origin: ['https://a.example'], allowedHeaders: ['x-team', 'content-type'], exposedHeaders: ['x-total', 'x-page'] }",
        "origins = 'https://a.example', headers = ['x-team', 'content-type'], expose = ['x-total', 'x-page']",
    ),
    (
        "credentials",
        "{ origin: ['https://a.example'], credentials: true, maxAge: 600 }",
        "origins = 'https://a.example', credentials = true, max_age = '10m'",
    ),
];

const ORIGINS: [&str; 8] = [
    "",
    "https://a.example",
    "http://a.example",
    "https://b.example:8443",
    "https://x.a.example",
    "https://pr-17.a.example",
    "https://a.example.evil.test",
    "null",
];

/// The package on some paths, and nothing on the others.
fn both() -> Running {
    let mut server =
        String::from("const cors = require('cors'); const app = require('express')();\n");
    let mut config = String::from("[app.api]\ncommand = 'node server.js'\n");
    for (name, theirs, ours) in CASES {
        let _ = writeln!(server, "app.use('/theirs/{name}', cors({theirs}));");
        let _ = write!(
            config,
            "[route.{name}]\npath = '/ours/{name}'\nto = 'api'\ncors = {{ {ours} }}\n"
        );
    }
    server.push_str("app.use((q, r) => r.vary('x-team').send('hello'));\napp.listen(3000);");
    config.push_str("[route.rest]\nto = 'api'\n");
    let mainstay = Mainstay::run("").packages();
    mainstay.file("server.js", &server).config(&config).start()
}

fn asked(running: &Running, side: &str, name: &str, origin: &str, asks: &str) -> Response {
    let origin = match origin {
        "" => String::new(),
        origin => format!("Origin: {origin}\r\n"),
    };
    let method = if asks.is_empty() { "GET" } else { "OPTIONS" };
    running.request(format!(
        "{method} /{side}/{name} HTTP/1.1\r\nHost: api.example\r\n{origin}{asks}Connection: close\r\n\r\n"
    ))
}

/// What a browser goes by.
fn said(response: &Response) -> BTreeSet<String> {
    let fields = response.headers().flat_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let values: Vec<String> = match name.as_str() {
            "vary" => value
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase())
                .collect(),
            _ if name.starts_with("access-control-") => vec![value.to_owned()],
            _ => Vec::new(),
        };
        let line = move |value| format!("{name}: {value}");
        values.into_iter().map(line)
    });
    fields.collect()
}

#[test]
fn every_origin_is_told_what_the_package_tells_it() {
    let running = both();
    let preflight =
        "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-team\r\n";
    for (name, ..) in CASES {
        for origin in ORIGINS {
            for asks in ["", preflight] {
                let what = format!("{name}, {origin}, {asks}");
                let theirs = asked(&running, "theirs", name, origin, asks);
                let ours = asked(&running, "ours", name, origin, asks);
                if origin.is_empty() && !asks.is_empty() {
                    // without an origin it is nobody's preflight: the app answers
                    assert_eq!(ours.text(), "hello", "{what}");
                    continue;
                }
                let may =
                    |answer: &Response| answer.header("access-control-allow-origin").is_some();
                assert_eq!(may(&ours), may(&theirs), "{what}");
                if may(&theirs) {
                    assert_eq!(ours.status(), theirs.status(), "{what}");
                    assert_eq!(said(&ours), said(&theirs), "{what}");
                    continue;
                }
                // what the package permits beside an origin that it does not permit counts for nothing
                assert_eq!(ours.header("access-control-allow-credentials"), None);
                let status = if asks.is_empty() { 200 } else { 403 };
                assert!(
                    said(&ours.expect(status)).contains("vary: origin"),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn the_packages_own_word_is_replaced_and_never_doubled() {
    let server = "const app = require('express')(); app.use(require('cors')({ credentials: true }));\n\
                  app.get('/', (q, r) => r.send('hello')); app.listen(3000);";
    let config = "without = 'compress'\n[app.api]\ncommand = 'node server.js'\n[cors]\norigins = 'https://a.example'\n";
    let running = Mainstay::run("").packages().file("server.js", server);
    let running = running.config(config).start();
    let answer = running
        .get_with("/", [("Origin", "https://a.example")])
        .expect(200);
    let said: Vec<String> = said(&answer).into_iter().collect();
    assert_eq!(
        said,
        [
            "access-control-allow-origin: https://a.example",
            "vary: origin"
        ]
    );
    let answer = running.get_with("/", [("Origin", "https://b.example")]);
    let _ = answer.header_absent("access-control-allow-origin");
}
