//! Whatever text a file holds, loading ends with settings or with problems that can be shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mainstay_config::{Flags, Included, Reachable, SourceFile, Sources, Style, explain, render};
use proptest::prelude::*;

fn load_and_render(bytes: Vec<u8>, flags: Flags, environment: BTreeMap<String, String>) {
    // whatever it includes: a file of the same text, and one that says something else
    let others: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::from([
        ("/srv/a.toml".into(), bytes.clone()),
        (
            "/srv/b.toml".into(),
            b"include = \"a.toml\"\nlisten = 1\n[limits]\nhead = \"64kb\"\n".to_vec(),
        ),
    ]);
    let file = SourceFile::new("mainstay.toml", "/srv", bytes);
    let sources = Sources {
        included: Included::by(&file, &others),
        reachable: Reachable::Memory(others),
        file: Some(file),
        environment,
        flags,
        folder: "/srv".into(),
    };
    if let Err(problems) = explain(&sources) {
        assert!(!problems.is_empty());
        let text = render(&problems, &sources, Style::Plain);
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

/// Words that settings files are made of, so that arbitrary text gets past the parser.
const WORDS: &str = "(\n|\\[|\\]|\\{|\\}|=|,|\\.|\"|'|#| |app|web|listen|http|route|to|path|host|headers|add|\
                     upstream|servers|env|limits|head|workers|preset|:3000|/api|\\*\\.x|10s|5mb|1|false|\
                     x-frame-options|include|profile|enabled|\"a.toml\"|\"\\*.toml\"|é|\u{1b}|\0){0,60}";

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        load_and_render(bytes, Flags::default(), BTreeMap::new());
    }

    #[test]
    fn any_words(text in WORDS) {
        load_and_render(text.into_bytes(), Flags::default(), BTreeMap::new());
    }

    #[test]
    fn any_value_anywhere(
        key in prop::sample::select(vec![
            "listen", "preset", "name", "user", "without", "trusted_proxies", "app", "app.web",
            "app.web.command", "app.web.env", "app.web.env.A", "app.web.workers", "app.web.port",
            "app.web.cwd", "upstream.u.servers", "upstream.u", "route.r", "route.r.to", "route.r.host",
            "headers.remove", "headers.add", "headers.add.x", "headers.mode", "headers.x-frame-options",
            "include", "limits.enabled", "profile", "profile.a", "profile.a.listen", "profile.a.app.web", "profile.a.limits.head", "limits.head", "limits.fields", "timeouts.head", "log.access", "listen.http",
        ]),
        value in "\"\\PC{0,10}\"|-?[0-9]{1,25}|[0-9.]{1,6}|true|false|\\[\\]|\\[1, \"a\"\\]|\\{\\}|\\{a = 1\\}|1979-05-27|[+-]?(inf|nan)|0xff|\"[ab*]\\.toml\"|\\[\"a.toml\", \"b.toml\"\\]",
    ) {
        load_and_render(format!("{key} = {value}\n").into_bytes(), Flags::default(), BTreeMap::new());
    }

    #[test]
    fn any_flags_and_environment(text in "\\PC{0,30}", name in "MAINSTAY_[A-Z_]{0,12}") {
        let some = || Some(text.clone());
        let flags = Flags {
            listen: some(), observe: some(), workers: some(), preset: some(), without: some(),
            env: some(), name: some(), upstream: some(), ..Flags::default()
        };
        let environment = BTreeMap::from([
            (name, text.clone()),
            ("MAINSTAY_LISTEN".to_owned(), text.clone()),
            ("MAINSTAY_TRUSTED_PROXIES".to_owned(), text.clone()),
        ]);
        load_and_render(Vec::new(), flags, environment);
    }
}

/// `pattern` so many times, with a number for `#`.
fn many(count: usize, pattern: &str) -> String {
    let one = |number: usize| pattern.replace('#', &number.to_string());
    (0..count).map(one).collect()
}

#[test]
fn hostile_files_end_in_time_and_in_few_words() {
    for text in [
        "[".repeat(500_000),
        format!("a = {}", "[".repeat(500_000)),
        format!("{} = 1", vec!["a"; 250_000].join(".")),
        "=\n".repeat(300_000),
        many(60_000, "k# = 1\n"),
        many(20_000, "[app.a#]\nx = 1\n"),
        many(20_000, "[app.a#]\n[route.a#]\nto = \"nobody\"\n"),
        format!("trusted_proxies = [{}]", many(100_000, "\"x#\",")),
        format!("[headers]\nremove = [{}]", many(100_000, "\"x#\",")),
        format!("listen = [{}]", many(100_000, "\":#\",")),
        "x".repeat(SourceFile::LONGEST + 1),
    ] {
        let sources = Sources {
            file: Some(SourceFile::new("mainstay.toml", "/srv", text.into_bytes())),
            folder: "/srv".into(),
            ..Sources::default()
        };
        let problems = explain(&sources).expect_err("hostile");
        assert!(problems.len() <= 51);
        let shown = render(&problems, &sources, Style::Plain);
        assert!(shown.len() < 100_000);
    }
}
