//! Sentences for people, on standard error: coloured on a terminal, plain otherwise. In the background that is a log, and
//! as long as an instance is not ready, the command that started it hears them too.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use mainstay_observe::Timestamp;

use crate::failure::Failure;
use crate::order::{Ending, Told};

/// For what went wrong.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// For what should be looked at.
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// For addresses and names.
const STRONG: Style = Style::new().bold();
/// For what is only there to be complete.
const DIM: Style = Style::new().dimmed();

/// Why the program ends. A message that begins with its own heading is left as it is.
pub(crate) fn failure(failure: Failure) {
    let message = &failure.message;
    let text = if message.contains("error:") {
        message.clone()
    } else {
        format!("{ERROR}error:{ERROR:#} {message}")
    };
    say(Word::Over(Some(text), Ending::from(failure)));
}

/// The instance is ready: whoever started it need not wait any longer.
pub(crate) fn ready() {
    say(Word::Over(None, Ending::well("")));
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

/// Writes what is said as lines of a log from now on, each with its time.
pub(crate) fn into_a_log() {
    IS_LOG.store(true, Ordering::Relaxed);
}

/// The command that started this instance hears what is said until it is over. It waits for us, we do not wait for it:
/// `listener` must not block.
pub(crate) fn also_to(listener: File) {
    *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
}

static IS_LOG: AtomicBool = AtomicBool::new(false);
/// Who else hears it.
static LISTENER: Mutex<Option<File>> = Mutex::new(None);

enum Word {
    Sentence(String),
    /// What the listener waited for has come, or will not come; what is to be said of it.
    Over(Option<String>, Ending),
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
    say(Word::Sentence(text.to_owned()));
}

fn say(word: Word) {
    match WRITER.get() {
        // there is no better place to say that something could not be said
        Some(writer) => drop(writer.try_send(word)),
        None => say_now(word),
    }
}

fn write_all(words: &Receiver<Word>) {
    while let Ok(word) = words.recv() {
        say_now(word);
    }
}

fn say_now(word: Word) {
    match word {
        Word::Sentence(text) => {
            write_now(&text);
            tell(&Told::Progress(text));
        }
        Word::Over(text, ending) => {
            if let Some(text) = text {
                write_now(&text);
            }
            tell(&Told::Done(ending));
            *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Word::Barrier(done) => drop(done.send(())),
    }
}

fn write_now(text: &str) {
    let text = text.trim_end();
    // a reader that went away, or a full disk, is no reason to stop serving
    let _ = if IS_LOG.load(Ordering::Relaxed) {
        let time = Timestamp::new(SystemTime::now()).rfc3339_seconds();
        let mut stamped = String::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            stamped.extend([&time, "Z ", line, "\n"]);
        }
        anstream::stderr().lock().write_all(stamped.as_bytes())
    } else {
        writeln!(anstream::stderr().lock(), "{text}")
    };
}

fn tell(told: &Told) {
    let mut listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(listener) = &mut *listener
        && let Ok(mut line) = serde_json::to_vec(told)
    {
        line.push(b'\n');
        // one that does not read misses it
        let _ = listener.write_all(&line);
    }
}
