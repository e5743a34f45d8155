use std::sync::Arc;
use std::time::Instant;

use super::*;

fn exchange(accept: &str) -> Exchange {
    let request = http::Request::builder()
        .header("accept", accept)
        .body(Body::Empty)
        .expect("a request");
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    exchange.request_id = HeaderValue::from_static("abc");
    exchange
}

fn text(body: &Body) -> String {
    let Body::Full(text) = body else {
        panic!("a page has a body")
    };
    String::from_utf8(text.to_vec()).expect("text")
}

fn rendered(pages: &Pages, accept: &str, refusal: Refusal) -> (http::response::Parts, String) {
    let response = pages.render(&mut exchange(accept), refusal);
    let (parts, body) = response.into_parts();
    (parts, text(&body))
}

#[test]
fn programs_get_json() {
    for accept in ["*/*", "application/json", "application/json, text/html"] {
        let refusal = Refusal::OriginMalformed("two_lengths");
        let (parts, text) = rendered(&Pages::new(&[]), accept, refusal);
        assert_eq!(parts.status, 502);
        assert_eq!(
            text,
            r#"{"error":{"message":"The application did not answer properly. Please try again.","code":"BAD_GATEWAY","status":502,"request_id":"abc"}}"#
        );
    }
}

#[test]
fn browsers_get_a_page_and_nobody_gets_insides() {
    let accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
    let refusal = Refusal::OriginMalformed("two_lengths");
    let (parts, text) = rendered(&Pages::new(&[]), accept, refusal);
    assert_eq!(parts.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(text.contains("Bad Gateway") && text.contains("abc"));
    assert!(!text.contains("two_lengths"));
}

#[test]
fn own_pages_come_first_and_one_status_before_its_class() {
    let page = |status: &str, kind, text: &str| PageOptions {
        status: status.parse().expect("a status"),
        kind,
        text: text.to_owned(),
    };
    let pages = Pages::new(&[
        page("5xx", PageKind::Html, "<p>{status} {request_id}"),
        page("503", PageKind::Html, "<p>soon"),
        page("5xx", PageKind::Json, "{\"id\":\"{request_id}\"}"),
    ]);
    for (accept, refusal, expected) in [
        ("text/html", Refusal::OriginGone, "<p>502 abc"),
        ("text/html", Refusal::NoWorker, "<p>soon"),
        ("*/*", Refusal::NoWorker, "{\"id\":\"abc\"}"),
    ] {
        let (parts, text) = rendered(&pages, accept, refusal);
        assert_eq!(text, expected);
        let retries = refusal.retry_after().is_some();
        assert_eq!(parts.headers.contains_key(RETRY_AFTER), retries);
    }
    let (_, ours) = rendered(&pages, "text/html", Refusal::NoRoute);
    assert!(ours.contains("Not Found"), "{ours}");
}

#[test]
fn an_apps_answer_loses_what_speaks_of_its_body() {
    let response = http::Response::builder()
        .status(500)
        .header("content-type", "text/html")
        .header("content-length", "7")
        .header("content-encoding", "gzip")
        .header("etag", "\"a\"")
        .header("cache-control", "public, max-age=60")
        .header("set-cookie", "sid=1")
        .header("retry-after", "9")
        .header("access-control-allow-origin", "*")
        .header("x-debug-exception-file", "/srv/x.php")
        .body(Body::from("secrets"))
        .expect("a response");
    let replaced = Pages::new(&[]).replace(&exchange("*/*"), response);
    assert_eq!(
        text(replaced.body()),
        r#"{"error":{"message":"An unexpected error occurred","code":"INTERNAL_ERROR","status":500,"request_id":"abc"}}"#
    );
    let mut fields: Vec<_> = replaced
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "access-control-allow-origin: *",
            "cache-control: no-store",
            "content-type: application/json; charset=utf-8",
            "retry-after: 9",
            "set-cookie: sid=1",
        ]
    );
}
