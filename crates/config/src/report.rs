//! What the passes of loading write into: problems, and where each value came from.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;

use mainstay_values::{Place, Problem, Problems};

use crate::layout::Layout;
use crate::origin::{Origin, Origins};
use crate::source::Sources;

/// Nobody corrects more at once, and a wrong kind of file would make thousands.
const MOST_PROBLEMS: usize = 50;

pub(crate) struct Report<'a> {
    layout: Layout<'a>,
    problems: RefCell<Problems>,
    left_out: Cell<usize>,
    origins: RefCell<Origins>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(layout: Layout<'a>) -> Self {
        Self {
            layout,
            problems: RefCell::default(),
            left_out: Cell::new(0),
            origins: RefCell::default(),
        }
    }

    /// An empty one about the same files.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.layout.clone())
    }

    /// The files that it is about.
    pub(crate) fn layout(&self) -> &Layout<'a> {
        &self.layout
    }

    /// All that settings are made of.
    pub(crate) fn sources(&self) -> &'a Sources {
        self.layout.sources()
    }

    pub(crate) fn push(&self, problem: Problem) {
        // The same key may be read twice, but is wrong only once.
        if self.problems.borrow().iter().any(|known| *known == problem) {
            return;
        }
        if self.is_full() {
            self.left_out.set(self.left_out.get() + 1);
        } else {
            self.problems.borrow_mut().push(problem);
        }
    }

    /// A problem at a stretch of the files.
    pub(crate) fn push_at(&self, span: Range<usize>, problem: Problem) {
        self.push(match self.layout.find(&span) {
            Some((file, span)) => problem.at(&file.name, span),
            None => problem,
        });
    }

    /// A problem with the value at `path`, wherever that came from.
    pub(crate) fn push_about(&self, path: &str, problem: Problem) {
        let origin = self.origin(path);
        self.push_from(&origin, problem);
    }

    /// A problem with a value that came from `origin`.
    pub(crate) fn push_from(&self, origin: &Origin, problem: Problem) {
        match origin {
            Origin::Preset => self.push(problem),
            Origin::File { file, span, .. } => self.push(problem.at(file, span.clone())),
            Origin::Environment { name, text } => {
                self.push(problem.found(format!("{name}={text}")));
            }
            Origin::Flag { name, text } => self.push(problem.found(format!("{name} {text}"))),
        }
    }

    /// Whether further problems are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MOST_PROBLEMS
    }

    pub(crate) fn set_origin(&self, path: impl Into<String>, origin: Origin) {
        self.origins.borrow_mut().set(path, origin);
    }

    pub(crate) fn set_place(&self, path: impl Into<String>, span: Range<usize>) {
        if let Some(origin) = self.place(&span) {
            self.set_origin(path, origin);
        }
    }

    /// What stands at a stretch of the files came from there.
    pub(crate) fn place(&self, span: &Range<usize>) -> Option<Origin> {
        let (file, span) = self.layout.find(span)?;
        Some(Origin::File {
            file: file.name.clone(),
            line: file.line(span.start),
            column: file.column(span.start),
            field: file.field(span.start).map(str::to_owned),
            span,
        })
    }

    /// The folder that paths written at a stretch of the files are relative to.
    pub(crate) fn folder(&self, span: &Range<usize>) -> Option<&'a Path> {
        self.layout.folder(span)
    }

    /// Sorts what came from the files in their order, before all else.
    pub(crate) fn order(&self, path: &str) -> (usize, usize) {
        match self.origin(path) {
            Origin::File { file, span, .. } => self.layout.order(&Place { file, span }),
            _ => (usize::MAX, 0),
        }
    }

    pub(crate) fn origin(&self, path: &str) -> Origin {
        self.origins.borrow().of(path).clone()
    }

    /// The value with its origins, or every problem in file order.
    pub(crate) fn finish<T>(self, value: T) -> Result<(T, Origins), Problems> {
        let problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok((value, self.origins.into_inner()));
        }
        let mut problems = self.layout.sort(problems);
        if self.left_out.get() > 0 {
            problems.push(Problem::new(format!("and {} more", self.left_out.get())));
        }
        Err(problems)
    }
}
