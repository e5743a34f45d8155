//! The app answers as its table says.

use http::Response;
use serde_json::Value;

use super::*;

struct App {
    shortener: Shortener,
    _file: tempfile::NamedTempFile,
}

fn app() -> App {
    let file = tempfile::NamedTempFile::new().unwrap();
    App {
        shortener: Shortener::open(file.path()).unwrap(),
        _file: file,
    }
}

impl App {
    fn ask(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Response<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "go.example");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.shortener
            .handle(
                &request
                    .body(Bytes::copy_from_slice(body.as_bytes()))
                    .unwrap(),
            )
            .response
    }

    fn get(&self, path: &str) -> Response<Bytes> {
        self.ask(Method::GET, path, &[], "")
    }

    fn post(&self, kind: &str, body: &str) -> Response<Bytes> {
        self.ask(Method::POST, "/links", &[("content-type", kind)], body)
    }
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn a_link_is_made_followed_and_counted() {
    let app = app();
    let made = app.post(
        "application/json; charset=utf-8",
        r#"{"url":"https://a.example/x?y"}"#,
    );
    assert_eq!(made.status(), 201);
    let made = json(&made);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["short"], format!("http://go.example/{id}"));

    let followed = app.get(&format!("/{id}"));
    assert_eq!(
        (followed.status().as_u16(), &followed.headers()[LOCATION]),
        (302, &"https://a.example/x?y".parse().unwrap())
    );
    assert_eq!(json(&app.get(&format!("/links/{id}")))["visits"], 1);
    assert_eq!(json(&app.get("/links"))[0]["id"], id);
}

#[test]
fn a_form_in_a_browser_gets_pages() {
    let app = app();
    let fields = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("x-forwarded-proto", "https"),
    ];
    let made = app.ask(
        Method::POST,
        "/links",
        &fields,
        "url=https%3A%2F%2Fa.example%2F%26%27",
    );
    assert_eq!(made.status(), 201);
    assert!(
        str::from_utf8(made.body())
            .unwrap()
            .contains("https://go.example/")
    );
    assert!(
        str::from_utf8(app.get("/").body())
            .unwrap()
            .contains("https://a.example/&amp;&#39;")
    );
    assert_eq!(
        app.ask(Method::POST, "/links", &fields, "url=nonsense")
            .status(),
        400
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    let app = app();
    for (method, path, kind, body, status) in [
        (Method::POST, "/links", "application/json", "{}", 400),
        (Method::POST, "/links", "application/json", "not json", 400),
        (
            Method::POST,
            "/links",
            "application/json",
            r#"{"url":"javascript:1"}"#,
            400,
        ),
        (
            Method::POST,
            "/links",
            "application/x-www-form-urlencoded",
            "url=%zz",
            400,
        ),
        (
            Method::POST,
            "/links",
            "text/plain",
            "https://a.example/",
            415,
        ),
        (Method::POST, "/links", "", "", 415),
        (
            Method::POST,
            "/links",
            "application/json",
            &"x".repeat(9000),
            413,
        ),
        (Method::DELETE, "/links", "", "", 405),
        (Method::POST, "/", "", "", 405),
        (Method::GET, "/nobody", "", "", 404),
        (Method::GET, "/links/nobody", "", "", 404),
        (Method::GET, "/../etc/passwd", "", "", 404),
    ] {
        let answer = app.ask(method.clone(), path, &[("content-type", kind)], body);
        assert_eq!(answer.status(), status, "{method} {path} {kind} {body:.40}");
        assert_eq!(json(&answer)["error"]["status"], status);
    }
}

#[test]
fn a_host_that_is_none_is_not_repeated() {
    let app = app();
    let fields = [("content-type", "application/json")];
    let mut request = Request::post("/links").header(fields[0].0, fields[0].1);
    request = request.header(HOST, "a.example/\"><script>");
    let answer = app.shortener.handle(
        &request
            .body(Bytes::from_static(br#"{"url":"https://a.example/"}"#))
            .unwrap(),
    );
    assert!(
        json(&answer.response)["short"]
            .as_str()
            .unwrap()
            .starts_with('/')
    );
}

#[test]
fn slow_is_slow_within_bounds() {
    let app = app();
    for (path, milliseconds) in [
        ("/slow", 2000),
        ("/slow?ms=5", 5),
        ("/slow?ms=99999999", 10_000),
        ("/slow?ms=x", 2000),
    ] {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        assert_eq!(
            app.shortener.handle(&request).delay,
            Duration::from_millis(milliseconds),
            "{path}"
        );
    }
}

#[test]
fn boom_tells_too_much() {
    let answer = app().get("/boom");
    assert_eq!(answer.status(), 500);
    assert!(str::from_utf8(answer.body()).unwrap().contains("hunter2"));
}
