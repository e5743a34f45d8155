//! Answers made smaller, with real apps: what npm's `compression` decides, we decide; what streams goes on streaming.

use std::fmt::Write as _;
use std::io::Read as _;

use mainstay_testkit::{Mainstay, Response, Running, Wire};

/// What the app answers with: a name, and what it does with the response `r`.
const ANSWERS: [(&str, &str); 16] = [
    ("json", "r.json({ text: 'x'.repeat(3000) })"),
    ("html", "r.send('<p>'.repeat(1000))"),
    ("short", "r.json({ text: 'x' })"),
    ("exact", "r.type('text').send('x'.repeat(1024))"),
    ("below", "r.type('text').send('x'.repeat(1023))"),
    ("pieces", "r.type('text'); r.write('one '); r.end('two')"),
    ("svg", "r.type('image/svg+xml').send('<g/>'.repeat(1000))"),
    ("png", "r.type('png').send(Buffer.alloc(3000))"),
    (
        "tar",
        "r.type('application/x-tar').send(Buffer.alloc(3000))",
    ),
    (
        "problem",
        "r.type('application/problem+json').send('x'.repeat(3000))",
    ),
    (
        "forbidden",
        "r.set('Cache-Control', 'no-transform').type('text').send('x'.repeat(3000))",
    ),
    (
        "varies",
        "r.vary('Origin').type('text').send('x'.repeat(3000))",
    ),
    (
        "encoded",
        "r.set('Content-Encoding', 'x-own').type('text').send('x'.repeat(3000))",
    ),
    (
        "failed",
        "r.status(500).type('text').send('x'.repeat(3000))",
    ),
    ("nothing", "r.status(204).end()"),
    ("moved", "r.redirect('/')"),
];

const ACCEPTED: [&str; 10] = [
    "",
    "gzip",
    "gzip, deflate, br",
    "br;q=0.5, gzip",
    "gzip;q=0",
    "*",
    "identity",
    "*;q=0",
    "gzip;q=0.5, identity;q=0.8",
    "GZIP",
];

fn both() -> Running {
    let mut server = String::from(
        "const app = require('express')(); app.disable('x-powered-by');\n\
         app.use('/theirs', require('compression')({ enforceEncoding: 'identity' }));\n",
    );
    for (name, answer) in ANSWERS {
        let _ = writeln!(
            server,
            "app.all(['/theirs/{name}', '/ours/{name}'], (q, r) => {{ {answer}; }});"
        );
    }
    server.push_str("app.listen(3000);");
    let config = "[app.api]\ncommand = 'node server.js'\n[compress]\ncodings = ['br', 'gzip']\n\
                  [route.theirs]\npath = '/theirs'\nto = 'api'\ncompress = { enabled = false }\n\
                  [route.rest]\nto = 'api'\n";
    let mainstay = Mainstay::run("").packages();
    mainstay.file("server.js", &server).config(config).start()
}

fn asked(running: &Running, method: &str, path: &str, accepted: &str) -> Response {
    let accepted = match accepted {
        "" => String::new(),
        accepted => format!("Accept-Encoding: {accepted}\r\n"),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: api.example\r\n{accepted}Connection: close\r\n\r\n"
    );
    match method {
        "HEAD" => running.connect().send(head).response_to_head(),
        _ => running.request(head),
    }
}

fn decided(response: &Response) -> (u16, Option<String>, Option<String>) {
    let field = |name| response.header(name).map(str::to_ascii_lowercase);
    (response.status(), field("content-encoding"), field("vary"))
}

#[test]
fn every_decision_is_that_of_the_package() {
    let running = both();
    for (index, (name, _)) in ANSWERS.into_iter().enumerate() {
        // each answer with some, and the first with all
        let (accepted, methods) = match index {
            0 => (&ACCEPTED[..], &["GET", "HEAD", "POST"][..]),
            _ => (&ACCEPTED[..3], &["GET"][..]),
        };
        for accepted in accepted {
            for method in methods {
                let theirs = asked(&running, method, &format!("/theirs/{name}"), accepted);
                let ours = asked(&running, method, &format!("/ours/{name}"), accepted);
                assert_eq!(
                    decided(&ours),
                    decided(&theirs),
                    "{method} {name}, accepting {accepted:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_encoded_comes_back_as_it_was() {
    let server = "const app = require('express')(); const text = 'some words, '.repeat(9000);\n\
                  app.get('/sent', (q, r) => r.send(text));\n\
                  app.get('/piped', (q, r) => require('stream').Readable.from([text.slice(0, 7), text.slice(7)]).pipe(r.type('text')));\n\
                  app.listen(3000);";
    let running = Mainstay::run("").packages().file("server.js", server);
    let running = running
        .config("[app.api]\ncommand = 'node server.js'\n")
        .start();
    let plain = "some words, ".repeat(9_000);
    for path in ["/sent", "/piped"] {
        for coding in ["gzip", "br", "zstd"] {
            let answer = running
                .get_with(path, [("Accept-Encoding", coding)])
                .expect(200);
            let answer = answer.header_is("content-encoding", coding);
            assert!(answer.body().len() < 2_000, "{path} {coding}");
            assert_eq!(
                decoded(coding, answer.body()),
                plain.as_bytes(),
                "{path} {coding}"
            );
        }
        let _ = running
            .get(path)
            .header_absent("content-encoding")
            .body_is(&plain);
    }
}

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader: Box<dyn std::io::Read> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4_096)),
        _ => Box::new(zstd::stream::read::Decoder::new(bytes).expect("a decoder")),
    };
    // of a message that has not ended: as far as it came
    let mut piece = [0; 4_096];
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        out.extend_from_slice(&piece[..count]);
    }
    out
}

/// Reads chunk by chunk until what came can be read as far as `wanted`.
fn reads_as(wire: &mut Wire, coding: &str, got: &mut Vec<u8>, wanted: &str) {
    while !decoded(coding, got).ends_with(wanted.as_bytes()) {
        let size = wire.read_until("\r\n");
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        let mut chunk = wire.read_exactly(size + 2);
        chunk.truncate(size);
        got.extend(chunk);
    }
}

#[test]
fn each_event_of_a_stream_can_be_read_before_the_next_one_is_made() {
    let running = Mainstay::run("server.js").app("streaming").start();
    for coding in ["gzip", "br", "zstd"] {
        let mut wire = running.connect();
        wire.send(format!(
            "GET /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"
        ));
        let head = wire.read_until("\r\n\r\n").to_ascii_lowercase();
        assert!(
            head.contains(&format!("content-encoding: {coding}\r\n")),
            "{head}"
        );
        let mut got = Vec::new();
        reads_as(&mut wire, coding, &mut got, ": open\n\n");
        for _ in 0..5 {
            let next = running.get("/next").expect(200).text();
            let number = next
                .split("\"number\":")
                .nth(1)
                .and_then(|rest| rest.split(',').next());
            let event = format!("data: {}\n\n", number.expect("a number"));
            // the next one is not made before this one was read
            reads_as(&mut wire, coding, &mut got, &event);
        }
    }
}

#[test]
fn each_line_of_a_stream_can_be_read_before_the_next_one_is_made() {
    let server = "let number = 0; const open = [];\n\
        require('http').createServer((q, r) => {\n\
          if (q.url === '/next') { number += 1; open.forEach((one) => one.write(`{\"number\":${number}}\\n`)); return r.end(`${number}`); }\n\
          r.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' }); r.write('{\"open\":true}\\n'); open.push(r);\n\
        }).listen(3000);";
    let running = Mainstay::run("server.js").file("server.js", server).start();
    for coding in ["gzip", "br", "zstd"] {
        let mut wire = running.connect();
        wire.send(format!(
            "GET /lines HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"
        ));
        let head = wire.read_until("\r\n\r\n").to_ascii_lowercase();
        let is_encoded = head.contains(&format!("content-encoding: {coding}\r\n"));
        assert!(is_encoded, "{head}");
        let mut got = Vec::new();
        reads_as(&mut wire, coding, &mut got, "{\"open\":true}\n");
        for _ in 0..5 {
            let number = running.get("/next").expect(200).text();
            let line = format!("{{\"number\":{number}}}\n");
            reads_as(&mut wire, coding, &mut got, &line);
        }
    }
}

#[test]
fn a_download_keeps_its_length_and_can_be_taken_up_again() {
    let server = "const app = require('express')(); require('fs').writeFileSync('file.bin', 'x'.repeat(5000));\n\
                  app.use(require('express').static('.')); app.listen(3000);";
    let running = Mainstay::run("server.js")
        .packages()
        .file("server.js", server)
        .start();
    let accepts = ("Accept-Encoding", "gzip");
    let whole = running.get_with("/file.bin", [accepts]).expect(200);
    let whole = whole
        .header_absent("content-encoding")
        .header_is("content-length", "5000");
    let tag = whole.header("etag").expect("a tag").to_owned();
    let rest = running.get_with(
        "/file.bin",
        [accepts, ("Range", "bytes=4990-"), ("If-Match", "*")],
    );
    let _ = rest
        .expect(206)
        .body_is("x".repeat(10))
        .header_is("etag", &tag);
}
