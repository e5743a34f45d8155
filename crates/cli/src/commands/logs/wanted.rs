//! Which entries are wanted. Gets and prints none.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_observe::log::{Colours, Message, shown};
use mainstay_supervisor::output::Stream;
use regex_lite::Regex;

use super::super::targets::Part;
use crate::arguments::Logs;
use crate::failure::Failure;
use crate::logs::{Entry, Since};

/// What PM2 shows.
const USUAL: usize = 15;

/// See the module.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Of each app, or of each file of it. `None`: all.
    lines: Option<usize>,
    /// `None`: both.
    pub(super) stream: Option<Stream>,
    pub(super) since: Option<i64>,
    grep: Option<Regex>,
}

impl Wanted {
    /// As it was typed.
    ///
    /// # Errors
    /// When a time or a regular expression is none.
    pub(super) fn of(logs: &Logs, zone: &TimeZone) -> Result<Self, Failure> {
        let since = logs.since.as_ref().map(|text| {
            let since = Since::parse(text, Timestamp::now(), zone);
            since.map(|since| since.0).ok_or_else(|| {
                Failure::usage(format!(
                    "`--since {text}`: expected a time ago, such as `10m`, or a moment, such as `2026-11-21T04:05:06Z`"
                ))
            })
        });
        let grep = logs.grep.as_ref().map(|pattern| {
            Regex::new(pattern)
                .map_err(|error| Failure::usage(format!("`--grep {pattern}`: {error}")))
        });
        let since = since.transpose()?;
        Ok(Self {
            lines: logs.lines.or_else(|| since.is_none().then_some(USUAL)),
            stream: match (logs.streams.out, logs.streams.err) {
                (true, false) => Some(Stream::Stdout),
                (false, true) => Some(Stream::Stderr),
                _ => None,
            },
            since,
            grep: grep.transpose()?,
        })
    }

    /// Whether a line is of those that are meant.
    pub(super) fn is_of(&self, part: &Part, worker: u32, stream: Stream) -> bool {
        let is_worker = match part {
            Part::Worker { index, .. } => *index == worker,
            _ => true,
        };
        is_worker && self.stream.is_none_or(|wanted| wanted == stream)
    }

    /// Whether an entry is wanted, however many there are.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        let at = || {
            let own = Message::parse(&entry.text).and_then(|message| message.time_ms);
            own.or(entry.at_ms)
        };
        let is_new = self
            .since
            .is_none_or(|since| at().is_some_and(|at| at >= since));
        is_new && self.matches(entry)
    }

    fn matches(&self, entry: &Entry) -> bool {
        let Some(grep) = &self.grep else { return true };
        grep.is_match(&shown(entry.text.as_bytes(), Colours::LeftOut))
    }

    /// Whether these, which are wanted, are all that is: nothing is missing since that moment.
    pub(super) fn are_enough(&self, entries: &[Entry], complete_since: i64) -> bool {
        let reaches = self.since.is_some_and(|since| since >= complete_since);
        reaches || self.lines.is_some_and(|lines| entries.len() >= lines)
    }

    /// Whether the end of a file that holds these is long enough.
    pub(super) fn is_file_enough(&self, entries: &[Entry]) -> bool {
        // the first may be the end of one that began before
        let whole = entries.get(1..).unwrap_or_default();
        let mut times = whole.iter().filter_map(|entry| entry.at_ms);
        let reaches = self
            .since
            .is_some_and(|since| times.next().is_some_and(|first| first < since));
        let count = || whole.iter().filter(|entry| self.has(entry)).count();
        reaches || self.lines.is_some_and(|lines| count() >= lines)
    }

    /// The last of them, as many as are wanted.
    pub(super) fn last(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let more = self
            .lines
            .map_or(0, |lines| entries.len().saturating_sub(lines));
        entries.drain(..more);
        entries
    }
}
