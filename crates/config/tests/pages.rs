//! Pages for errors, read from files beside the settings.

use std::path::Path;

use mainstay_config::{Reachable, Settings, SourceFile, Sources, load};
use mainstay_pipeline::PageKind;
use mainstay_values::Problems;

/// Settings with these pages, beside these files.
fn with(pages: &str, files: &[(&str, Vec<u8>)]) -> Result<Settings, Problems> {
    let file = |(name, text): &(&str, Vec<u8>)| (Path::new("/srv").join(name), text.clone());
    let text = format!("[app.api]\n[errors.pages]\n{pages}\n");
    load(&Sources {
        file: Some(SourceFile::new("mainstay.toml", "/srv", text.into_bytes())),
        folder: "/srv".into(),
        reachable: Reachable::Memory(files.iter().map(file).collect()),
        ..Sources::default()
    })
}

fn complaint(pages: &str, files: &[(&str, Vec<u8>)]) -> String {
    with(pages, files).expect_err("a problem").to_string()
}

#[test]
fn pages_are_read_from_beside_the_file() {
    let files = [
        ("lost.html", b"<p>{status}".to_vec()),
        ("e.json", b"{}".to_vec()),
        ("e.html", b"<p>e".to_vec()),
    ];
    let settings = with(
        "404 = \"lost.html\"\n5xx = [\"e.html\", \"e.json\"]",
        &files,
    );
    let pages = settings.expect("sound settings").pages;
    let found: Vec<_> = pages
        .iter()
        .map(|page| {
            (
                page.options.status.to_string(),
                page.options.kind,
                page.options.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("404".to_owned(), PageKind::Html, "<p>{status}"),
            ("5xx".to_owned(), PageKind::Html, "<p>e"),
            ("5xx".to_owned(), PageKind::Json, "{}"),
        ]
    );
}

#[test]
fn what_is_no_page_is_said() {
    let long = vec![b'x'; 256 * 1024 + 1];
    let full = vec![b'x'; 256 * 1024];
    for (pages, files, expected) in [
        ("404 = \"a.html\"", vec![], "cannot read `a.html`"),
        ("404 = \".\"", vec![], "a file that ends in `.html`"),
        (
            "404 = \"a.html\"",
            vec![("a.html", long)],
            "it is longer than 262144 bytes",
        ),
        (
            "404 = \"a.html\"",
            vec![("a.html", vec![0xff])],
            "it is not UTF-8",
        ),
        (
            "404 = [\"a.html\", \"b.html\"]",
            vec![("a.html", vec![]), ("b.html", vec![])],
            "two pages of one kind",
        ),
        (
            "404 = \"a.html\"\n405 = \"a.html\"\n406 = \"a.html\"\n408 = \"a.html\"\n409 = \"a.html\"",
            vec![("a.html", full)],
            "the pages are too long",
        ),
    ] {
        let found = complaint(pages, &files);
        assert!(found.contains(expected), "{found}");
    }
}
