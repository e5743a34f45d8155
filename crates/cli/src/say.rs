//! Sentences for people, on standard error: coloured on a terminal, plain otherwise.

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

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

/// What begins a line about something that is wrong.
pub(crate) fn error_mark() -> String {
    format!("{ERROR}error:{ERROR:#}")
}

/// What begins a line about something to look at.
pub(crate) fn warning_mark() -> String {
    format!("{WARNING}warning:{WARNING:#}")
}

/// Text that stands out.
pub(crate) fn strong(text: &str) -> String {
    format!("{STRONG}{text}{STRONG:#}")
}

/// Text that stands back.
pub(crate) fn dim(text: &str) -> String {
    format!("{DIM}{text}{DIM:#}")
}

/// Sentences that may wait for a reader; more are lost.
const WAITING: usize = 1024;
/// How long a reader that does not read is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the thread that writes, where there is one.
static WRITER: OnceLock<SyncSender<Word>> = OnceLock::new();

enum Word {
    Sentence(String),
    /// Answered when everything before it is out.
    Barrier(SyncSender<()>),
}

/// From now on a thread of its own writes: whoever supervises must not wait for a reader that does not read.
pub(crate) fn from_a_thread() -> io::Result<()> {
    let (sender, words) = sync_channel(WAITING);
    thread::Builder::new()
        .name("sentences".to_owned())
        .spawn(move || write_all(&words))?;
    let _ = WRITER.set(sender);
    Ok(())
}

/// Waits until everything said is out, but not for a reader that does not read. Before the program ends.
pub(crate) fn settle() {
    let Some(writer) = WRITER.get() else { return };
    let (done, waits) = sync_channel(1);
    if writer.try_send(Word::Barrier(done)).is_ok() {
        let _ = waits.recv_timeout(PATIENCE);
    }
}

fn write(text: &str) {
    match WRITER.get() {
        // there is no better place to say that something could not be said
        Some(writer) => drop(writer.try_send(Word::Sentence(text.to_owned()))),
        None => write_now(text),
    }
}

fn write_all(words: &Receiver<Word>) {
    while let Ok(word) = words.recv() {
        match word {
            Word::Sentence(text) => write_now(&text),
            Word::Barrier(done) => drop(done.send(())),
        }
    }
}

fn write_now(text: &str) {
    // a reader that went away is no reason to stop serving
    let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end());
}
