//! What `--help` says, word for word: `UPDATE=1` writes it anew.

use std::path::Path;

use mainstay_testkit::Mainstay;

#[test]
fn help_reads_as_written() {
    for (name, words) in [
        ("mainstay", &["--help"][..]),
        ("run", &["run", "--help"]),
        ("stop", &["stop", "--help"]),
        ("reload", &["reload", "--help"]),
        ("status", &["status", "--help"]),
        ("check", &["check", "--help"]),
        ("init", &["init", "--help"]),
    ] {
        let start = words
            .iter()
            .fold(Mainstay::say([]), |start, word| start.flags([word]));
        let found = start.finish().expect_code(0).output;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if update_asked() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite the texts"
)]
fn update_asked() -> bool {
    std::env::var_os("UPDATE").is_some()
}
