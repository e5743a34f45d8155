//! Entries as text: for people, for programs, or as they were written. Nothing that an app wrote reaches a terminal as
//! anything but text and colours.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_observe::log::{Colours, Level, Message, shown};
use mainstay_supervisor::output::Stream;
use serde::Serialize;
use serde_json::{Map, Value};

use super::entry::Entry;
use super::time::shown_time;

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// In which form entries are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One object for each entry, for programs.
    Json,
    /// What the app wrote, and nothing else.
    Raw,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Printer {
    pub(crate) form: Form,
    /// Whether standard output is a terminal.
    pub(crate) is_terminal: bool,
    pub(crate) zone: TimeZone,
}

/// An entry as programs get it. Fields stay.
#[derive(Serialize)]
struct Record<'a> {
    /// RFC 3339; null where nothing says when it was.
    time: Option<String>,
    app: &'a str,
    /// Null where several workers share a file.
    worker: Option<u32>,
    stream: Stream,
    /// Null for anything but JSON of a logger.
    level: Option<Level>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
}

impl Printer {
    /// Writes one entry to standard output, in one go.
    pub(crate) fn print(&self, entry: &Entry) -> io::Result<()> {
        let text = match self.form {
            Form::Text => self.text(entry),
            Form::Json => json(entry),
            Form::Raw => self.plain(&entry.text) + "\n",
        };
        if self.form == Form::Raw && !self.is_terminal {
            // byte for byte, colours as well
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            return stdout.flush();
        }
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    fn plain(&self, text: &str) -> String {
        match (self.form, self.is_terminal) {
            (Form::Raw, false) => text.to_owned(),
            (_, true) => shown(text.as_bytes(), Colours::Kept),
            (_, false) => shown(text.as_bytes(), Colours::LeftOut),
        }
    }

    /// `2026-11-21 04:05:06 api:0 err │ text`; what goes on below has blanks in front.
    fn text(&self, entry: &Entry) -> String {
        let message = Message::parse(&entry.text);
        let at = match &message {
            Some(message) => message.time_ms.or(entry.at_ms),
            None => entry.at_ms,
        };
        let mut who = at.map_or_else(String::new, |at| shown_time(at, &self.zone) + " ");
        who.push_str(&self.plain(&entry.app));
        if let Some(worker) = entry.worker {
            let _ = write!(who, ":{worker}");
        }
        let (word, style) = match entry.stream {
            Stream::Stdout => ("out", DIM),
            Stream::Stderr => ("err", RED),
        };
        let lines = match message {
            Some(message) => self.plain(&in_words(&message)),
            None => self.plain(&entry.text),
        };
        let width = who.chars().count() + 5;
        let mut text = String::new();
        for (number, line) in lines.split('\n').enumerate() {
            let _ = if number == 0 {
                writeln!(text, "{DIM}{who}{DIM:#} {style}{word} │{style:#} {line}")
            } else {
                writeln!(text, "{:width$}{style}│{style:#} {line}", "")
            };
        }
        text
    }
}

/// `warn: text key=value`, with the stack below.
fn in_words(message: &Message) -> String {
    let mut text = String::new();
    if let Some(level) = message.level {
        let style = match level {
            Level::Trace | Level::Debug => DIM,
            Level::Info => Style::new(),
            Level::Warn => YELLOW,
            Level::Error | Level::Fatal => RED,
        };
        let _ = write!(text, "{style}{}:{style:#} ", level.word());
    }
    text.push_str(&message.text);
    for (name, value) in &message.fields {
        let _ = match value {
            Value::String(value) => write!(text, " {name}={value}"),
            value => write!(text, " {name}={value}"),
        };
    }
    if let Some(stack) = &message.stack {
        text.push('\n');
        text.push_str(stack);
    }
    text
}

fn json(entry: &Entry) -> String {
    let message = Message::parse(&entry.text);
    let at = message.as_ref().and_then(|message| message.time_ms);
    let at = at.or(entry.at_ms);
    let time = at.and_then(|at| Timestamp::from_millisecond(at).ok());
    let record = Record {
        time: time.map(|time| format!("{time:.3}")),
        app: &entry.app,
        worker: entry.worker,
        stream: entry.stream,
        level: message.as_ref().and_then(|message| message.level),
        message: message
            .as_ref()
            .map_or(&entry.text, |message| &message.text),
        stack: message
            .as_ref()
            .and_then(|message| message.stack.as_deref()),
        fields: message
            .as_ref()
            .map(|message| message.fields.clone())
            .unwrap_or_default(),
    };
    serde_json::to_string(&record).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry {
            at_ms: Some(1_795_234_506_789),
            app: "api".to_owned(),
            worker: Some(1),
            stream: Stream::Stderr,
            text: text.to_owned(),
        }
    }

    fn printer(form: Form) -> Printer {
        Printer {
            form,
            is_terminal: false,
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn people_read_who_said_what_when() {
        let printer = printer(Form::Text);
        let plain =
            |text: &str| anstream::adapter::strip_str(&printer.text(&entry(text))).to_string();
        assert_eq!(
            plain("Error: \u{1b}[31mboom\u{1b}[0m\u{1b}[2J\n    at a.js:1"),
            "2026-11-21 04:15:06 api:1 err │ Error: boom\u{fffd}[2J\n                              │     at a.js:1\n"
        );
        assert_eq!(
            plain(
                r#"{"level":50,"time":1795234500000,"msg":"no","n":1,"err":{"stack":"E: no\n    at x"}}"#
            ),
            "2026-11-21 04:15:00 api:1 err │ error: no n=1\n                              │ E: no\n                              │     at x\n"
        );
    }

    #[test]
    fn programs_read_one_object_for_each_entry() {
        assert_eq!(
            json(&entry("a\n  b")),
            "{\"time\":\"2026-11-21T04:15:06.789Z\",\"app\":\"api\",\"worker\":1,\"stream\":\"err\",\"level\":null,\"message\":\"a\\n  b\"}\n"
        );
        let message = json(&entry(
            r#"{"level":"warn","message":"slow","ms":12,"timestamp":"2026-11-21T04:15:00Z"}"#,
        ));
        assert_eq!(
            message,
            "{\"time\":\"2026-11-21T04:15:00.000Z\",\"app\":\"api\",\"worker\":1,\"stream\":\"err\",\"level\":\"warn\",\"message\":\"slow\",\"fields\":{\"ms\":12}}\n"
        );
    }
}
