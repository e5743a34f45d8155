//! The folder as far as it is looked at: a few files by name, those that they name, and the packages of a workspace.
//!
//! Bounded in number, size and depth. What may not be here: opinions on what the texts mean.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use super::package::Package;

/// A hand-written file is shorter; of a longer one this much is looked at.
const LONGEST: u64 = 256 * 1024;

/// More files than a project keeps beside its code.
const MOST_FILES: usize = 200;

/// More packages than one machine runs as apps.
const MOST_PACKAGES: usize = 50;

/// Files that say something by their content.
const TELLING: [&str; 18] = [
    "package.json",
    "Procfile",
    "Dockerfile",
    ".env.example",
    ".env.sample",
    "requirements.txt",
    "prisma/schema.prisma",
    "nginx.conf",
    "nginx/nginx.conf",
    "nginx/default.conf",
    "conf/nginx.conf",
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.json",
    "pm2.config.js",
    "pm2.json",
    "process.json",
    "pnpm-workspace.yaml",
];

/// Files that say something by being there; they may be large.
const THERE: [&str; 6] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
];

/// What people call the file that is started.
pub(super) const USUAL: [&str; 10] = [
    "server.js",
    "index.js",
    "app.js",
    "server.mjs",
    "index.mjs",
    "src/server.js",
    "src/index.js",
    "server.ts",
    "src/server.ts",
    "src/index.ts",
];

/// Files of one folder, by their path in it.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// The folder's own name.
    pub(super) name: String,
    texts: BTreeMap<String, String>,
}

impl Folder {
    /// Looks at a folder. What cannot be read is as good as not there.
    pub(crate) fn read(path: &Path) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = real.file_name().unwrap_or_default();
        let mut folder = Self::new(&name.to_string_lossy());
        folder.look_at(path, "");
        for package in folder.packages(path) {
            folder.look_at(path, &format!("{package}/"));
        }
        folder
    }

    /// An empty one.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            texts: BTreeMap::new(),
        }
    }

    /// The beginning of a file, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Whether it is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// The folders of a workspace's packages, each with what its `package.json` says.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, Package)> {
        self.texts.iter().filter_map(|(name, text)| {
            let folder = name.strip_suffix("/package.json")?;
            Some((folder, Package::parse(text)?))
        })
    }

    /// Takes up one file.
    pub(super) fn insert(&mut self, name: String, text: String) {
        if self.texts.len() < MOST_FILES {
            self.texts.insert(name, text);
        }
    }

    /// Reads what may say something in the folder at `below` (empty, or ending in a slash).
    fn look_at(&mut self, root: &Path, below: &str) {
        let mut named = Vec::new();
        for name in TELLING {
            if let Some(text) = text_of(&root.join(below).join(name)) {
                named.extend(sources_named_in(&text));
                self.insert(format!("{below}{name}"), text);
            }
        }
        let usual = USUAL.map(str::to_owned);
        for name in named.into_iter().take(MOST_PACKAGES).chain(usual) {
            if let Some(text) = text_of(&root.join(below).join(&name)) {
                self.insert(format!("{below}{name}"), text);
            }
        }
        for name in THERE {
            if root.join(below).join(name).is_file() {
                self.insert(format!("{below}{name}"), String::new());
            }
        }
    }

    /// The folders that `workspaces` means.
    fn packages(&self, root: &Path) -> Vec<String> {
        let own = self.text("package.json").and_then(Package::parse);
        let own = own.map(|package| package.workspaces).unwrap_or_default();
        let pnpm = self.text("pnpm-workspace.yaml").map(pnpm_packages);
        let mut found = Vec::new();
        for pattern in own.iter().chain(&pnpm.unwrap_or_default()) {
            let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
            match pattern.strip_suffix("/*").or(pattern.strip_suffix("/**")) {
                _ if !stays_below(pattern) => {}
                Some(parent) => found.extend(folders_in(&root.join(parent), parent)),
                None if pattern.contains('*') => {}
                None => found.push(pattern.to_owned()),
            }
        }
        found.sort();
        found.dedup();
        found.truncate(MOST_PACKAGES);
        found
    }
}

fn text_of(path: &Path) -> Option<String> {
    // a FIFO of that name would never end
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn folders_in(path: &Path, parent: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .take(MOST_FILES)
        .filter(|entry| entry.path().join("package.json").is_file())
        .filter_map(|entry| Some(format!("{parent}/{}", entry.file_name().to_str()?)))
        .collect();
    names.sort();
    names
}

/// Words of a text that are paths of programs' sources, such as `dist/server.js` in a script.
fn sources_named_in(text: &str) -> Vec<String> {
    let words = text.split(|character: char| {
        character.is_whitespace() || "\"'`,;()[]{}=:&|".contains(character)
    });
    let source = |word: &&str| {
        [".js", ".mjs", ".cjs", ".ts", ".mts"]
            .iter()
            .any(|ending| word.ends_with(ending))
    };
    let mut found: Vec<String> = words
        .filter(source)
        .filter(|word| stays_below(word) && !word.contains("node_modules"))
        .map(|word| word.trim_start_matches("./").to_owned())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn stays_below(path: &str) -> bool {
    Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The list below `packages:`; the rest of YAML does not matter here.
fn pnpm_packages(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.starts_with("packages:"))
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .map(|item| item.trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}
