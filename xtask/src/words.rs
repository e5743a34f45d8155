//! Words that may not be in the repository: paths of one machine, hosts of package registries.
//!
//! A clone must build wherever its packages come from, and a path that exists on one machine only is a mistake.
//! What may not be here: a forbidden word in one piece.

use crate::failure::Failure;
use crate::sources::{self, Source};

/// Hosts and paths, cut so that this file passes its own check.
const FORBIDDEN: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("py", "pi.org"),
    concat!("files.python", "hosted.org"),
    concat!("deb.deb", "ian.org"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("proxy.gol", "ang.org"),
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/wo", "rk/.library"),
    concat!("/ro", "ot/"),
    concat!("/tmp/tar", "get-"),
];

pub(crate) fn check() -> Result<(), Failure> {
    let complaints: Vec<String> = sources::all()?.iter().flat_map(complaints).collect();
    Failure::unless_empty(
        "words that belong to one machine or one registry",
        &complaints,
    )
}

fn complaints(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(number, line)| {
            let word = FORBIDDEN.iter().find(|word| line.contains(**word))?;
            Some(format!(
                "{}:{}: `{word}`",
                source.path.display(),
                number + 1
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_word_is_found_with_its_line() {
        let source = Source {
            path: "a.md".into(),
            text: format!("fine\nsee {} there\n", FORBIDDEN[0]),
        };
        assert_eq!(complaints(&source), [format!("a.md:2: `{}`", FORBIDDEN[0])]);
    }
}
