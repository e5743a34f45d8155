//! The end of a log file as entries. Reads no more of it than is wanted, and never more than a bound.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::tz::TimeZone;
use mainstay_observe::log::Message;

use super::entry::{Assembly, Entry};
use super::time::own_time;

/// What is read at first, and the most that is.
const FIRST: u64 = 256 * 1024;
const MOST: u64 = 64 * 1024 * 1024;
/// The longest line that is shown whole.
const LONGEST_LINE: usize = 64 * 1024;

/// Entries of the end of a file.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) entries: Vec<Entry>,
    /// Older ones are in the file, and were not read.
    pub(crate) is_cut: bool,
}

/// The entries before `length` (before its present end, if that is not said), as far back as `is_enough` wants: it is
/// asked with what was found so far. `form` has everything of an entry but its text and its time.
///
/// # Errors
/// When the file cannot be read; one that is not there is empty.
pub(crate) fn tail(
    path: &Path,
    length: Option<u64>,
    form: &Entry,
    zone: &TimeZone,
    is_enough: impl Fn(&[Entry]) -> bool,
) -> io::Result<Tail> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Tail {
                entries: Vec::new(),
                is_cut: false,
            });
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    // of a device or a pipe there is no end to read
    let now = if metadata.is_file() {
        metadata.len()
    } else {
        0
    };
    let end = length.map_or(now, |length| length.min(now));
    let mut wanted = FIRST;
    loop {
        let start = end.saturating_sub(wanted);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(end - start).read_to_end(&mut bytes)?;
        let whole = match bytes.iter().position(|byte| *byte == b'\n') {
            // the first line may have begun before
            Some(newline) if start > 0 => &bytes[newline + 1..],
            _ => &bytes[..],
        };
        let entries = entries(whole, form, zone);
        if start == 0 || wanted >= MOST || is_enough(&entries) {
            return Ok(Tail {
                entries,
                is_cut: start > 0,
            });
        }
        wanted *= 4;
    }
}

fn entries(bytes: &[u8], form: &Entry, zone: &TimeZone) -> Vec<Entry> {
    let mut assembly = Assembly::default();
    let mut entries = Vec::new();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for line in lines {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = match line.len().checked_sub(LONGEST_LINE) {
            None | Some(0) => String::from_utf8_lossy(line).into_owned(),
            Some(more) => {
                let shown = String::from_utf8_lossy(&line[..LONGEST_LINE]);
                format!("{shown} … (cut: {more} bytes more)")
            }
        };
        let entry = Entry {
            text,
            ..form.clone()
        };
        entries.extend(assembly.add_line(entry));
    }
    entries.extend(assembly.finish());
    let mut last = None;
    for entry in &mut entries {
        let first = entry.text.lines().next().unwrap_or_default();
        let message = || Message::parse(&entry.text)?.time_ms;
        // a line without a time was written after the one before it
        last = own_time(first, zone).or_else(message).or(last);
        entry.at_ms = last;
    }
    entries
}

#[cfg(test)]
mod tests {
    use mainstay_supervisor::output::Stream;

    use super::*;

    fn form() -> Entry {
        Entry {
            at_ms: None,
            app: "api".to_owned(),
            worker: None,
            stream: Stream::Stdout,
            text: String::new(),
        }
    }

    fn texts(path: &Path, length: Option<u64>, wanted: usize) -> Vec<String> {
        let is_enough = |entries: &[Entry]| entries.len() > wanted;
        let tail = tail(path, length, &form(), &TimeZone::UTC, is_enough).unwrap();
        tail.entries.into_iter().map(|entry| entry.text).collect()
    }

    #[test]
    fn the_end_of_a_file_is_read_and_no_more_than_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api-out.log");
        assert_eq!(texts(&path, None, 5), Vec::<String>::new());
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(texts(&path, None, 5), ["one", "two", "thr"]);
        assert_eq!(texts(&path, Some(4), 5), ["one"]);
        let many: Vec<String> = (0..200_000)
            .map(|number| format!("line {number}"))
            .collect();
        let many = many.join("\n") + "\n";
        std::fs::write(&path, many).unwrap();
        let found = texts(&path, None, 15);
        assert!(found.len() < 50_000, "{}", found.len());
        assert_eq!(found.last().map(String::as_str), Some("line 199999"));
        assert!(found[0].starts_with("line "), "{}", found[0]);
        assert_eq!(texts(&path, None, 1_000_000).len(), 200_000);
        std::fs::write(&path, vec![b'x'; LONGEST_LINE + 10]).unwrap();
        assert!(texts(&path, None, 1)[0].ends_with("x … (cut: 10 bytes more)"));
    }

    #[test]
    fn lines_have_the_time_they_say_or_that_of_the_line_before() {
        let text = "no time\n2026-11-21T04:15:06Z a\nb\n{\"level\":30,\"time\":1795234507000,\"msg\":\"c\"}\n";
        let found: Vec<Option<i64>> = entries(text.as_bytes(), &form(), &TimeZone::UTC)
            .iter()
            .map(|entry| entry.at_ms)
            .collect();
        let at = 1_795_234_506_000;
        assert_eq!(found, [None, Some(at), Some(at), Some(at + 1_000)]);
    }
}
