//! PM2's ecosystem files: which files are such, and reading them, whatever they are written in. What they mean is
//! `config`'s.

mod evaluate;
mod outcome;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use mainstay_config::ecosystem::{Choice, Ecosystem, Machine, Note, Translation, translate};
use mainstay_config::{Flags, SourceFile, Sources};
use mainstay_supervisor::count::processors;
use mainstay_values::{Problem, Problems};
use serde_json::Value;

pub(crate) use self::outcome::{Cut, outcome};

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;
/// As much of a script as says what runs it.
const BEGINNING: u64 = 128;

/// Whether a file of this name is an ecosystem file, as PM2 tells it: `*.config.js` and its like, JSON and YAML.
pub(crate) fn is_one(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    [
        ".config.js",
        ".config.cjs",
        ".config.mjs",
        ".json",
        ".yml",
        ".yaml",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// What is wanted of ecosystem files by flags and environment.
pub(crate) fn choice(flags: &Flags, environment: &BTreeMap<String, String>) -> Choice {
    let of_environment = environment.get("MAINSTAY_ENV");
    let env = flags.env.as_ref().or(of_environment);
    Choice {
        env: env.filter(|env| !env.is_empty()).cloned(),
        only: flags.only.clone(),
    }
}

/// The settings that an ecosystem file comes to, and what is lost on the way.
pub(crate) fn sources(
    path: &Path,
    flags: Flags,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
) -> Result<(Sources, Vec<Note>), Problems> {
    let file = read(path, &folder)?;
    let translation = in_our_words(&file, &choice(&flags, &environment))?;
    let lines = translation.lines;
    let source: SourceFile = lines.into_file(&file.name, &file.folder);
    let sources = Sources::of_ecosystem(source, flags, environment, folder);
    Ok((sources, translation.notes))
}

/// What it means on this machine.
pub(crate) fn in_our_words(file: &Ecosystem, choice: &Choice) -> Result<Translation, Problems> {
    let machine = Machine {
        processors: processors(),
        beginning: &beginning,
    };
    translate(file, choice, &machine)
}

/// The beginning of a script.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut bytes));
    read.ok().map(|_| bytes)
}

/// Reads an ecosystem file; `path` is relative to `folder`.
pub(crate) fn read(path: &Path, folder: &Path) -> Result<Ecosystem, Problem> {
    let name = path.display().to_string();
    let full = folder.join(path);
    let value = match extension(path).as_str() {
        "yml" | "yaml" => yaml(&name, &text(&name, &full)?)?,
        "json" => json(&name, &full)?,
        _ => {
            text(&name, &full)?;
            evaluated(&name, &full)?
        }
    };
    let parent = full.parent().unwrap_or(folder);
    Ok(Ecosystem {
        name,
        folder: parent.components().collect(),
        value,
    })
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    extension.to_ascii_lowercase()
}

fn text(name: &str, path: &Path) -> Result<String, Problem> {
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Problem::new(format!("there is no file `{name}`"))
            .expected(format!("it at `{}`", path.display()))
            .hint("a relative path begins where the command is given"),
        ErrorKind::IsADirectory => {
            Problem::new(format!("`{name}` is a folder")).expected("an ecosystem file of PM2")
        }
        _ => Problem::new(format!("cannot read `{name}`: {error}"))
            .expected("a file that the user who runs `mainstay` may read"),
    };
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(cannot)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Problem::new(format!("`{name}` is too long"))
            .expected(format!("at most {LONGEST} bytes")));
    }
    String::from_utf8(bytes)
        .map_err(|_| Problem::new(format!("`{name}` is not UTF-8")).expected("text in UTF-8"))
}

/// JSON is read without anybody's help; with comments or trailing commas it is JavaScript.
fn json(name: &str, path: &Path) -> Result<Value, Problem> {
    let text = text(name, path)?;
    let plain = text.trim_start_matches('\u{feff}');
    serde_json::from_str(plain).or_else(|_| evaluated(name, path))
}

fn yaml(name: &str, text: &str) -> Result<Value, Problem> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        let first = first.trim_start_matches("error: ");
        Problem::new(format!("`{name}` is not YAML: {first}"))
            .expected("`apps:`, and below it `- name: …` with `script: …` for each")
    })
}

fn evaluated(name: &str, path: &Path) -> Result<Value, Problem> {
    let environment: BTreeMap<OsString, OsString> = std::env::vars_os()
        .filter(|(name, _)| !name.to_string_lossy().starts_with("MAINSTAY_INTERNAL_"))
        .collect();
    evaluate::evaluate(name, path, &environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecosystem_files_are_known_by_their_names() {
        for (name, expected) in [
            ("ecosystem.config.js", true),
            ("deploy/API.Config.CJS", true),
            ("pm2.config.mjs", true),
            ("process.json", true),
            ("pm2.yml", true),
            ("server.js", false),
            ("config.js", false),
            ("mainstay.toml", false),
        ] {
            assert_eq!(is_one(Path::new(name)), expected, "{name}");
        }
    }
}
