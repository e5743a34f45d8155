//! Which Node a project says it wants. Reads files; which one there is stands in `other_node`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::semver::Range;

/// A larger file says something else.
const LARGEST: u64 = 1024 * 1024;
/// Longer words are no version.
const LONGEST: usize = 256;

/// What a project wants, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) file: PathBuf,
    /// As it is written there.
    pub(crate) text: String,
    pub(crate) range: Range,
}

impl Wanted {
    /// The nearest word that is understood, from the app's folder up to that of its project: `.nvmrc`, `.node-version`,
    /// `engines.node` of `package.json`.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let root = root(folder);
        let inside = folder
            .ancestors()
            .take_while(|folder| folder.starts_with(root));
        inside.into_iter().find_map(|folder| {
            let plain = [".nvmrc", ".node-version"].map(|name| folder.join(name));
            let mut said = plain.into_iter().filter_map(|file| {
                let text = first_word(&read(&file)?)?;
                Self::of(file, text)
            });
            said.next().or_else(|| {
                let file = folder.join("package.json");
                let text = Package::parse(&read(&file)?)?.engine()?;
                Self::of(file, text)
            })
        })
    }

    fn of(file: PathBuf, text: String) -> Option<Self> {
        let range = Range::parse(&text)?;
        Some(Self { file, text, range })
    }
}

/// The folder of the project: where its repository or its workspace begins, else that of the nearest package, else its own.
fn root(folder: &Path) -> &Path {
    let begins = |folder: &&Path| {
        let package = || Package::parse(&read(&folder.join("package.json"))?);
        folder.join(".git").exists()
            || folder.join("pnpm-workspace.yaml").exists()
            || package().is_some_and(|package| package.workspaces.is_some())
    };
    let has_package = |folder: &&Path| folder.join("package.json").exists();
    let mut around = folder.ancestors();
    let found = around
        .find(begins)
        .or_else(|| folder.ancestors().find(has_package));
    found.unwrap_or(folder)
}

/// Of the first line that is no comment.
fn first_word(text: &str) -> Option<String> {
    let lines = text.lines();
    let mut words = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    let word = words.find(|line| !line.is_empty())?;
    (word.len() <= LONGEST).then(|| word.to_owned())
}

#[derive(Default, Deserialize)]
struct Package {
    #[serde(default)]
    engines: serde_json::Value,
    #[serde(default)]
    workspaces: Option<serde::de::IgnoredAny>,
}

impl Package {
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
    }

    fn engine(&self) -> Option<String> {
        let node = self.engines.get("node")?.as_str()?.trim();
        (node.len() <= LONGEST).then(|| node.to_owned())
    }
}

fn read(file: &Path) -> Option<String> {
    let mut text = String::new();
    // a pipe of that name would hold us up for ever
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let file = std::fs::File::open(file).ok()?;
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an app in `app/dist` of a folder with these files.
    fn says(files: &[(&str, &str)]) -> Option<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("app/dist");
        std::fs::create_dir_all(&below).unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let wanted = Wanted::find(&below)?;
        let file = wanted.file.strip_prefix(folder.path()).unwrap();
        Some((file.display().to_string(), wanted.text))
    }

    #[test]
    fn the_nearest_word_within_the_project_counts() {
        let engines = r#"{"engines":{"node":">=20 <23"}}"#;
        let workspace = r#"{"workspaces":["app"],"engines":{"node":"22"}}"#;
        let git = (".git/HEAD", "");
        for (files, expected) in [
            (
                &[
                    ("app/.nvmrc", "# ours\nv22.1\n"),
                    ("app/package.json", "{}"),
                ][..],
                Some(("app/.nvmrc", "v22.1")),
            ),
            (&[git, (".nvmrc", "22 # new")], Some((".nvmrc", "22"))),
            (
                &[git, ("app/.node-version", "20.1.0"), (".nvmrc", "18")],
                Some(("app/.node-version", "20.1.0")),
            ),
            (
                &[git, ("app/package.json", engines), (".nvmrc", "18")],
                Some(("app/package.json", ">=20 <23")),
            ),
            (
                &[("app/package.json", engines), ("app/.nvmrc", "18")],
                Some(("app/.nvmrc", "18")),
            ),
            (
                &[git, ("app/package.json", "{}"), (".nvmrc", "18")],
                Some((".nvmrc", "18")),
            ),
            (
                &[("app/package.json", "{}"), ("package.json", workspace)],
                Some(("package.json", "22")),
            ),
            // another project
            (&[("app/package.json", "{}"), (".nvmrc", "18")], None),
            (&[(".nvmrc", "18")], None),
            (&[("app/package.json", "{"), (".nvmrc", "18")], None),
            (&[("app/package.json", r#"{"engines":["node"]}"#)], None),
            // what is not understood is passed over
            (
                &[("app/.nvmrc", "lts/iron"), ("app/package.json", engines)],
                Some(("app/package.json", ">=20 <23")),
            ),
            (
                &[
                    ("app/.nvmrc", "\n#\n"),
                    ("app/.node-version", "21"),
                    ("app/package.json", "{}"),
                ],
                Some(("app/.node-version", "21")),
            ),
        ] {
            let expected = expected.map(|(file, wanted)| (file.to_owned(), wanted.to_owned()));
            assert_eq!(says(files), expected, "{files:?}");
        }
    }
}
