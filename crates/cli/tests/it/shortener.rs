//! The shortener in Express: the API of the bundled sample app, and the same file of links.

use mainstay_testkit::{Mainstay, Running};
use serde_json::Value;

use crate::support::json;

const AS_JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn express() -> Mainstay {
    Mainstay::run(".")
        .example("shortener-express")
        .packages()
        .flags(["-n", "2"])
}

#[track_caller]
fn make(mainstay: &Running, url: &str) -> Value {
    let body = format!(r#"{{"url":"{url}"}}"#);
    json(&mainstay.post("/links", AS_JSON, &body).expect(201))
}

#[test]
fn the_express_shortener_creates_redirects_and_counts_over_its_workers() {
    let mainstay = express().start();
    mainstay.get("/").expect(200).body_contains("<form");
    let made = make(&mainstay, "https://example.com/a?b=c");
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["short"], format!("http://{}/{id}", mainstay.address()));
    for _ in 0..8 {
        let answer = mainstay.get(&format!("/{id}")).expect(302);
        answer
            .header_is("Location", "https://example.com/a?b=c")
            .header_is("Cache-Control", "no-store");
    }
    for path in ["/links", &format!("/links/{id}")] {
        let found = json(&mainstay.get(path).expect(200));
        let link = found.get(0).unwrap_or(&found);
        assert_eq!(
            (&link["visits"], &link["url"]),
            (&8.into(), &made["url"]),
            "{path}: {found}"
        );
    }
    assert_ne!(
        json(&mainstay.get("/slow?ms=1").expect(200))["worker"],
        Value::Null
    );
    mainstay.get("/boom").expect(500);
    assert!(mainstay.stop().success());
}

#[test]
fn both_shorteners_refuse_alike() {
    let demo = Mainstay::say(["demo"]).env("MAINSTAY_LISTEN", "127.0.0.1:0");
    let links = demo.folder().join("links.jsonl");
    let (rust, express) = (
        demo.env("SHORTENER_LINKS", links).start(),
        express().start(),
    );
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "text/html"),
    ];
    for shortener in [&rust, &express] {
        for (body, status) in [
            (r#"{"url":"javascript:alert(1)"}"#, 400),
            (r#"{"url":"https:///path"}"#, 400),
            (r#"{"url":"https://bank.example@evil.example/"}"#, 400),
            (r#"{"url":"https://example.com/\"><script>"}"#, 400),
            (r#"{"url":7}"#, 400),
            ("{}", 400),
            ("{", 400),
        ] {
            let answer = json(&shortener.post("/links", AS_JSON, body).expect(status));
            assert_eq!(answer["error"]["status"], status, "{body}: {answer}");
        }
        let long = format!(r#"{{"url":"https://example.com/{}"}}"#, "x".repeat(9000));
        shortener.post("/links", AS_JSON, &long).expect(413);
        shortener
            .post("/links", [("Content-Type", "text/plain")], "x")
            .expect(415);
        shortener
            .post("/absent", AS_JSON, "{}")
            .expect(405)
            .header_is("Allow", "GET, HEAD");
        shortener.get("/absent").expect(404);
        shortener.get("/links/absent").expect(404);
        shortener
            .post("/links", form, "url=ftp%3A%2F%2Fa")
            .expect(400)
            .body_contains("role=alert");
        shortener
            .post("/links", form, "url=https%3A%2F%2Fa.example")
            .expect(201)
            .body_contains("Your link");
    }
}

#[test]
fn what_one_shortener_wrote_the_other_reads() {
    let express = express().start();
    let made = make(&express, "https://example.com/both");
    let path = format!("/{}", made["id"].as_str().unwrap());
    let demo = Mainstay::say(["demo"]).env("MAINSTAY_LISTEN", "127.0.0.1:0");
    let rust = demo
        .env("SHORTENER_LINKS", express.folder().join("links.jsonl"))
        .start();
    rust.get(&path)
        .expect(302)
        .header_is("Location", "https://example.com/both");
    express.get(&path).expect(302);
    for shortener in [&rust, &express] {
        let link = json(&shortener.get(&format!("/links{path}")).expect(200));
        assert_eq!(link["visits"], 2, "{link}");
    }
}
