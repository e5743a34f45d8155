//! The bundled sample app, as `cargo run --release` starts it.

use std::os::unix::fs::PermissionsExt as _;

use mainstay_testkit::{Folder, Mainstay};

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

#[test]
fn the_links_of_the_demo_are_private_and_go_with_it() {
    let temporary = Folder::new();
    let mainstay = Mainstay::say(["demo"])
        .env("MAINSTAY_LISTEN", "127.0.0.1:0")
        .env("TMPDIR", temporary.path())
        .start();
    let _ = mainstay
        .post(
            "/links",
            [("Content-Type", "application/json")],
            r#"{"url":"https://example.com/a"}"#,
        )
        .expect(201);
    let folders = || std::fs::read_dir(temporary.path()).expect("a folder");
    let folder = folders().flatten().next().expect("the folder of the links");
    let mode = folder.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(folder.path().join("links.jsonl").is_file());
    mainstay.output_contains_eventually(" → shortener");
    let before = mainstay.pid();
    Mainstay::say(["reload", "--settings"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    assert_eq!(folders().count(), 1, "a reload makes no other one");
    assert_eq!(mainstay.pid(), before);
    assert!(mainstay.stop().success());
    assert_eq!(folders().count(), 0, "nothing is left");
}
