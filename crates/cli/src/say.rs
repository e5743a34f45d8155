//! Sentences for people, on standard error: coloured on a terminal, plain otherwise.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// For what went wrong.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// For what should be looked at.
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// For addresses and names.
const STRONG: Style = Style::new().bold();
/// For what is only there to be complete.
const DIM: Style = Style::new().dimmed();

/// Why the program ends. A message that begins with its own heading is left as it is.
pub(crate) fn failure(message: &str) {
    if message.contains("error:") {
        write(message);
    } else {
        write(&format!("{ERROR}error:{ERROR:#} {message}"));
    }
}

/// Something to look at.
pub(crate) fn warning(sentence: &str) {
    write(&format!("{WARNING}warning:{WARNING:#} {sentence}"));
}

/// Something that happened.
pub(crate) fn note(sentence: &str) {
    write(&format!("{DIM}mainstay:{DIM:#} {sentence}"));
}

/// A line as it is.
pub(crate) fn line(text: &str) {
    write(text);
}

/// Text that stands out.
pub(crate) fn strong(text: &str) -> String {
    format!("{STRONG}{text}{STRONG:#}")
}

/// Text that stands back.
pub(crate) fn dim(text: &str) -> String {
    format!("{DIM}{text}{DIM:#}")
}

fn write(text: &str) {
    // a reader that went away is no reason to stop serving
    let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end());
}
