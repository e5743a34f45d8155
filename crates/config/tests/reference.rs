//! The reference says what is: it is the committed page, and its defaults are the defaults.

mod golden;

use std::fmt::Write as _;
use std::path::Path;

use mainstay_config::{Reachable, Settings, SourceFile, Sources, load, reference};

#[test]
fn the_page_is_up_to_date() {
    golden::expect_file("../../docs/configuration.md", &reference());
}

fn load_text(text: &str) -> Settings {
    // the files that the examples name
    let pages = ["not-found.html", "error.html", "error.json"];
    let pages = pages.map(|name| (Path::new("/srv/pages").join(name), b"{title}".to_vec()));
    let sources = Sources {
        file: Some(SourceFile::new("mainstay.toml", "/srv", text.into())),
        folder: "/srv".into(),
        reachable: Reachable::Memory(pages.into()),
        ..Sources::default()
    };
    load(&sources).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Writing every default down changes nothing.
#[test]
fn documented_defaults_are_the_defaults() {
    let mut heading = String::new();
    let mut written = String::new();
    for line in reference().lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.replace('`', "");
            // a section that stands there says something: a policy of its own
            if heading.starts_with('[') && !heading.contains("headers") {
                let _ = writeln!(written, "{}", heading.replace("NAME", "web"));
            }
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if let [key, _, default, _] = cells.as_slice()
            && let Some(key) = key
                .strip_prefix("| `")
                .and_then(|key| key.strip_suffix('`'))
            && let Some(default) = default
                .strip_prefix('`')
                .and_then(|text| text.strip_suffix('`'))
            && !default.contains('`')
            && !heading.contains("headers")
        {
            let _ = writeln!(written, "{key} = {default}");
        }
    }
    assert!(
        written.contains("\n[limits]\nhead = \"32kb\"\n"),
        "{written}"
    );
    let needed = "[app.web]\n[upstream.web]\n[route.web]\n";
    for heading in needed.lines() {
        assert!(written.contains(heading), "{written}");
    }
    let written = written
        .replace("[upstream.web]\n", "")
        .replace("[route.web]\n", "[route.web]\nto = \"web\"\n")
        .replace("[rate_limit.web]\n", LIMIT);
    let plain = "[app.web]\n[route.web]\nto = \"web\"\npath = \"/\"\n[cache]\n[auth.users]\n[auth.key.web]\n[auth.jwt.web]\n[auth.forward]\n";
    let plain = format!("{plain}{LIMIT}");
    assert_eq!(load_text(&named(&written)), load_text(&named(&plain)));
}

/// Without a rate it limits nothing.
const LIMIT: &str = "[rate_limit.web]\nrate = \"100/15m\"\n";

/// With somebody who may come, without whom `[auth]` is none.
fn named(text: &str) -> String {
    let digits = "0".repeat(64);
    let key = format!("[auth.key.web]\nhash = \"sha256:{digits}\"\n");
    let issuer = "[auth.jwt.web]\njwks = \"https://id.example/keys\"\n";
    text.replace("[auth.key.web]\n", &key)
        .replace("[auth.forward]\n", "[auth.forward]\nto = \"web\"\n")
        .replace("[auth.jwt.web]\n", issuer)
}

#[test]
fn every_example_loads() {
    let page = reference();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() >= 8);
    for example in examples {
        let mut text = example.to_owned();
        if example.contains("to = \"api\"") {
            text.push_str("[app.api]\n");
        }
        load_text(&text);
    }
}
