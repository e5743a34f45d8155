//! What the user asked to run, as said. Whether it can be run is found out in `resolve`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One string, as typed at a prompt. Plain words are executed directly, anything else goes through `sh -c`.
    Command(String),
    /// Program and arguments, never seen by a shell.
    Arguments(Vec<String>),
    /// A file, run by its extension, or a folder with a `package.json`.
    Path(PathBuf),
}

impl Target {
    /// Whether a word of a command line names a file or folder that is run, and no program with words of its own.
    pub fn is_named_by(word: &str, cwd: &Path) -> bool {
        is_script(Path::new(word)) || cwd.join(word).is_dir()
    }

    /// Tells from the words of a command line what is meant: nothing is the folder `cwd`, one word that names a file
    /// or folder is that, one word with blanks is a command, everything else is program and arguments.
    pub fn from_words(words: &[String], cwd: &Path) -> Self {
        match words {
            [] => Self::Path(PathBuf::from(".")),
            [word] if cwd.join(word).exists() => Self::Path(PathBuf::from(word)),
            [word] if word.contains(char::is_whitespace) => Self::Command(word.clone()),
            [word] if looks_like_a_path(word) => Self::Path(PathBuf::from(word)),
            words => Self::Arguments(words.to_vec()),
        }
    }
}

/// A word that must have been meant as a file, so that a missing one is called a missing file.
fn looks_like_a_path(word: &str) -> bool {
    word.contains('/') || is_script(Path::new(word))
}

/// Whether a file is run by a program that its extension names.
pub(super) fn is_script(path: &Path) -> bool {
    const EXTENSIONS: [&str; 11] = [
        "js", "mjs", "cjs", "ts", "mts", "cts", "py", "sh", "rb", "php", "pl",
    ];
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => formatter.write_str(command),
            Self::Arguments(words) => formatter.write_str(&words.join(" ")),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_as_people_mean_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server"), "").unwrap();
        std::fs::create_dir(folder.path().join("api")).unwrap();
        let cases: [(&[&str], Target); 8] = [
            (&[], Target::Path(".".into())),
            (&["server"], Target::Path("server".into())),
            (&["api"], Target::Path("api".into())),
            (&["missing.js"], Target::Path("missing.js".into())),
            (&["./missing"], Target::Path("./missing".into())),
            (
                &["node server.js"],
                Target::Command("node server.js".into()),
            ),
            (&["gunicorn"], Target::Arguments(vec!["gunicorn".into()])),
            (
                &["node", "a b.js"],
                Target::Arguments(vec!["node".into(), "a b.js".into()]),
            ),
        ];
        for (words, expected) in cases {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Target::from_words(&words, folder.path()), expected);
        }
    }
}
