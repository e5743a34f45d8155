//! How long a source file may be.
//!
//! What may not be here: a list of exceptions. A file that is too long holds two thoughts; split it.

use crate::failure::Failure;
use crate::sources::{self, Source};

/// Lines of a source file that is not only tests.
const CEILING: usize = 500;

pub(crate) fn check() -> Result<(), Failure> {
    let complaints: Vec<String> = sources::all()?.iter().filter_map(complaint).collect();
    Failure::unless_empty(
        &format!("files over {CEILING} lines; split them by thought"),
        &complaints,
    )
}

fn complaint(source: &Source) -> Option<String> {
    let tests = source
        .path
        .components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
    let lines = source.text.lines().count();
    (source.is("rs") && !tests && lines > CEILING)
        .then(|| format!("{}: {lines} lines", source.path.display()))
}
