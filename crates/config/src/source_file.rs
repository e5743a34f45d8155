//! A settings file: its bytes, its lines, its name for people. What the bytes mean is not here, nor where they came from.

use std::ops::Range;
use std::path::{Path, PathBuf};

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
    /// What each line came from, where it is the translation of another file.
    fields: Vec<String>,
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
            fields: Vec::new(),
        }
    }

    /// A file that was made of another one of this name, with what each of its lines came from.
    pub(crate) fn translated(name: &str, folder: &Path, text: String, fields: Vec<String>) -> Self {
        Self {
            fields,
            ..Self::new(name, folder, text.into_bytes())
        }
    }

    /// Whether nobody wrote it: it is another file in our words.
    pub(crate) fn is_translated(&self) -> bool {
        !self.fields.is_empty()
    }

    /// What the line with the byte at `offset` came from, if this is the translation of another file.
    pub(crate) fn field(&self, offset: usize) -> Option<&str> {
        let field = self.fields.get(self.line(offset).saturating_sub(1))?;
        Some(field)
    }

    /// Whether it holds nothing but blanks: some programs empty a file before they write it.
    pub fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// Where it lies, as far as its folder and its name say.
    pub(crate) fn path(&self) -> PathBuf {
        let last = Path::new(&self.name).file_name();
        last.map_or_else(|| self.folder.clone(), |last| self.folder.join(last))
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
}
