//! `include`: the files that lie below a settings file, found and read. What stands in them is not looked at, but for
//! their own `include`; how they are merged is said in `merge`.
//!
//! A file that is reached twice counts once, where it was reached first.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use mainstay_values::{Problem, Problems, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document;
use crate::files::Files;
use crate::pattern::fits;
use crate::source_file::SourceFile;

/// A file included by one that is included … that deep. More is a maze.
const DEEPEST: usize = 8;

/// Files in all, and entries of one `include`.
const MOST_FILES: usize = 256;

/// Bytes in all, as much as four files may have alone.
const MOST_BYTES: usize = 4 * SourceFile::LONGEST;

/// The files that a settings file includes, and what hindered reading them.
#[derive(Clone, Debug, Default)]
pub struct Included {
    /// In the order in which they were reached: a file before those that it includes.
    files: Vec<(SourceFile, Includer)>,
    pub(crate) problems: Problems,
}

/// Who includes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Includer {
    /// The settings file itself.
    Main,
    /// Another included one, by its number.
    Other(usize),
}

impl Included {
    /// Reads what `file` includes, and what that includes.
    pub fn by(file: &SourceFile, files: &impl Files) -> Self {
        let mut walk = Walk {
            files,
            found: Self::default(),
            known: Vec::new(),
            bytes: 0,
        };
        let identity = files.identity(&file.path());
        walk.below(
            file,
            Includer::Main,
            &mut vec![(identity, file.name.clone())],
        );
        walk.found
    }

    /// The files, in the order in which they were reached.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().map(|(file, _)| file)
    }

    /// Who includes each of them.
    pub(crate) fn includers(&self) -> impl Iterator<Item = Includer> {
        self.files.iter().map(|(_, by)| *by)
    }
}

/// One entry of an `include`.
struct Entry {
    text: String,
    span: Range<usize>,
}

struct Walk<'a, F> {
    files: &'a F,
    found: Included,
    /// The identities of `found`.
    known: Vec<PathBuf>,
    bytes: usize,
}

impl<F: Files> Walk<'_, F> {
    /// Reads what a file includes. `above` are the identities and names of the file and of those that led to it.
    fn below(&mut self, file: &SourceFile, by: Includer, above: &mut Vec<(PathBuf, String)>) {
        for entry in self.entries(file) {
            if above.len() > DEEPEST {
                let problem = Problem::new("files include each other too deeply");
                let problem = problem.expected(format!("at most {DEEPEST} levels"));
                self.complain(file, &entry, problem);
                return;
            }
            match self.paths(file, &entry) {
                Ok(paths) => {
                    for path in paths {
                        if let Err(problem) = self.one(file, by, &entry, &path, above) {
                            self.complain(file, &entry, problem);
                        }
                    }
                }
                Err(problem) => self.complain(file, &entry, problem),
            }
        }
    }

    fn one(
        &mut self,
        file: &SourceFile,
        by: Includer,
        entry: &Entry,
        path: &Path,
        above: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), Problem> {
        let full = file.folder.join(path);
        let name = beside(&file.name, path);
        let identity = self.files.identity(&full);
        if let Some(first) = above.iter().position(|(known, _)| *known == identity) {
            // `*.toml` is everything else
            return if entry.is_pattern() && first + 1 == above.len() {
                Ok(())
            } else {
                Err(circle(&name, &above[first..]))
            };
        }
        if self.known.contains(&identity) {
            return Ok(());
        }
        if self.known.len() == MOST_FILES {
            return Err(Problem::new("too many files are included")
                .expected(format!("at most {MOST_FILES} in all")));
        }
        let bytes = self.files.read(&full, SourceFile::LONGEST);
        let bytes = bytes.map_err(|error| self.cannot_read(path, &full, &error))?;
        self.bytes += bytes.len();
        if self.bytes > MOST_BYTES {
            return Err(Problem::new("the included files are too long")
                .expected(format!("at most {MOST_BYTES} bytes in all")));
        }
        let folder = full.parent().unwrap_or(&file.folder);
        let included = SourceFile::new(name.clone(), folder, bytes);
        let number = Includer::Other(self.known.len());
        self.known.push(identity.clone());
        self.found.files.push((included.clone(), by));
        above.push((identity, name));
        self.below(&included, number, above);
        above.pop();
        Ok(())
    }

    /// What stands behind `include`. A file that is not TOML includes nothing; reading it says why.
    fn entries(&mut self, file: &SourceFile) -> Vec<Entry> {
        let Ok(text) = document::text(file) else {
            return Vec::new();
        };
        let (table, _) = DeTable::parse_recoverable(text);
        let Some(value) = table.get_ref().get("include") else {
            return Vec::new();
        };
        let values: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        let mut entries = Vec::new();
        for value in values {
            let text = value.get_ref().as_str().unwrap_or_default();
            let entry = Entry {
                text: text.to_owned(),
                span: value.span(),
            };
            if entries.len() == MOST_FILES {
                let problem = Problem::new("`include` has too many entries")
                    .expected(format!("at most {MOST_FILES}"));
                self.complain(file, &entry, problem);
                break;
            }
            if text.is_empty() || text.contains('\0') {
                let problem = Problem::new("`include` is not a list of files")
                    .expected("names such as `\"limits.toml\"` or `\"conf.d/*.toml\"`");
                self.complain(file, &entry, problem);
            } else {
                entries.push(entry);
            }
        }
        entries
    }

    /// The paths that an entry means, relative to the folder of the file; of a pattern those that fit, sorted.
    fn paths(&self, file: &SourceFile, entry: &Entry) -> Result<Vec<PathBuf>, Problem> {
        if !entry.is_pattern() {
            return Ok(vec![PathBuf::from(&entry.text)]);
        }
        let (folder, pattern) = match entry.text.rsplit_once('/') {
            Some((folder, pattern)) => (format!("{folder}/"), pattern),
            None => (String::new(), entry.text.as_str()),
        };
        if folder.contains('*') {
            return Err(
                Problem::new(format!("`{}` has `*` in a folder", entry.text))
                    .expected("`*` behind the last `/`, such as `conf.d/*.toml`"),
            );
        }
        let mut names = match self.files.list(&file.folder.join(&folder)) {
            Ok(names) => names,
            // nothing is there that fits: that is what patterns are for
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(Problem::new(format!(
                    "`{folder}` cannot be looked into: {error}"
                )));
            }
        };
        names.retain(|name| fits(pattern, name));
        names.sort();
        Ok(names
            .into_iter()
            .map(|name| PathBuf::from(format!("{folder}{name}")))
            .collect())
    }

    fn cannot_read(&self, path: &Path, full: &Path, error: &io::Error) -> Problem {
        let name = path.display();
        if error.kind() != ErrorKind::NotFound {
            return Problem::new(format!("cannot read `{name}`: {error}"));
        }
        let folder = full.parent().unwrap_or(full);
        let problem = Problem::new(format!("there is no file `{name}` to include"))
            .expected(format!("it in `{}`", folder.display()));
        let names = self.files.list(folder).unwrap_or_default();
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        match nearest(&last, names.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`, which is there?")),
            None => {
                problem.hint("a pattern such as `conf.d/*.toml` may fit nothing; a name may not")
            }
        }
    }

    fn complain(&mut self, file: &SourceFile, entry: &Entry, problem: Problem) {
        let problem = problem.at(&file.name, entry.span.clone());
        if !self.found.problems.iter().any(|known| *known == problem) {
            self.found.problems.push(problem);
        }
    }
}

impl Entry {
    fn is_pattern(&self) -> bool {
        self.text.contains('*')
    }
}

/// The name of a file that another names, as the user would write it from where they are.
fn beside(name: &str, path: &Path) -> String {
    let parent = Path::new(name).parent().unwrap_or(Path::new(""));
    parent.join(path).display().to_string()
}

/// `chain` leads from a file to the one that names it again.
fn circle(name: &str, chain: &[(PathBuf, String)]) -> Problem {
    let problem = Problem::new(format!("`{name}` includes itself"));
    let between: Vec<String> = chain
        .iter()
        .skip(1)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    let problem = problem.expected("another file");
    if between.is_empty() {
        return problem;
    }
    problem.hint(format!("by way of {}", between.join(", then ")))
}
