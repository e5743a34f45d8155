//! Where settings come from: a file, the environment, flags. Reads the file's bytes and no more
//! of them than a settings file may have; what they mean is not here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use mainstay_values::{Place, Problem, Problems};

use crate::flags::Flags;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "mainstay.toml";

/// All that settings are made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The settings file, if there is one.
    pub file: Option<SourceFile>,
    /// The environment; only names beginning with `MAINSTAY_` are looked at.
    pub environment: BTreeMap<String, String>,
    /// The command line.
    pub flags: Flags,
    /// The folder the command was given in; paths of the command line are relative to it.
    pub folder: PathBuf,
}

impl Sources {
    /// Line and column of a place, both from 1, where its file is known.
    pub fn position(&self, place: &Place) -> Option<(usize, usize)> {
        let file = self.file.as_ref().filter(|file| file.name == place.file)?;
        Some((file.line(place.span.start), file.column(place.span.start)))
    }

    /// Finds the file: the one that `--config` or `MAINSTAY_CONFIG` names, else `mainstay.toml`
    /// in `folder` if there is one.
    pub fn gather(
        flags: Flags,
        environment: BTreeMap<String, String>,
        folder: PathBuf,
    ) -> Result<Self, Problems> {
        let named = flags.config.clone().or_else(|| {
            let name = environment.get("MAINSTAY_CONFIG")?;
            (!name.is_empty()).then(|| PathBuf::from(name))
        });
        let file = match named {
            Some(path) => Some(SourceFile::read(&path, &folder)?),
            None if folder.join(DEFAULT_FILE).is_file() => {
                Some(SourceFile::read(Path::new(DEFAULT_FILE), &folder)?)
            }
            None => None,
        };
        Ok(Self {
            file,
            environment,
            flags,
            folder,
        })
    }

    /// The folder that paths in the file are relative to.
    pub(crate) fn base(&self) -> &Path {
        self.file.as_ref().map_or(&self.folder, |file| &file.folder)
    }
}

/// A settings file as it was found.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name for people, as they gave it.
    pub name: String,
    /// The folder it lies in; its paths are relative to it.
    pub folder: PathBuf,
    bytes: Vec<u8>,
    /// Where each line begins, for [`SourceFile::line`].
    line_starts: Vec<usize>,
}

impl SourceFile {
    /// The longest file that is read. Hand-written files have a few KiB; this bounds mistakes
    /// such as naming a log.
    pub const LONGEST: usize = 1 << 20;

    /// A file from its bytes, which need not be sound: complaining is for `load`.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        let line_starts = std::iter::once(0)
            .chain(
                bytes
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'\n')
                    .map(|(index, _)| index + 1),
            )
            .collect();
        Self {
            name: name.into(),
            folder: folder.into(),
            bytes,
            line_starts,
        }
    }

    /// Reads the file at `path` (relative to `folder`), one byte more than allowed at most.
    pub fn read(path: &Path, folder: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let full = folder.join(path);
        let mut bytes = Vec::new();
        let outcome = File::open(&full)
            .and_then(|file| file.take(Self::LONGEST as u64 + 1).read_to_end(&mut bytes));
        match outcome {
            Ok(_) => {
                let parent = full.parent().unwrap_or(folder);
                Ok(Self::new(name, parent, bytes))
            }
            Err(error) => {
                let problem = Problem::new(format!("cannot read `{name}`: {error}"));
                Err(match error.kind() {
                    ErrorKind::NotFound => problem
                        .hint("`mainstay init` writes one; without `--config` none is needed"),
                    ErrorKind::PermissionDenied => {
                        problem.hint("let the user that runs `mainstay` read it")
                    }
                    ErrorKind::IsADirectory => {
                        problem.hint(format!("name the file: `{name}/{DEFAULT_FILE}`"))
                    }
                    _ => problem,
                })
            }
        }
    }

    /// Whether it holds nothing but blanks: some programs empty a file before they write it.
    pub fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The line (from 1) that holds the byte at `offset`.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The column (from 1, in characters) of the byte at `offset`.
    pub fn column(&self, offset: usize) -> usize {
        let start = self.line_span(self.line(offset)).start;
        let before = self.bytes.get(start..offset).unwrap_or_default();
        let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
        // a character's first byte is none of 0b10xxxxxx; lines may be long, so nothing is decoded
        before.iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1
    }

    /// Where the line (from 1) lies, without its end.
    pub(crate) fn line_span(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let end = self
            .line_starts
            .get(line)
            .map_or(self.bytes.len(), |next| next - 1);
        let end = if end > start && self.bytes.get(end - 1) == Some(&b'\r') {
            end - 1
        } else {
            end
        };
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_lines() {
        let file = SourceFile::new("f", ".", b"a\r\nbc\n\nd".to_vec());
        let lines: Vec<(usize, Range<usize>)> = [0, 2, 3, 5, 6, 7, 8, 99]
            .map(|offset| {
                let line = file.line(offset);
                (line, file.line_span(line))
            })
            .into();
        assert_eq!(
            lines,
            [
                (1, 0..1),
                (1, 0..1),
                (2, 3..5),
                (2, 3..5),
                (3, 6..6),
                (4, 7..8),
                (4, 7..8),
                (4, 7..8)
            ]
        );
    }

    #[test]
    fn finds_the_file_or_says_why_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let gather = |flags: Flags, name: &str| {
            let environment = BTreeMap::from([("MAINSTAY_CONFIG".to_owned(), name.to_owned())]);
            Sources::gather(flags, environment, folder.path().into())
        };
        assert!(gather(Flags::default(), "").is_ok_and(|sources| sources.file.is_none()));
        std::fs::write(folder.path().join("mainstay.toml"), "").expect("written");
        assert!(gather(Flags::default(), "").is_ok_and(|sources| sources.file.is_some()));
        let missing = gather(Flags::default(), "other.toml").expect_err("missing");
        assert!(
            missing.to_string().starts_with("cannot read `other.toml`"),
            "{missing}"
        );
        let flags = Flags {
            config: Some("mainstay.toml".into()),
            ..Flags::default()
        };
        assert!(gather(flags, "other.toml").is_ok(), "a flag wins");
    }
}
