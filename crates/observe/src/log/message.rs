//! A line of JSON as pino, winston, bunyan and their like write it. Any other line is no message: it stays text.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Level;

/// Fields that are kept beside those with a meaning; of more, the first in the order of their names.
pub const MOST_FIELDS: usize = 64;
/// A longer line is no message; the longest that workers' lines have.
const LONGEST: usize = 64 * 1024;

/// Names under which loggers say the same, the usual one first.
const TIME: [&str; 4] = ["time", "timestamp", "@timestamp", "ts"];
const LEVEL: [&str; 3] = ["level", "severity", "lvl"];
const TEXT: [&str; 2] = ["msg", "message"];
const ERROR: [&str; 2] = ["err", "error"];
/// What every line of a process says again.
const ALWAYS_THE_SAME: [&str; 3] = ["pid", "hostname", "v"];

/// What a line of JSON says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// When, in milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// How serious it is.
    pub level: Option<Level>,
    /// In words; may be empty.
    pub text: String,
    /// Where an error came from, if it is about one.
    pub stack: Option<String>,
    /// Everything else, [`MOST_FIELDS`] at most, less what every line of a process says again.
    pub fields: Map<String, Value>,
}

impl Message {
    /// Reads a line, with or without its newline. `None`: it is no object, or says neither how serious it is nor when it
    /// was, or nothing in words.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.len() > LONGEST || !line.starts_with('{') || !line.ends_with('}') {
            return None;
        }
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let level = take(&mut fields, &LEVEL, level);
        let time_ms = take(&mut fields, &TIME, milliseconds);
        if level.is_none() && time_ms.is_none() {
            return None;
        }
        let text = take(&mut fields, &TEXT, text);
        let error = take(&mut fields, &ERROR, |value| value.as_object().cloned());
        let mut error = error.unwrap_or_default();
        let of_error = take(&mut error, &TEXT, self::text);
        let stack = take(&mut fields, &["stack"], self::text);
        let stack = stack.or_else(|| take(&mut error, &["stack"], self::text));
        let text = text.or(of_error)?;
        for name in ALWAYS_THE_SAME {
            fields.remove(name);
        }
        for (name, value) in error {
            // beside the message's own field of that name
            fields.entry(format!("err.{name}")).or_insert(value);
        }
        let fields = fields.into_iter().take(MOST_FIELDS).collect();
        Some(Self {
            time_ms,
            level,
            text,
            stack,
            fields,
        })
    }
}

/// The first of these fields that can be read so; it is a field no more.
fn take<T>(
    fields: &mut Map<String, Value>,
    names: &[&str],
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    for name in names {
        if let Some(found) = fields.get(*name).and_then(&read) {
            fields.remove(*name);
            return Some(found);
        }
    }
    None
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn level(value: &Value) -> Option<Level> {
    match value {
        Value::Number(number) => Level::of_number(number.as_i64()?),
        Value::String(word) => Level::of_word(word),
        _ => None,
    }
}

/// RFC 3339, or a number: seconds, or thousandths or millionths of one since 1970, by its size.
fn milliseconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => {
            let time: Timestamp = text.parse().ok()?;
            Some(time.as_millisecond())
        }
        Value::Number(number) => {
            let number = number.as_f64()?;
            let milliseconds = match number.abs() {
                0.0..1e11 => number * 1e3,
                1e11..1e14 => number,
                _ => number / 1e3,
            };
            // within what a time can be: years -9999 to 9999
            (milliseconds.abs() < 2.5e14).then_some(milliseconds.round() as i64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_loggers_are_understood() {
        let pino = r#"{"level":30,"time":1531171074631,"pid":657,"hostname":"box","msg":"hello","route":"/a"}"#;
        let bunyan = r#"{"name":"api","hostname":"box","pid":1,"level":50,"err":{"message":"boom","name":"Error","stack":"Error: boom\n    at x"},"msg":"boom","time":"2018-07-09T21:17:54.631Z","v":0}"#;
        let winston = r#"{"level":"warn","message":"slow","timestamp":"2018-07-09T23:17:54.631+02:00","ms":12}"#;
        let thrown = r#"{"level":60,"time":1531171074.631,"err":{"type":"Error","message":"boom","stack":"Error: boom"}}"#;
        let at = Some(1_531_171_074_631);
        for (line, level, text, stack, fields) in [
            (pino, Level::Info, "hello", None, vec!["route"]),
            (
                bunyan,
                Level::Error,
                "boom",
                Some("Error: boom\n    at x"),
                vec!["err.name", "name"],
            ),
            (winston, Level::Warn, "slow", None, vec!["ms"]),
            (
                thrown,
                Level::Fatal,
                "boom",
                Some("Error: boom"),
                vec!["err.type"],
            ),
        ] {
            let found = Message::parse(line).expect(line);
            assert_eq!((found.time_ms, found.level), (at, Some(level)), "{line}");
            assert_eq!((found.text.as_str(), found.stack.as_deref()), (text, stack));
            let names: Vec<&str> = found.fields.keys().map(String::as_str).collect();
            assert_eq!(names, fields, "{line}");
        }
    }

    #[test]
    fn any_other_line_stays_text() {
        for line in [
            "",
            "{}",
            "hello",
            r#"{"a":1}"#,
            r#"{"msg":"without more"}"#,
            r#"{"level":"loud","msg":"x"}"#,
            r#"{"level":30}"#,
            r#"{"level":30,"msg":"x""#,
            r#"[{"level":30,"msg":"x"}]"#,
        ] {
            assert_eq!(Message::parse(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: Vec<String> = (0..200).map(|number| format!("\"f{number}\":1")).collect();
        let line = format!("{{\"level\":30,\"msg\":\"x\",{}}}", many.join(","));
        let found = Message::parse(&line).expect("a message");
        assert_eq!(found.fields.len(), MOST_FIELDS);
        let deep = format!(
            "{{\"level\":30,\"msg\":\"x\",\"a\":{}1{}}}",
            "[".repeat(500),
            "]".repeat(500)
        );
        assert_eq!(Message::parse(&deep), None);
        let long = format!("{{\"level\":30,\"msg\":\"{}\"}}", "x".repeat(LONGEST));
        assert_eq!(Message::parse(&long), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_hurts(line in "\\{[\\PC\\x00-\\x1f]{0,80}\\}", number in any::<f64>()) {
            let _ = Message::parse(&line);
            let _ = Message::parse(&format!("{{\"level\":30,\"msg\":\"x\",\"time\":{number}}}"));
        }
    }
}
