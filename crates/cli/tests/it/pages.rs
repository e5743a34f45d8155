//! Answers that are Mainstay's own, and headers on everybody's.

use mainstay_testkit::{Mainstay, Origin, Running};

use crate::support::json;

fn house(flags: [&str; 2]) -> (Running, Origin) {
    let origin =
        Origin::answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Powered-By: Express\r\n\r\nok")
            .start();
    (
        Mainstay::in_front_of(&origin.address())
            .flags(flags)
            .start(),
        origin,
    )
}

fn nobody() -> Running {
    let gone = { Origin::says("hello").start().address() };
    Mainstay::in_front_of(&gone).start()
}

#[test]
fn programs_get_json_and_browsers_a_page() {
    let mainstay = nobody();
    let answer = mainstay
        .get_with("/", [("Accept", "application/json")])
        .expect(502);
    let error = &json(&answer)["error"];
    assert_eq!(error["status"], 502);
    for key in ["message", "code", "request_id"] {
        assert!(error[key].is_string(), "{key} in {error}");
    }
    let page = mainstay
        .get_with("/", [("Accept", "text/html,*/*;q=0.8")])
        .expect(502);
    assert!(
        page.header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    page.body_contains("<html");
}

#[test]
fn health_is_answered_before_and_beside_the_app() {
    let (mainstay, origin) = house(["--preset", "safe"]);
    for path in ["/.mainstay/live", "/.mainstay/ready", "/.mainstay/startup"] {
        mainstay.get(path).expect(200);
    }
    assert_eq!(origin.received().len(), 0, "the app is not asked");
}

#[test]
fn safe_headers_break_nothing() {
    let (mainstay, _origin) = house(["--preset", "safe"]);
    let answer = mainstay
        .get("/")
        .expect(200)
        .header_absent("X-Powered-By")
        .header_is("X-Content-Type-Options", "nosniff");
    let answer = answer.header_is("Referrer-Policy", "strict-origin-when-cross-origin");
    answer
        .header_absent("Content-Security-Policy")
        .header_absent("X-Frame-Options")
        .header_absent("Strict-Transport-Security");
}

#[test]
fn strict_headers_are_those_of_helmet() {
    let (mainstay, _origin) = house(["--preset", "strict"]);
    let answer = mainstay
        .get("/")
        .expect(200)
        .header_absent("X-Powered-By")
        .header_is("X-Frame-Options", "SAMEORIGIN");
    // Never over plain HTTP.
    let answer = answer.header_absent("Strict-Transport-Security");
    assert!(
        answer
            .header("Content-Security-Policy")
            .is_some_and(|policy| policy.starts_with("default-src 'self'"))
    );
}

#[test]
fn no_preset_leaves_the_app_its_own() {
    let (mainstay, _origin) = house(["--preset", "off"]);
    mainstay
        .get("/")
        .expect(200)
        .header_is("X-Powered-By", "Express")
        .header_absent("X-Content-Type-Options");
}
