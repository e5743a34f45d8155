//! What kind of program a command ends in, as far as its socket is concerned. Looks at words and first lines, runs nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How a worker is told where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Runtime {
    /// May end in a Node process: it gets the preload script through `NODE_OPTIONS`, which others do not read.
    Node,
    /// Takes a listening socket by `LISTEN_FDS`.
    ListenFds,
    /// Deno: `DENO_SERVE_ADDRESS` and `PORT`.
    Deno,
    /// Anything else: `PORT`.
    Port,
}

/// Programs that are known not to be Node, by their file name.
const OTHERS: [&str; 26] = [
    "python",
    "uvicorn",
    "hypercorn",
    "daphne",
    "waitress-serve",
    "flask",
    "uv",
    "poetry",
    "pipenv",
    "ruby",
    "bundle",
    "puma",
    "rails",
    "rackup",
    "php",
    "java",
    "dotnet",
    "perl",
    "elixir",
    "mix",
    "go",
    "cargo",
    "bun",
    "bunx",
    "mainstay-testapp",
    "caddy",
];

impl Runtime {
    /// Tells the runtime from the words of a command; any word counts, since `env`, `nice` or a script may lead.
    pub(crate) fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        // A name we do not know may be a script of node_modules/.bin.
        Self::known(words).unwrap_or(Self::Node)
    }

    /// Tells it from the words, else from what the program's file is.
    pub(crate) fn of_program(
        words: &[String],
        environment: &BTreeMap<OsString, OsString>,
        cwd: &Path,
    ) -> Self {
        Self::known(words.iter().map(String::as_str)).unwrap_or_else(|| {
            let file = words
                .first()
                .and_then(|word| find_program(word, environment, cwd));
            file.and_then(|file| Self::of_file(&file))
                .unwrap_or(Self::Node)
        })
    }

    fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut found = None;
        for word in words {
            if word.contains('=') || word.starts_with('-') {
                continue;
            }
            let name = Path::new(word)
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(word);
            let bare = name
                .trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
            match name {
                "gunicorn" => return Some(Self::ListenFds),
                "deno" => return Some(Self::Deno),
                "node" | "nodejs" | "npm" | "npx" | "pnpm" | "yarn" | "tsx" | "ts-node" => {
                    return Some(Self::Node);
                }
                _ if OTHERS.contains(&bare) => found = Some(Self::Port),
                _ => {}
            }
        }
        found
    }

    /// A binary is none of Node's scripts; a script says in its first line what runs it.
    fn of_file(file: &Path) -> Option<Self> {
        let mut start = [0; 256];
        let read = std::fs::File::open(file).ok()?.read(&mut start).ok()?;
        let start = &start[..read];
        if start.starts_with(b"\x7fELF") {
            return Some(Self::Port);
        }
        let line = start
            .strip_prefix(b"#!")?
            .split(|byte| *byte == b'\n')
            .next()?;
        Self::known(std::str::from_utf8(line).ok()?.split_whitespace())
    }
}

/// Where a program is: itself if it is a path, else the first on the `PATH`.
fn find_program(
    word: &str,
    environment: &BTreeMap<OsString, OsString>,
    cwd: &Path,
) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(cwd.join(word));
    }
    let path = environment.get(OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .map(|folder| folder.join(word))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_told_by_their_words() {
        let cases = [
            ("node server.js", Runtime::Node),
            ("/usr/bin/node --inspect server.js", Runtime::Node),
            ("next start", Runtime::Node),
            ("env A=1 tsx src/server.ts", Runtime::Node),
            ("python3.11 app.py", Runtime::Port),
            ("python3 -m gunicorn app:app", Runtime::ListenFds),
            ("gunicorn -w 2 app:app", Runtime::ListenFds),
            ("deno serve main.ts", Runtime::Deno),
            ("uvicorn app:app", Runtime::Port),
            ("bun run server.ts", Runtime::Port),
        ];
        for (command, expected) in cases {
            assert_eq!(Runtime::of_words(command.split(' ')), expected, "{command}");
        }
    }
}
