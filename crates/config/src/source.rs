//! Where settings come from: a file with all that it includes, the environment, flags. What any of it means is not here.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainstay_values::{Place, Problem, Problems, nearest};

use crate::files::{Disk, Files as _, Reachable, read_bounded};
use crate::flags::Flags;
use crate::include::Included;
use crate::source_file::SourceFile;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "mainstay.toml";

/// All that settings are made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The settings file, if there is one.
    pub file: Option<SourceFile>,
    /// The files that it includes.
    pub included: Included,
    /// The files that settings may name besides.
    pub reachable: Reachable,
    /// The environment; only names beginning with `MAINSTAY_` are looked at, `NODE_ENV`, and those that a setting names.
    pub environment: BTreeMap<String, String>,
    /// The command line.
    pub flags: Flags,
    /// The folder the command was given in; paths of the command line are relative to it.
    pub folder: PathBuf,
}

impl Sources {
    /// Line and column of a place, both from 1, where its file is known.
    pub fn position(&self, place: &Place) -> Option<(usize, usize)> {
        let file = self.file_of(place).filter(|file| !file.is_translated())?;
        Some((file.line(place.span.start), file.column(place.span.start)))
    }

    /// Finds the file: the one that `--config` or `MAINSTAY_CONFIG` names, else `mainstay.toml`
    /// in `folder` if there is one. Then reads what it includes.
    ///
    /// # Errors
    /// The file is named and cannot be read. What is wrong with the files that it includes is for `load` to say.
    pub fn gather(
        flags: Flags,
        environment: BTreeMap<String, String>,
        folder: PathBuf,
    ) -> Result<Self, Problems> {
        let file = match named(&flags, &environment) {
            Some((path, found)) => {
                let file = read(&path, &folder);
                Some(file.map_err(|error| cannot_read(&path, &folder, &error).found(found))?)
            }
            None if folder.join(DEFAULT_FILE).is_file() => {
                let path = Path::new(DEFAULT_FILE);
                let file = read(path, &folder);
                Some(file.map_err(|error| cannot_read(path, &folder, &error))?)
            }
            None => None,
        };
        let included = file.as_ref().map(|file| Included::by(file, &Disk));
        Ok(Self {
            file,
            included: included.unwrap_or_default(),
            reachable: Reachable::Disk,
            environment,
            flags,
            folder,
        })
    }

    /// The file that `--config` or `MAINSTAY_CONFIG` names, as it was written.
    pub fn named_file(flags: &Flags, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
        named(flags, environment).map(|(path, _)| path)
    }

    /// What an ecosystem file says, with nothing beside it but environment and flags.
    pub fn of_ecosystem(
        file: SourceFile,
        flags: Flags,
        environment: BTreeMap<String, String>,
        folder: PathBuf,
    ) -> Self {
        Self {
            file: Some(file),
            included: Included::default(),
            reachable: Reachable::Disk,
            environment,
            flags,
            folder,
        }
    }

    /// The file that a place is in.
    pub(crate) fn file_of(&self, place: &Place) -> Option<&SourceFile> {
        let mut files = self.file.iter().chain(self.included.files());
        files.find(|file| file.name == place.file)
    }

    /// The folder that paths in the file are relative to.
    pub(crate) fn base(&self) -> &Path {
        self.file.as_ref().map_or(&self.folder, |file| &file.folder)
    }
}

/// The file that somebody names, and how they do.
fn named(flags: &Flags, environment: &BTreeMap<String, String>) -> Option<(PathBuf, String)> {
    if let Some(path) = &flags.config {
        return Some((path.clone(), format!("--config {}", path.display())));
    }
    let name = environment.get("MAINSTAY_CONFIG")?;
    (!name.is_empty()).then(|| (PathBuf::from(name), format!("MAINSTAY_CONFIG={name}")))
}

/// The file at `path`, relative to `folder`.
fn read(path: &Path, folder: &Path) -> io::Result<SourceFile> {
    let full = folder.join(path);
    let bytes = read_bounded(&full, SourceFile::LONGEST)?;
    let parent = full.parent().unwrap_or(folder);
    Ok(SourceFile::new(path.display().to_string(), parent, bytes))
}

fn cannot_read(path: &Path, folder: &Path, error: &io::Error) -> Problem {
    let name = path.display().to_string();
    let full = folder.join(path);
    match error.kind() {
        ErrorKind::NotFound => is_not_there(&name, &full),
        ErrorKind::PermissionDenied => Problem::new(format!("`{name}` may not be read"))
            .expected("a file that the user who runs `mainstay` may read")
            .hint(format!("`ls -l {}` says whose it is", full.display())),
        ErrorKind::IsADirectory => Problem::new(format!("`{name}` is a folder"))
            .expected("a settings file")
            .hint(format!("name the file: `{name}/{DEFAULT_FILE}`")),
        _ => Problem::new(format!("cannot read `{name}`: {error}")),
    }
}

/// Tells where it was looked for: mostly the folder is another than was thought.
fn is_not_there(name: &str, full: &Path) -> Problem {
    let problem = Problem::new(format!("there is no file `{name}`"));
    let parent = full.parent().unwrap_or(full);
    if !parent.is_dir() {
        return problem
            .expected(format!("it at `{}`", full.display()))
            .hint(format!(
                "there is no folder `{}` either: a relative path begins where the command is given",
                parent.display()
            ));
    }
    let problem = problem.expected(format!("it in `{}`", parent.display()));
    let names = Disk.list(parent).unwrap_or_default();
    let settings = || {
        let names = names.iter().map(String::as_str);
        names.filter(|name| name.to_ascii_lowercase().ends_with(".toml"))
    };
    let last = full.file_name().unwrap_or_default().to_string_lossy();
    if let Some(near) = nearest(&last, settings()) {
        return problem.hint(format!("did you mean `{near}`, which is there?"));
    }
    match settings().next() {
        Some(_) => {
            let listed: Vec<String> = settings().take(5).map(|name| format!("`{name}`")).collect();
            problem.hint(format!("there is {}", listed.join(", ")))
        }
        None => problem.hint("`mainstay init` writes one; without `--config` none is needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(folder: &Path, flags: Flags, name: &str) -> Result<Sources, Problems> {
        let environment = BTreeMap::from([("MAINSTAY_CONFIG".to_owned(), name.to_owned())]);
        Sources::gather(flags, environment, folder.into())
    }

    #[test]
    fn finds_the_file_or_says_why_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let usual = || gather(folder, Flags::default(), "");
        assert!(usual().is_ok_and(|sources| sources.file.is_none()));
        std::fs::write(folder.join("mainstay.toml"), "").expect("written");
        assert!(usual().is_ok_and(|sources| sources.file.is_some()));
        let flags = Flags {
            config: Some("mainstay.toml".into()),
            ..Flags::default()
        };
        assert!(gather(folder, flags, "other.toml").is_ok(), "a flag wins");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_its_neighbours() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        for name in ["mainstay.prod.toml", "package.json"] {
            std::fs::write(folder.join(name), "").expect("written");
        }
        let shown = folder.display();
        for (name, expected) in [
            (
                "mainstay.prd.toml",
                format!(
                    "there is no file `mainstay.prd.toml`: expected it in `{shown}` (did you mean `mainstay.prod.toml`, \
                     which is there?)"
                ),
            ),
            (
                "x.toml",
                format!(
                    "there is no file `x.toml`: expected it in `{shown}` (there is `mainstay.prod.toml`)"
                ),
            ),
            (
                "conf/x.toml",
                format!(
                    "there is no file `conf/x.toml`: expected it at `{shown}/conf/x.toml` (there is no folder \
                     `{shown}/conf` either: a relative path begins where the command is given)"
                ),
            ),
            (
                ".",
                "`.` is a folder: expected a settings file (name the file: `./mainstay.toml`)"
                    .to_owned(),
            ),
        ] {
            let problems = gather(folder, Flags::default(), name).expect_err(name);
            assert_eq!(problems.to_string(), expected);
        }
    }
}
