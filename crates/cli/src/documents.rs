//! Every settings file that a document shows loads. What may not be here: anything but that test.

use std::fmt::Write as _;

use mainstay_config::{Reachable, SourceFile, Sources, load};
use mainstay_testkit::document_blocks;

/// The example of a route in the reference points at an app that it does not show.
const APP_OF_THE_REFERENCE: &str = "\n[app.api]\ncommand = \"node server.js\"\n";

/// The pages for errors that documents name.
fn pages() -> Reachable {
    let names = ["not-found.html", "soon.html", "error.html", "error.json"];
    let page = |name| {
        (
            format!("/srv/shop/pages/{name}").into(),
            b"{title}".to_vec(),
        )
    };
    Reachable::Memory(names.map(page).into())
}

#[test]
fn every_settings_file_in_the_documents_loads() {
    let blocks = document_blocks();
    let files = blocks.iter().filter(|block| block.language == "toml");
    let mut complaints = String::new();
    let mut count = 0;
    for block in files {
        count += 1;
        let mut text = block.text.clone();
        if block.document == "docs/configuration.md" && text.contains("[route.") {
            text.push_str(APP_OF_THE_REFERENCE);
        }
        let sources = Sources {
            file: Some(SourceFile::new("mainstay.toml", "/srv/shop", text.into())),
            folder: "/srv/shop".into(),
            reachable: pages(),
            ..Sources::default()
        };
        if let Err(problems) = load(&sources) {
            let _ = writeln!(complaints, "{}:{}\n{problems}", block.document, block.line);
        }
    }
    assert!(count > 10, "only {count} blocks were found");
    assert!(complaints.is_empty(), "{complaints}");
}
