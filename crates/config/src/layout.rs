//! All files that settings are read from, one behind the other as if they were one: a place in them is a number, and
//! the number leads back to file and line. Reads nothing.

use std::ops::Range;
use std::path::Path;

use mainstay_values::{Place, Problem, Problems};

use crate::source::Sources;
use crate::source_file::SourceFile;

/// See the module. A file's places begin where those of the file before it have ended.
#[derive(Clone, Debug)]
pub(crate) struct Layout<'a> {
    files: Vec<(usize, &'a SourceFile)>,
    sources: &'a Sources,
}

impl<'a> Layout<'a> {
    /// The settings file, then what it includes.
    pub(crate) fn of(sources: &'a Sources) -> Self {
        let mut begin = 0;
        let files = sources.file.iter().chain(sources.included.files());
        let placed = files.map(|file| {
            let placed = (begin, file);
            // an end of one file is not the beginning of the next
            begin += file.bytes().len() + 1;
            placed
        });
        Self {
            files: placed.collect(),
            sources,
        }
    }

    /// All that settings are made of.
    pub(crate) fn sources(&self) -> &'a Sources {
        self.sources
    }

    /// The files, each with where its places begin.
    pub(crate) fn files(&self) -> impl Iterator<Item = (usize, &'a SourceFile)> {
        self.files.iter().copied()
    }

    /// The file that a place is in, and where there.
    pub(crate) fn find(&self, span: &Range<usize>) -> Option<(&'a SourceFile, Range<usize>)> {
        let after = self
            .files
            .partition_point(|(begin, _)| *begin <= span.start);
        let (begin, file) = *self.files.get(after.checked_sub(1)?)?;
        let end = span.end.saturating_sub(begin).min(file.bytes().len());
        let start = span.start - begin;
        Some((file, start..end.max(start)))
    }

    /// The folder that paths written at a place are relative to.
    pub(crate) fn folder(&self, span: &Range<usize>) -> Option<&'a Path> {
        let (file, _) = self.find(span)?;
        Some(&file.folder)
    }

    /// File by file, and from top to bottom in each; what is in no file comes last.
    pub(crate) fn sort(&self, problems: Problems) -> Problems {
        let mut sorted: Vec<Problem> = problems.into_iter().collect();
        sorted.sort_by_key(|problem| match &problem.place {
            Some(place) => (self.rank(&place.file), place.span.start),
            None => (usize::MAX, 0),
        });
        let mut problems = Problems::new();
        problems.extend(sorted);
        problems
    }

    /// What sorts places in file order.
    pub(crate) fn order(&self, place: &Place) -> (usize, usize) {
        (self.rank(&place.file), place.span.start)
    }

    fn rank(&self, name: &str) -> usize {
        let position = self.files.iter().position(|(_, file)| file.name == name);
        position.unwrap_or(self.files.len())
    }
}
