//! Where the lines of several writers meet in one file: none goes on in the middle of another's. Writes nothing itself.

use mainstay_supervisor::WorkerId;
use mainstay_supervisor::output::{Line, Stream};

/// What was written last into one file.
#[derive(Debug, Default)]
pub(super) struct Seam {
    /// Whose line has no end yet.
    open: Option<Writer>,
}

#[derive(Debug, PartialEq, Eq)]
enum Writer {
    Worker(WorkerId, Stream),
    Access,
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A worker's line, or a piece of one.
    Worker {
        worker: &'a WorkerId,
        stream: Stream,
        /// It goes on with what this worker wrote last.
        is_continued: bool,
    },
    /// The gateway: whole lines.
    Access,
}

impl<'a> Source<'a> {
    pub(super) fn of(line: &'a Line) -> Self {
        Self::Worker {
            worker: &line.worker,
            stream: line.stream,
            is_continued: line.is_continued,
        }
    }

    fn goes_on_with(self, open: &Writer) -> bool {
        match (self, open) {
            (
                Self::Worker {
                    worker,
                    stream,
                    is_continued: true,
                },
                Writer::Worker(writer, of),
            ) => worker == writer && stream == *of,
            _ => false,
        }
    }
}

impl Seam {
    /// What belongs in front of these bytes, which are written next: a newline, where somebody else's line is still open.
    pub(super) fn before(&mut self, source: Source<'_>, bytes: &[u8]) -> &'static [u8] {
        let is_torn = self
            .open
            .as_ref()
            .is_some_and(|open| !source.goes_on_with(open));
        if bytes.last() == Some(&b'\n') {
            self.open = None;
        } else if is_torn || self.open.is_none() {
            self.open = Some(match source {
                Source::Worker { worker, stream, .. } => Writer::Worker(worker.clone(), stream),
                Source::Access => Writer::Access,
            });
        }
        if is_torn { b"\n" } else { b"" }
    }

    /// What was written last is no part of this file.
    pub(super) fn forget(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_in_the_middle_of_anothers_line() {
        let worker = |index| WorkerId {
            app: "api".into(),
            release: 1,
            index,
            incarnation: 0,
        };
        let workers = [worker(0), worker(1)];
        let mut seam = Seam::default();
        let mut written = Vec::new();
        for (who, is_continued, bytes) in [
            (0, false, &b"whole\n"[..]),
            (0, false, b"long "),
            (0, true, b"line\n"),
            (0, false, b"begun "),
            (1, false, b"other\n"),
            (0, true, b"rest\n"),
            (0, false, b"lost "),
            (0, false, b"next\n"),
            (1, false, b"Name: "),
        ] {
            let source = Source::Worker {
                worker: &workers[who],
                stream: Stream::Stdout,
                is_continued,
            };
            written.extend_from_slice(seam.before(source, bytes));
            written.extend_from_slice(bytes);
        }
        written.extend_from_slice(seam.before(Source::Access, b"{}\n"));
        written.extend_from_slice(b"{}\n");
        assert_eq!(
            String::from_utf8_lossy(&written),
            "whole\nlong line\nbegun \nother\nrest\nlost \nnext\nName: \n{}\n"
        );
    }
}
