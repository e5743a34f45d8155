//! Markdown documents of the repository, as far as tests judge them: their fenced blocks.
//!
//! What may not be here: opinions on what a block says.

use std::path::{Path, PathBuf};

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The document, relative to the repository.
    pub document: String,
    /// The line of its fence, from 1.
    pub line: usize,
    /// The first word after the fence: `sh`, `toml`; empty without one.
    pub language: String,
    /// What stands in it, without the indentation of its fence.
    pub text: String,
}

/// The blocks of the README and of everything below `docs`, in order.
///
/// # Panics
/// When a document cannot be read, or a block has no end.
#[must_use]
pub fn document_blocks() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = vec![root.join("README.md")];
    collect(&root.join("docs"), &mut paths);
    paths.sort();
    paths
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.strip_prefix(&root).unwrap_or(path);
            blocks(&name.display().to_string(), &text)
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder of documents") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

fn blocks(document: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let mut block = Block {
            document: document.to_owned(),
            line: number + 1,
            language: info.split(' ').next().unwrap_or_default().to_owned(),
            text: String::new(),
        };
        let closed = lines.by_ref().find(|(_, line)| {
            let ends = line.trim() == "```";
            if !ends {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
            }
            ends
        });
        assert!(closed.is_some(), "{document}:{}: no end", block.line);
        found.push(block);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_language_and_without_their_indentation() {
        let text =
            "a\n```sh\none\n```\n1. b\n   ```toml x\n   [two]\n     three\n   ```\n```\n```\n";
        let found: Vec<(usize, String, String)> = blocks("a.md", text)
            .into_iter()
            .map(|block| (block.line, block.language, block.text))
            .collect();
        let expected = [
            (2, "sh", "one\n"),
            (6, "toml", "[two]\n  three\n"),
            (10, "", ""),
        ];
        assert_eq!(
            found,
            expected.map(|(line, language, text)| (line, language.to_owned(), text.to_owned()))
        );
    }
}
