//! The bundled sample app, as `cargo run --release` starts it.

use mainstay_testkit::Mainstay;

use crate::support::json;

#[test]
fn the_demo_is_the_sample_app() {
    let demo = Mainstay::say(["demo"]).env("MAINSTAY_LISTEN", "127.0.0.1:0");
    let links = demo.folder().join("links.jsonl");
    let mainstay = demo.env("SHORTENER_LINKS", links).start();
    mainstay.get("/").expect(200).body_contains("<form");
    let fields = [("Content-Type", "application/json")];
    let made = json(
        &mainstay
            .post("/links", fields, r#"{"url":"https://example.com/a"}"#)
            .expect(201),
    );
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["short"], format!("http://{}/{id}", mainstay.address()));
    // Any worker knows the link that one of them made.
    for _ in 0..8 {
        mainstay
            .get(&format!("/{id}"))
            .expect(302)
            .header_is("Location", "https://example.com/a");
    }
    assert!(mainstay.stop().success());
}
