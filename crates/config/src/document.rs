//! From bytes to a TOML table with spans, or what hinders it. Knows no section and no key.

use mainstay_values::{Problem, Problems};
use toml::de::{DeTable, Error};

use crate::source_file::SourceFile;

/// Syntax errors after these are mostly the echo of the first.
const MOST_ERRORS: usize = 10;

/// The file as text, if it can be TOML at all: not too long, UTF-8, no NUL, not JSON or YAML.
///
/// A byte order mark is let through: the TOML parser skips it.
pub(crate) fn text(file: &SourceFile) -> Result<&str, Problem> {
    let bytes = file.bytes();
    let name = &file.name;
    let whole = |problem: Problem| problem.at(name, 0..0);
    if bytes.len() > SourceFile::LONGEST {
        return Err(whole(
            Problem::new(format!("`{name}` is too long"))
                .expected(format!("at most {} bytes", SourceFile::LONGEST)),
        ));
    }
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        let problem = Problem::new(format!("`{name}` is not a text file"))
            .expected("text without NUL")
            .at(name, offset..offset + 1);
        return Err(
            if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
                problem.hint("it looks like UTF-16: save it as UTF-8")
            } else {
                problem
            },
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        Problem::new(format!("`{name}` is not UTF-8"))
            .expected("text in UTF-8")
            .at(name, offset..offset + 1)
    })?;
    if file.is_translated() {
        return Ok(text);
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    if extension.is_some_and(|e| e.eq_ignore_ascii_case("json")) || begin.starts_with('{') {
        let offset = text.len() - begin.len();
        return Err(Problem::new(format!("`{name}` is JSON, not TOML"))
            .expected("lines such as `listen = \":3000\"`")
            .hint("write `key = value` instead of `\"key\": value`, and `[section]` instead of braces")
            .at(name, offset..(offset + 1).min(text.len())));
    }
    if extension.is_some_and(|e| {
        ["yml", "yaml"]
            .iter()
            .any(|yaml| e.eq_ignore_ascii_case(yaml))
    }) {
        return Err(whole(
            Problem::new(format!("`{name}` is YAML, not TOML"))
                .expected("lines such as `listen = \":3000\"`"),
        ));
    }
    Ok(text)
}

/// The table that the text spells, or every syntax error in it.
pub(crate) fn parse<'a>(name: &str, text: &'a str) -> Result<DeTable<'a>, Problems> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table.into_inner());
    }
    let mut problems = Problems::new();
    let mut seen = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if problems.len() == MOST_ERRORS {
            break;
        }
        if !seen.contains(&span.start) {
            seen.push(span.start);
            problems.push(complain(&error, text).at(name, span));
        }
    }
    problems.sort();
    Err(problems)
}

/// The parser's message in our form: it reads `invalid …, expected …`.
fn complain(error: &Error, text: &str) -> Problem {
    let message = error.message();
    let begin = error.span().map_or(0, |span| span.start);
    let line = text
        .get(..begin)
        .and_then(|before| before.rsplit('\n').next())
        .unwrap_or_default();
    if message == "duplicate key" {
        return Problem::new("this key is already there")
            .hint("keep one of the two")
            .expected("each key once");
    }
    if message.starts_with("string values must be quoted") {
        return Problem::new("this is not a value")
            .expected("a value; text stands in quotes: `\"…\"`");
    }
    if message.contains("recurs") {
        return Problem::new("this is nested too deeply").expected("at most 80 levels");
    }
    if message.starts_with("cannot extend value") {
        return Problem::new("this key already holds a value, so it cannot be a section too");
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let problem = Problem::new(format!("this is not TOML: {what}"));
    let problem = match expected {
        Some("nothing") | None => problem,
        Some(expected) => problem.expected(expected),
    };
    if message.starts_with("key with no value") && line.contains(':') {
        return problem.hint("TOML writes `key = value`, not `key: value`");
    }
    problem
}
