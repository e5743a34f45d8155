//! `cargo xtask soak`: tests that have a long form in that form, against the release build.
//!
//! What may not be here: a soak that has no short form; every one of them runs, briefly, in `cargo xtask test`.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;
use crate::sources::{self, Source};
use crate::test;

/// What a test with two forms says: one that may read its environment, and one of a library, which is told when it is built.
const ASKS: [&str; 2] = [
    concat!("Form::", "asked()"),
    concat!("option_env!(", "\"MAINSTAY_TEST_FORM\")"),
];

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
        "--package",
        "mainstay-pipeline",
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
        .filter_map(|source| Some((package(source)?, &source.text)))
        .flat_map(|(package, text)| with_two_forms(text).map(move |test| (package, test)))
        .filter(|(_, test)| test.contains(name))
        .map(|(package, test)| format!("(package({package}) & test(/::{test}$/))"))
        .collect();
    tests.join(" | ")
}

/// Whose tests are in this file, if they may have two forms.
fn package(source: &Source) -> Option<&'static str> {
    [
        ("crates/cli/tests/it", "mainstay-cli"),
        ("crates/pipeline/src", "mainstay-pipeline"),
    ]
    .into_iter()
    .find_map(|(folder, package)| source.path.starts_with(folder).then_some(package))
}

/// Names of the functions in which the form is asked for.
fn with_two_forms(text: &str) -> impl Iterator<Item = &str> {
    text.split("\nfn ")
        .skip(1)
        .filter(|function| ASKS.iter().any(|asks| function.contains(asks)))
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
        let [asks, asks_when_built] = ASKS;
        let sources = [
            source(
                "crates/cli/tests/it/kills.rs",
                format!(
                    "\nfn short() {{}}\n\nfn long() {{\n    {asks}.pick(1, 2);\n}}\n\nfn longer() {{ {asks} }}\n"
                ),
            ),
            source(
                "crates/pipeline/src/tests.rs",
                format!("\nfn longest() {{ {asks_when_built} }}\n\nfn never() {{}}"),
            ),
            source(
                "crates/testkit/src/form.rs",
                format!("\nfn own() {{ {asks} }}"),
            ),
        ];
        let all = filter(&sources, "");
        assert_eq!(
            all,
            "(package(mainstay-cli) & test(/::long$/)) | (package(mainstay-cli) & test(/::longer$/)) \
             | (package(mainstay-pipeline) & test(/::longest$/))"
        );
        let one = filter(&sources, "longer");
        assert_eq!(one, "(package(mainstay-cli) & test(/::longer$/))");
    }
}
