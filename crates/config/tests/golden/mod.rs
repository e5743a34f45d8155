//! What came of something, beside what was written down of it: whole files, and folders of cases. Knows nothing of settings.

#![allow(
    dead_code,
    reason = "each test has a copy of its own, and uses what it needs"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const DASHES: &str = "----------\n";

/// Below the crate's folder.
fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Holds a generated file against the committed one. `UPDATE=1` writes it.
#[track_caller]
pub(crate) fn expect_file(path: &str, text: &str) {
    let path = place(path);
    if update_asked() {
        std::fs::write(&path, text).expect("written");
    }
    let found = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        found == text,
        "{}: run `cargo xtask generate`",
        path.display()
    );
}

/// Holds every file of a folder to its word: what comes of the text above a line of dashes stands below it. `UPDATE=1` writes what
/// came of it. There are more than `least`, or the folder is not the one that is meant.
#[track_caller]
pub(crate) fn expect_cases(folder: &str, least: usize, outcome: impl Fn(&str) -> String) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(place(folder))
        .expect("the cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() > least, "cases are missing");
    let mut failures = String::new();
    for path in paths {
        let case = std::fs::read_to_string(&path).expect("a case");
        let (input, expected) = case.split_once(DASHES).unwrap_or((&case, ""));
        let found = outcome(input);
        if found == expected {
            continue;
        }
        if update_asked() {
            std::fs::write(&path, format!("{input}{DASHES}{found}")).expect("written");
        } else {
            let _ = writeln!(
                failures,
                "== {}\n-- expected\n{expected}-- found\n{found}",
                path.display()
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite what is written down"
)]
fn update_asked() -> bool {
    std::env::var_os("UPDATE").is_some()
}
