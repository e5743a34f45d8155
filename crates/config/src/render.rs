//! Problems as text, with the line underlined. Prints nothing itself.

use std::fmt::Write as _;

use mainstay_values::{Place, Problem, Problems};

use crate::source::Sources;
use crate::source_file::SourceFile;

/// Whether the text carries ANSI colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// With ANSI colours, for a terminal.
    Coloured,
}

/// The widest piece of a line that is shown, in characters.
const WIDEST: usize = 120;

/// The longest sentence that is shown, in characters: what the user wrote stands in it.
const LONGEST: usize = 400;

/// Every problem as a person should see it, one after the other with a blank line between.
pub fn render(problems: &Problems, sources: &Sources, style: Style) -> String {
    let paint = Paint(style);
    let mut text = String::new();
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let place = problem.place.as_deref();
        let line = place.and_then(|place| Some((place, sources.file_of(place)?)));
        let headline = sentence(&problem.what);
        let _ = writeln!(
            text,
            "{} {}",
            paint.error("error:"),
            paint.strong(&headline)
        );
        match line {
            Some((place, file)) => in_file(&mut text, problem, place, file, paint),
            None => elsewhere(&mut text, problem, paint),
        }
    }
    text
}

/// The place, the line, the underline and what was expected beside it.
fn in_file(text: &mut String, problem: &Problem, place: &Place, file: &SourceFile, paint: Paint) {
    let excerpt = Excerpt::of(file, place);
    let number = if file.is_translated() {
        " ".to_owned()
    } else {
        excerpt.line.to_string()
    };
    let pad = " ".repeat(number.len());
    let bar = paint.frame("│");
    let position = match file.field(place.span.start) {
        Some(field) => format!(" {}", sentence(field)),
        None => format!(":{}:{}", excerpt.line, excerpt.column),
    };
    let _ = writeln!(
        text,
        "{pad}{} {}{position}",
        paint.frame("——▶"),
        sentence(&file.name),
    );
    let _ = writeln!(text, "{pad} {bar}");
    if problem.keeps_line_back {
        let _ = writeln!(text, "{} {bar} (not shown)", paint.frame(&number));
        if let Some(expected) = &problem.expected {
            let _ = writeln!(text, "{pad} {bar} expected {}", sentence(expected));
        }
        return hint(text, problem, &format!("{pad} {bar}"), paint);
    }
    let _ = writeln!(text, "{} {bar} {}", paint.frame(&number), excerpt.shown);
    let carets = paint.error(&"^".repeat(excerpt.length));
    let _ = write!(text, "{pad} {bar} {}{carets}", " ".repeat(excerpt.before));
    if let Some(expected) = &problem.expected {
        let _ = write!(text, " expected {}", sentence(expected));
    }
    text.push('\n');
    hint(text, problem, &format!("{pad} {bar}"), paint);
}

/// Something that is not in the file: what was found, if anything, and the same words below.
fn elsewhere(text: &mut String, problem: &Problem, paint: Paint) {
    if let Some(found) = &problem.found {
        let _ = writeln!(text, " {} {}", paint.frame("——▶"), sentence(found));
    }
    let bar = paint.frame("│");
    if let Some(expected) = &problem.expected {
        let _ = writeln!(text, "  {bar} expected {}", sentence(expected));
    }
    hint(text, problem, &format!("  {bar}"), paint);
}

/// What to do next; lines to write stand below it, indented.
fn hint(text: &mut String, problem: &Problem, margin: &str, paint: Paint) {
    for (index, line) in problem
        .hint
        .iter()
        .flat_map(|hint| hint.lines())
        .enumerate()
    {
        let _ = match index {
            0 => writeln!(text, "{margin} {} {}", paint.hint("hint:"), sentence(line)),
            _ => writeln!(text, "{margin}     {}", sentence(line)),
        };
    }
}

/// The part of a line that is shown, and what of it is meant.
struct Excerpt {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    shown: String,
    /// Characters of `shown` before the underline.
    before: usize,
    /// Characters underlined, at least one.
    length: usize,
}

impl Excerpt {
    fn of(file: &SourceFile, place: &Place) -> Self {
        let bytes = file.bytes();
        let start = place.span.start.min(bytes.len());
        let line = file.line(start);
        let whole = file.line_span(line);
        let start = start.min(whole.end);
        let end = place.span.end.clamp(start, whole.end);
        let characters = |range| String::from_utf8_lossy(&bytes[range]).into_owned();
        let mut before = printable(characters(whole.start..start).trim_start_matches('\u{feff}'));
        let mut meant = printable(&characters(start..end));
        let mut after = printable(&characters(end..whole.end));
        let column = before.chars().count() + 1;
        let room = WIDEST.saturating_sub(meant.chars().count());
        keep_end(&mut before, room / 2);
        keep_begin(&mut meant, WIDEST);
        keep_begin(&mut after, room.saturating_sub(before.chars().count()));
        Self {
            line,
            column,
            before: before.chars().count(),
            length: meant.chars().count().max(1),
            shown: format!("{before}{meant}{after}").trim_end().to_owned(),
        }
    }
}

fn keep_end(text: &mut String, most: usize) {
    let count = text.chars().count();
    if count > most {
        let kept: String = text.chars().skip(count - most).collect();
        *text = format!("…{kept}");
    }
}

fn keep_begin(text: &mut String, most: usize) {
    if text.chars().count() > most {
        let kept: String = text.chars().take(most).collect();
        *text = format!("{kept}…");
    }
}

/// A sentence, or as much of it as anybody reads.
fn sentence(text: &str) -> String {
    let mut text = printable(text);
    keep_begin(&mut text, LONGEST);
    text
}

/// The user's text without what would move the cursor or change colours: one character for each.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) => '\u{fffd}',
            c if ('\u{2066}'..='\u{2069}').contains(&c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[derive(Clone, Copy)]
struct Paint(Style);

impl Paint {
    fn error(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn frame(self, text: &str) -> String {
        self.wrap("34", text)
    }

    fn hint(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self.0 {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
#[path = "render/tests.rs"]
mod tests;
