//! Lines, and pieces of lines, joined into entries: a stack trace is one with the line that it belongs to. Prints nothing.

use std::collections::BTreeMap;

use mainstay_observe::log::Trace;
use mainstay_supervisor::output::{LineEnd, Stream};

use crate::said::Said;

/// An entry that would be longer ends, and another begins.
const LONGEST: usize = 256 * 1024;
/// Stands where a line was cut.
const CUT: &str = " … (cut: the line is longer than 64 KiB)";
/// Stands where a line goes on that was cut.
const GOES_ON: &str = "… ";

/// One thing that an app said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In milliseconds since 1970; of lines from a file only if they say so themselves.
    pub(crate) at_ms: Option<i64>,
    pub(crate) app: String,
    /// Of lines from a file only if it is one worker's.
    pub(crate) worker: Option<u32>,
    pub(crate) stream: Stream,
    /// One or more lines, without the last newline.
    pub(crate) text: String,
}

/// Who wrote, and where to.
type Source = (String, Option<u32>, Stream);

/// Puts together what comes piece by piece from many sources.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    sources: BTreeMap<Source, Unfinished>,
    count: u64,
}

#[derive(Debug, Default)]
struct Unfinished {
    trace: Trace,
    /// With its place in the order.
    entry: Option<(u64, Entry)>,
    /// How its last piece ended.
    end: Option<LineEnd>,
}

impl Assembly {
    /// Adds what an instance told. Gives what is whole now: what comes next from there does not belong to it.
    pub(crate) fn add(&mut self, said: Said) -> Option<Entry> {
        let (end, is_continued) = (said.end, said.is_continued);
        let entry = Entry {
            at_ms: i64::try_from(said.at_ms).ok(),
            app: said.app,
            worker: Some(said.worker),
            stream: said.stream,
            text: said.text,
        };
        self.add_piece(entry, is_continued, end)
    }

    /// Adds a whole line.
    pub(crate) fn add_line(&mut self, entry: Entry) -> Option<Entry> {
        self.add_piece(entry, false, LineEnd::Newline)
    }

    fn add_piece(&mut self, mut piece: Entry, is_continued: bool, end: LineEnd) -> Option<Entry> {
        self.count += 1;
        let key = (piece.app.clone(), piece.worker, piece.stream);
        let source = self.sources.entry(key).or_default();
        let before = source.end.replace(end);
        if end == LineEnd::TooLong {
            piece.text.push_str(CUT);
        }
        if is_continued {
            if let (Some((_, entry)), Some(LineEnd::Pause)) = (&mut source.entry, before)
                && entry.text.len() + piece.text.len() <= LONGEST
            {
                entry.text.push_str(&piece.text);
                return None;
            }
            piece.text.insert_str(0, GOES_ON);
        } else if source.trace.joins(&piece.text)
            && let Some((_, entry)) = &mut source.entry
            && entry.text.len() + piece.text.len() < LONGEST
        {
            entry.text.push('\n');
            entry.text.push_str(&piece.text);
            return None;
        }
        let whole = source.entry.replace((self.count, piece));
        whole.map(|(_, entry)| entry)
    }

    /// Whether something may still go on.
    pub(crate) fn has_begun(&self) -> bool {
        self.sources.values().any(|source| source.entry.is_some())
    }

    /// Everything that has begun, in the order of its beginnings.
    pub(crate) fn finish(&mut self) -> Vec<Entry> {
        let begun = self.sources.values_mut();
        let mut begun: Vec<(u64, Entry)> = begun.filter_map(|source| source.entry.take()).collect();
        begun.sort_by_key(|(order, _)| *order);
        begun.into_iter().map(|(_, entry)| entry).collect()
    }

    /// All entries of these pieces, in the order of their beginnings.
    pub(crate) fn all(said: impl Iterator<Item = Said>) -> Vec<Entry> {
        let mut assembly = Self::default();
        let mut entries: Vec<Entry> = said.filter_map(|said| assembly.add(said)).collect();
        entries.extend(assembly.finish());
        entries.sort_by_key(|entry| entry.at_ms);
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(worker: u32, text: &str, is_continued: bool, end: LineEnd) -> Said {
        Said {
            number: 0,
            at_ms: 1,
            app: "api".to_owned(),
            worker,
            stream: Stream::Stderr,
            text: text.to_owned(),
            is_continued,
            end,
        }
    }

    #[test]
    fn what_belongs_together_is_one_entry_whoever_writes_between() {
        let whole = LineEnd::Newline;
        let pieces = [
            said(0, "Error: boom", false, whole),
            said(1, "other", false, whole),
            said(0, "    at a.js:1", false, whole),
            said(0, "Name: ", false, LineEnd::Pause),
            said(0, "Ada", true, whole),
            said(1, "long", false, LineEnd::TooLong),
            said(1, "er", true, whole),
        ];
        let mut texts: Vec<String> = Assembly::all(pieces.into_iter())
            .into_iter()
            .map(|entry| entry.text)
            .collect();
        texts.sort();
        assert_eq!(
            texts,
            [
                "Error: boom\n    at a.js:1",
                "Name: Ada",
                "long … (cut: the line is longer than 64 KiB)",
                "other",
                "… er",
            ]
        );
    }
}
