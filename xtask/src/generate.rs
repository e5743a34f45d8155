//! Documents made from code: in the crate that knows, a test named `the_page_is_up_to_date` compares the committed
//! page with what the code says, and writes it when `UPDATE` is set.
//!
//! What may not be here: text. A sentence of a generated document lives beside the code it describes.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// The crates whose tests write pages: `docs/configuration.md`, `docs/mainstay.default.toml`, `docs/mainstay.schema.json`,
/// `docs/life-of-a-request.md`.
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
