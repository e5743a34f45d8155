//! `cargo xtask soak`: tests that have a long form in that form, against the release build.
//!
//! What may not be here: a soak that has no short form; every one of them runs, briefly, in `cargo xtask test`.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;
use crate::sources::{self, Source};
use crate::test;

/// What a test with two forms says.
const ASKS: &str = concat!("Form::", "asked()");

pub(crate) fn run(name: &str) -> Result<(), Failure> {
    test::prepare()?;
    let filter = filter(&sources::all()?, name);
    if filter.is_empty() {
        return Err(Failure::new(format!(
            "no test with a long form has `{name}` in its name"
        )));
    }
    let mut nextest = cargo([
        "nextest",
        "run",
        "--release",
        "--package",
        "mainstay-cli",
        "--profile",
        "soak",
    ]);
    // One at a time: each wants the machine for itself.
    nextest.args(["--test-threads", "1", "--no-fail-fast", "-E", &filter]);
    run_command(nextest.env("MAINSTAY_TEST_FORM", "long"))
}

/// The tests with two forms whose name contains `name`, for nextest.
fn filter(sources: &[Source], name: &str) -> String {
    let tests: Vec<String> = sources
        .iter()
        .filter(|source| source.path.starts_with("crates/cli/tests/it"))
        .flat_map(|source| with_two_forms(&source.text))
        .filter(|test| test.contains(name))
        .map(|test| format!("test(/::{test}$/)"))
        .collect();
    tests.join(" | ")
}

/// Names of the functions in which the form is asked for.
fn with_two_forms(text: &str) -> impl Iterator<Item = &str> {
    text.split("\nfn ")
        .skip(1)
        .filter(|function| function.contains(ASKS))
        .filter_map(|function| function.split('(').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_ask_for_their_form_are_found_by_their_names() {
        let source = |path: &str, text: String| Source {
            path: path.into(),
            text,
        };
        let sources = [
            source(
                "crates/cli/tests/it/kills.rs",
                format!(
                    "\nfn short() {{}}\n\nfn long() {{\n    {ASKS}.pick(1, 2);\n}}\n\nfn longer() {{ {ASKS} }}\n"
                ),
            ),
            source(
                "crates/testkit/src/form.rs",
                format!("\nfn own() {{ {ASKS} }}"),
            ),
        ];
        assert_eq!(filter(&sources, ""), "test(/::long$/) | test(/::longer$/)");
        assert_eq!(filter(&sources, "longer"), "test(/::longer$/)");
    }
}
