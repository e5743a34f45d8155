//! Tests that documents name, as `CRATE/FILE::NAME`: they must exist.
//!
//! A page that promises a behaviour and names the test for it is worth as much as the test. What may not be here:
//! running them.

use std::path::Path;

use crate::failure::Failure;
use crate::sources::{self, Source};

pub(crate) fn check() -> Result<(), Failure> {
    let all = sources::all()?;
    let documents = all.iter().filter(|source| source.is("md"));
    let complaints: Vec<String> = documents
        .flat_map(|document| missing(document, &all))
        .collect();
    Failure::unless_empty("tests that documents name and nobody wrote", &complaints)
}

fn missing(document: &Source, all: &[Source]) -> Vec<String> {
    let lines = document.text.lines().enumerate();
    lines
        .flat_map(|(number, line)| {
            let words = line.split('`').skip(1).step_by(2);
            words
                .filter_map(Named::parse)
                .filter(|named| !all.iter().any(|source| named.stands_in(source)))
                .map(move |named| format!("{}:{}: `{named}`", document.path.display(), number + 1))
        })
        .collect()
}

/// `CRATE/FILE::NAME`.
struct Named<'a> {
    package: &'a str,
    file: &'a str,
    name: &'a str,
}

impl<'a> Named<'a> {
    /// None for code that is no such name.
    fn parse(word: &'a str) -> Option<Self> {
        let (place, name) = word.split_once("::")?;
        let (package, file) = place.split_once('/')?;
        let is_plain = |part: &str| {
            let mut letters = part.chars();
            !part.is_empty() && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        [package, file, name]
            .into_iter()
            .all(is_plain)
            .then_some(Self {
                package,
                file,
                name,
            })
    }

    /// A file of that name, or the `tests.rs` of a module of that name.
    fn stands_in(&self, source: &Source) -> bool {
        let below = Path::new("crates").join(self.package);
        let (own, tests) = (
            format!("{}.rs", self.file),
            format!("{}/tests.rs", self.file),
        );
        let is_there = source.path.starts_with(below)
            && (source.path.ends_with(own) || source.path.ends_with(tests));
        is_there && source.text.contains(&format!("fn {}()", self.name))
    }
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            package,
            file,
            name,
        } = self;
        write!(f, "{package}/{file}::{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_test_are_found_and_other_code_is_left_alone() {
        let code = Source {
            path: "crates/proxy/tests/it/ends.rs".into(),
            text: "fn a_client_goes() {}".to_owned(),
        };
        let document = Source {
            path: "docs/faults.md".into(),
            text: "`proxy/ends::a_client_goes` `std::fs` `proxy/ends.rs`\n\
                   and `proxy/ends::nobody_wrote_this` or `cli/ends::a_client_goes`"
                .to_owned(),
        };
        assert_eq!(
            missing(&document, &[code]),
            [
                "docs/faults.md:2: `proxy/ends::nobody_wrote_this`",
                "docs/faults.md:2: `cli/ends::a_client_goes`",
            ]
        );
    }
}
