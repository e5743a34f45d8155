//! Documents made from code: in the crate that knows, a test named `the_page_is_up_to_date` compares the committed
//! page with what the code says, and writes it when `UPDATE` is set.
//!
//! What may not be here: text. A sentence of a generated document lives beside the code it describes.

use std::fs;

use crate::command::{cargo, root, run as run_command};
use crate::failure::Failure;

/// What is generated, and so never edited by hand.
const GENERATED: &[&str] = &["docs/configuration.md", "docs/life-of-a-request.md"];

/// The crates whose tests write them.
const WRITERS: [&str; 2] = ["mainstay-config", "mainstay-pipeline"];

pub(crate) fn run() -> Result<(), Failure> {
    let mut test = cargo(["test", "--quiet"]);
    for writer in WRITERS {
        test.args(["--package", writer]);
    }
    // Only those tests: others would rewrite what they should judge.
    run_command(
        test.args(["--", "the_page_is_up_to_date"])
            .env("UPDATE", "1"),
    )
}

/// Generates, and fails if that changed anything.
pub(crate) fn verify() -> Result<(), Failure> {
    let before = contents();
    run()?;
    let after = contents();
    let stale: Vec<String> = before
        .iter()
        .zip(&after)
        .filter(|(old, new)| old != new)
        .map(|(_, (path, _))| path.clone())
        .collect();
    Failure::unless_empty(
        "generated documents were stale; commit what `cargo xtask generate` wrote",
        &stale,
    )
}

fn contents() -> Vec<(String, String)> {
    let read = |path: &&str| {
        (
            (*path).to_owned(),
            fs::read_to_string(root().join(path)).unwrap_or_default(),
        )
    };
    GENERATED.iter().map(read).collect()
}
