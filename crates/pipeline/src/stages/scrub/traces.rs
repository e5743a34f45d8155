//! Stack traces, by what each language prints. Knows text only, not which format it came in.
//!
//! A trace is known by its frames: a place in a source file, or a call. The words around it are an app's own.

use super::text::{before, behind, find_all, line_before, token_before};

/// What is said beside traces and nowhere else.
const MARKS: [&str; 13] = [
    "Traceback (most recent call last)", // Python
    "Werkzeug Debugger",                 // Flask
    "Exception Location:",               // Django
    "Symfony Exception",
    "Action Controller: Exception caught", // Rails
    "Stack Trace:",                        // ASP.NET
    "Stack trace:\n#0 ",                   // PHP
    "nested exception is ",                // Spring
    "Caused by: java.",
    "[running]:\n",                 // Go
    "panic: runtime error",         // Go
    "Unhandled exception. System.", // .NET
    "stack backtrace:",             // Rust
];

/// Endings of source files that are no top-level domain too: `shop.rs:8080` is a host.
const SOURCES: [&str; 22] = [
    "js", "mjs", "cjs", "jsx", "ts", "tsx", "mts", "cts", "rb", "php", "java", "kt", "scala",
    "groovy", "go", "cs", "vb", "clj", "ex", "exs", "erl", "swift",
];
/// Endings that are one: these files are known by line and column.
const SOURCES_OR_HOSTS: [&str; 5] = ["rs", "py", "pl", "pm", "cc"];

/// Keys under which frameworks send a trace.
const KEYS: [&str; 6] = [
    "\"stack\"",
    "\"stackTrace\"",
    "\"stacktrace\"",
    "\"stack_trace\"",
    "\"traceback\"",
    "\"backtrace\"",
];

/// Whether there is a trace in a text.
pub(super) fn is_there(text: &[u8]) -> bool {
    let has_mark = MARKS
        .iter()
        .any(|mark| memchr::memmem::find(text, mark.as_bytes()).is_some());
    has_mark || has_place(text) || has_line(text) || has_calls(text)
}

/// Whether a body has one under a key of its own. Takes the body as it was sent: whether a text has lines is seen by
/// its escapes.
pub(super) fn has_key(body: &[u8]) -> bool {
    let is_long = |value: &[u8]| match value {
        [b'[', rest @ ..] => rest
            .trim_ascii_start()
            .first()
            .is_some_and(|byte| *byte != b']'),
        [b'{', rest @ ..] => rest
            .trim_ascii_start()
            .first()
            .is_some_and(|byte| *byte != b'}'),
        [b'"', rest @ ..] => {
            let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
            memchr::memmem::find(&rest[..end], b"\\n").is_some()
        }
        _ => false,
    };
    let under =
        |key: &'static str| find_all(body, key).filter_map(|at| value(&body[at + key.len()..]));
    // a trace of requests has an id or fields here, a trace of calls its lines
    KEYS.iter().any(|key| under(key).any(is_long))
        || under("\"trace\"").any(|value| !value.starts_with(b"{") && is_long(value))
}

/// What stands behind a key.
pub(super) fn value(after: &[u8]) -> Option<&[u8]> {
    let rest = after.trim_ascii_start().strip_prefix(b":")?;
    Some(rest.trim_ascii_start())
}

/// `server.js:12:5`, `(Shop.java:12)`, `user.rb:12:in`, `main.go:12`, `at x (node:internal/y:12:5)`.
fn has_place(text: &[u8]) -> bool {
    memchr::memchr_iter(b':', text).any(|colon| {
        let Some(after) = behind(&text[colon + 1..], u8::is_ascii_digit) else {
            return false;
        };
        let file = token_before(text, colon);
        let has_column = after
            .strip_prefix(b":")
            .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit));
        if ends_in(file, &SOURCES) || has_column && ends_in(file, &SOURCES_OR_HOSTS) {
            return true;
        }
        let is_path = memchr::memchr2(b'/', b'\\', file).is_some();
        has_column && (file.starts_with(b"node:") || is_path && is_frame(line_before(text, colon)))
    })
}

/// Whether a file's name has one of these endings. A name has something before its ending.
fn ends_in(file: &[u8], endings: &[&str]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', file) else {
        return false;
    };
    let ending = str::from_utf8(&file[dot + 1..]).unwrap_or("");
    file[..dot]
        .last()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-])".contains(byte))
        && endings.contains(&ending)
}

/// Whether a line begins as a frame of JavaScript, Java and .NET does.
fn is_frame(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"at ")
}

/// `File "/srv/app.py", line 12`, `in /var/www/index.php on line 12`, `x.php(12)`, `X.cs:line 12`.
fn has_line(text: &[u8]) -> bool {
    let numbered = |word: &'static str, near: &'static str, reach: usize| {
        find_all(text, word).any(|at| {
            let after = text[at + word.len()..].trim_ascii_start();
            after.first().is_some_and(u8::is_ascii_digit)
                && memchr::memmem::find(before(text, at, reach), near.as_bytes()).is_some()
        })
    };
    // Python, whose pages break the line behind the comma
    let in_file = find_all(text, "line ").any(|at| {
        let after = text[at + 5..].trim_ascii_start();
        let near = before(text, at, 300).trim_ascii_end();
        near.ends_with(b",")
            && after.first().is_some_and(u8::is_ascii_digit)
            && memchr::memmem::find(near, b"File ").is_some()
    });
    in_file
        || numbered(" on line ", ".php", 300)
        || numbered(".php(", "#", 300)
        || numbered(":line ", " in ", 300)
        || numbered(" line ", ".pl", 40)
}

/// Frames that name no file: `at Shop.Orders.Find(String id)`. One may be a sentence, two are none.
fn has_calls(text: &[u8]) -> bool {
    let is_call = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let Some(call) = line
            .strip_prefix(b"at ")
            .or_else(|| line.strip_prefix(b"at async "))
        else {
            return false;
        };
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$<>`+[],/@".contains(byte);
        let Some(rest) = behind(call, is_name) else {
            return false;
        };
        let name = &call[..call.len() - rest.len()];
        rest.starts_with(b"(") && memchr::memchr(b'.', name).is_some() && !name.ends_with(b".")
    };
    let mut calls = text
        .split(|byte| *byte == b'\n')
        .filter(|line| is_call(line));
    calls.next().is_some() && calls.next().is_some()
}
