//! Links in Markdown files: those that point into the repository must arrive.
//!
//! What may not be here: asking other hosts. A build must not depend on somebody's server being up.

use std::path::{Component, Path, PathBuf};

use crate::command::root;
use crate::failure::Failure;
use crate::sources::{self, Source};

pub(crate) fn check() -> Result<(), Failure> {
    let all = sources::all()?;
    let documents: Vec<&Source> = all.iter().filter(|source| source.is("md")).collect();
    let complaints: Vec<String> = documents
        .iter()
        .flat_map(|document| broken(document, &documents))
        .collect();
    Failure::unless_empty("links that lead nowhere", &complaints)
}

fn broken(document: &Source, documents: &[&Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in outside_code(&document.text) {
        for target in targets(line).filter(|target| !arrives(document, target, documents)) {
            complaints.push(format!("{}:{number}: `{target}`", document.path.display()));
        }
    }
    complaints
}

/// Lines with their numbers, fenced blocks left out.
fn outside_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

fn arrives(document: &Source, target: &str, documents: &[&Source]) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        document.path.clone()
    } else {
        resolved(&document.path, file)
    };
    if path != document.path && !root().join(&path).exists() {
        return false;
    }
    let headings = documents
        .iter()
        .find(|other| other.path == path)
        .map(|other| &other.text);
    anchor.is_empty() || headings.is_none_or(|text| anchors(text).any(|heading| heading == anchor))
}

fn resolved(document: &Path, target: &str) -> PathBuf {
    let mut path = document.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Headings as the usual renderers turn them into anchors.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    outside_code(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_anchors_and_fences_are_understood() {
        let source = Source {
            path: "xtask/notes.md".into(),
            text: "# One Thing: `two`\n[a](Cargo.toml) [b](../Cargo.toml \"title\") [c](#one-thing-two) [d](https://a.example)\n\
                   ```\n[no](link)\n```\n[e](nowhere.md) and [f](#three)\n"
                .to_owned(),
        };
        assert_eq!(
            broken(&source, &[&source]),
            [
                "xtask/notes.md:6: `nowhere.md`",
                "xtask/notes.md:6: `#three`"
            ]
            .map(str::to_owned)
        );
    }
}
