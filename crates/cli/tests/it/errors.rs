//! What clients see of errors of real apps: no insides, and pages of the user's own.

use mainstay_testkit::{Mainstay, Origin, Running, eventually, free_port};
use serde_json::Value;

use crate::authentication::made_key;
use crate::support::json;

/// An Express app that fails in every way, and in every coding.
const SHOP: &str = r"
const express = require('express');
const zlib = require('zlib');
const app = express();
const leak = 'Error: no connection\n    at find (/srv/shop/db.js:3:9)';
app.set('env', 'development');
app.get('/', (request, response) => response.send('shop'));
app.get('/boom', () => { throw new Error('the database password is hunter2'); });
app.get('/missing', (request, response) => response.status(404).json({ error: 'no such order', stack: leak }));
app.get('/business', (request, response) => response.status(503).set('Retry-After', '7').json({ error: 'sold out', code: 12 }));
app.get('/packed/:coding', (request, response) => {
  const pack = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync }[request.params.coding];
  response.status(500).set({ 'Content-Encoding': request.params.coding, 'Content-Type': 'text/plain', ETag: 'x', 'Set-Cookie': 'sid=1' });
  response.end(pack(leak));
});
app.get('/bomb', (request, response) => {
  response.status(500).set('Content-Encoding', 'gzip').end(zlib.gzipSync(Buffer.alloc(100 << 20)));
});
app.listen(3000);
";

fn shop() -> Mainstay {
    Mainstay::run("server.js")
        .file("server.js", SHOP)
        .packages()
}

/// The same by a settings file.
fn shop_with(settings: &str) -> Mainstay {
    let run = Mainstay::run("").file("server.js", SHOP);
    run.packages().config(settings)
}

/// The first line of the error log of which this is true.
#[track_caller]
fn error_line(mainstay: &Running, is_meant: impl Fn(&Value) -> bool) -> Value {
    eventually("a line of the error log", || {
        let output = mainstay.output();
        let lines = output
            .lines()
            .filter(|line| line.contains(r#""type":"error""#));
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(&is_meant)
    })
}

#[test]
fn a_trace_of_express_stays_in_the_log() {
    let mainstay = shop().start();
    let answer = mainstay.get("/boom?token=abc").expect(500);
    let id = answer.header("X-Request-Id").expect("an id").to_owned();
    let answer = answer
        .body_lacks("hunter2")
        .header_is("Cache-Control", "no-store");
    let error = &json(&answer)["error"];
    assert_eq!(error["message"], "An unexpected error occurred");
    assert_eq!(error["code"], "INTERNAL_ERROR");
    assert_eq!(error["request_id"], id.as_str());
    let line = error_line(&mainstay, |line| line["request_id"] == id.as_str());
    assert_eq!(line["leak"], "trace");
    assert_eq!(line["path"], "/boom?token=***");
    assert!(
        line["origin"]
            .as_str()
            .is_some_and(|origin| origin.ends_with("/0")),
        "{line}"
    );
    let body = line["body"].as_str().expect("a body");
    assert!(
        body.contains("hunter2") && body.contains("server.js:"),
        "{body}"
    );
    mainstay.output_contains_eventually(r#""reason":"scrubbed""#);

    let page = mainstay
        .get_with("/boom", [("Accept", "text/html")])
        .expect(500);
    page.header_is("Content-Type", "text/html; charset=utf-8")
        .body_lacks("hunter2")
        .body_contains("<h1>");
    assert!(mainstay.stop().success());
}

#[test]
fn the_error_log_names_the_user_whom_authentication_knows() {
    let (key, hash) = made_key();
    let settings =
        format!("[app.shop]\ncommand = \"node server.js\"\n[auth.key.anna]\nhash = \"{hash}\"\n");
    let mainstay = shop_with(&settings).start();
    mainstay.get("/boom").expect(401);
    let answer = mainstay.get_with("/boom", [("X-Api-Key", &key)]);
    let answer = answer.expect(500).body_lacks("hunter2");
    let id = answer.header("X-Request-Id").expect("an id");
    let line = error_line(&mainstay, |line| line["request_id"] == id);
    assert_eq!(line["user"], "anna");
    assert!(!mainstay.output().contains(&key), "a key is in the log");
}

#[test]
fn compressed_traces_are_found_and_bombs_are_bounded() {
    let mainstay = shop().start();
    for coding in ["gzip", "deflate", "br"] {
        let path = format!("/packed/{coding}");
        let answer = mainstay
            .get_with(&path, [("Accept-Encoding", coding)])
            .expect(500);
        let answer = answer
            .header_absent("Content-Encoding")
            .header_absent("ETag");
        assert_eq!(json(&answer)["error"]["status"], 500, "{coding}");
        answer.header_is("Set-Cookie", "sid=1");
    }
    let answer = mainstay.get("/bomb").expect(500);
    assert_eq!(json(&answer)["error"]["status"], 500);
    error_line(&mainstay, |line| line["leak"] == "unreadable");
    assert!(mainstay.stop().success());
}

#[test]
fn what_an_app_means_its_clients_to_read_passes() {
    let mainstay = shop().start();
    mainstay
        .get("/missing")
        .expect(404)
        .body_contains("/srv/shop/db.js");
    mainstay
        .get("/business")
        .expect(503)
        .header_is("Retry-After", "7")
        .body_is(r#"{"error":"sold out","code":12}"#);
    mainstay.output_lacks(r#""type":"error""#);
    assert!(mainstay.stop().success());
}

#[test]
fn in_development_and_without_the_layer_the_app_has_the_word() {
    for (variables, settings, sees) in [
        (Some("development"), "", true),
        (Some("development"), "preset = \"strict\"\n", false),
        (Some("production"), "", false),
        (None, "without = [\"errors\"]\n", true),
        (None, "preset = \"off\"\n", true),
        (None, "[errors]\nscrub = false\n", true),
    ] {
        let settings = format!("{settings}[app.shop]\ncommand = \"node server.js\"\nworkers = 1\n");
        let mut run = shop_with(&settings);
        if let Some(value) = variables {
            run = run.env("NODE_ENV", value);
        }
        let mainstay = run.start();
        let text = mainstay.get("/boom").expect(500).text();
        assert_eq!(text.contains("hunter2"), sees, "{variables:?} {settings}");
        assert!(mainstay.stop().success());
    }
}

#[test]
fn own_pages_stand_for_errors_and_for_an_apps_where_that_is_asked() {
    let settings = "\
[errors]
replace = [404]
[errors.pages]
404 = \"pages/lost.html\"
5xx = [\"pages/e.html\", \"pages/e.json\"]
[app.shop]
command = \"node server.js\"
";
    let run = shop_with(settings);
    let run = run.file("pages/lost.html", "<p>lost: {status} {title}");
    let run = run.file("pages/e.html", "<p>ours: {request_id}");
    let mainstay = run
        .file("pages/e.json", "{\"ours\":\"{request_id}\"}")
        .start();
    let browser = [("Accept", "text/html")];
    mainstay
        .get_with("/missing", browser)
        .expect(404)
        .body_is("<p>lost: 404 Not Found");
    let answer = mainstay.get_with("/boom", browser).expect(500);
    let id = answer.header("X-Request-Id").expect("an id").to_owned();
    answer.body_is(format!("<p>ours: {id}"));
    mainstay
        .get("/boom")
        .expect(500)
        .body_contains("{\"ours\":\"");
    mainstay
        .get_with("/business", browser)
        .expect(503)
        .body_contains("sold out");

    let gone = { Origin::says("hello").start().address() };
    let settings =
        format!("[errors.pages]\n5xx = \"e.html\"\n[upstream.gone]\nserver = \"{gone}\"\n");
    let other = Mainstay::run("")
        .file("e.html", "<p>gone")
        .config(&settings);
    let other = other.start();
    other.get_with("/", browser).expect(502).body_is("<p>gone");
}

#[test]
fn a_stream_that_fails_is_no_longer_than_it_was() {
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let origin = Origin::answers(format!(
        "{head}b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n0\r\n\r\n"
    ))
    .start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    let answer = mainstay
        .get("/")
        .expect(503)
        .header_is("Content-Type", "text/event-stream");
    answer.body_is("data: one\n\ndata: two\n\n");
}

#[test]
fn explain_names_who_replaced_the_answer() {
    let mainstay = shop().start();
    let told = Mainstay::say(["explain", "GET", "/boom", "--send"])
        .beside(&mainstay)
        .finish();
    let text = told.expect_code(0).output;
    assert!(
        text.contains("scrub replaced: it showed a stack trace"),
        "{text}"
    );
    assert!(
        text.contains("content-type: application/json; charset=utf-8  # scrub"),
        "{text}"
    );
    assert!(mainstay.stop().success());
}

#[test]
fn what_was_replaced_is_counted() {
    let origin =
        Origin::answers("HTTP/1.1 500 No\r\nContent-Length: 25\r\n\r\nat f (/srv/shop/a.js:1:2)")
            .start();
    let observe = format!("127.0.0.1:{}", free_port());
    let run = Mainstay::in_front_of(&origin.address());
    let mainstay = run.flags(["--observe", &observe]).start();
    mainstay.get("/").expect(500).body_lacks("/srv/");
    let mut wire = mainstay.connect_to(observe.parse().expect("an address"));
    wire.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = wire.response().text();
    assert!(
        text.contains("mainstay_responses_scrubbed_total 1"),
        "{text}"
    );
}
