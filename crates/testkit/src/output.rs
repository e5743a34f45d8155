//! What a program wrote, collected while it runs.
//!
//! What may not be here: an unbounded memory of it. A program that floods its output must not take the
//! machine with it: the oldest bytes of whoever wrote most go first, so that a flood on one stream does not
//! wash away what was said on the other.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::patience;

/// Kept at most; a test that wants more than this in one piece wants a file.
const KEPT: usize = 1024 * 1024;

/// Standard output and standard error in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct Output {
    shared: Arc<(Mutex<Collected>, Condvar)>,
}

#[derive(Debug, Default)]
struct Collected {
    /// Pieces in the order of their arrival, with the number of the stream they came from.
    pieces: VecDeque<(usize, Vec<u8>)>,
    /// Bytes kept, by stream.
    kept: Vec<usize>,
    open: usize,
    /// Nobody reads.
    held: bool,
}

impl Output {
    /// Stops reading, as a log writer that hangs: what is written from now on fills the pipes.
    pub fn hold(&self) {
        self.change(|collected| collected.held = true);
    }

    /// Reads on.
    pub fn release(&self) {
        self.change(|collected| collected.held = false);
    }

    fn wait_until_read(&self) {
        let mut collected = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        while collected.held {
            let waited = self.shared.1.wait(collected);
            collected = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads `source` to its end on a thread of its own.
    pub(crate) fn collect(&self, mut source: impl Read + Send + 'static) {
        let mut stream = 0;
        self.change(|collected| {
            collected.open += 1;
            stream = collected.kept.len();
            collected.kept.push(0);
        });
        let output = self.clone();
        thread::spawn(move || {
            let mut block = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = source.read(&mut block) {
                output.change(|collected| collected.keep(stream, &block[..count]));
                output.wait_until_read();
            }
            output.change(|collected| collected.open -= 1);
        });
    }

    /// Everything so far, colours removed.
    #[must_use]
    pub fn text(&self) -> String {
        let collected = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        without_colours(&collected.text())
    }

    /// Waits until `look` finds something in the whole text; `None` when the program closed its output or
    /// patience ended first.
    pub(crate) fn wait<T>(&self, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + patience();
        let mut collected = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&without_colours(&collected.text())) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if collected.open == 0 || left.is_zero() {
                return None;
            }
            collected = self
                .shared
                .1
                .wait_timeout(collected, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until every writer has closed its end.
    pub(crate) fn wait_for_end(&self) {
        let _: Option<()> = self.wait(|_| None);
    }

    fn change(&self, change: impl FnOnce(&mut Collected)) {
        change(&mut self.shared.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.1.notify_all();
    }
}

impl Collected {
    fn keep(&mut self, stream: usize, block: &[u8]) {
        self.pieces.push_back((stream, block.to_vec()));
        self.kept[stream] += block.len();
        if self.kept.iter().sum::<usize>() <= 2 * KEPT {
            return;
        }
        let loudest = (0..self.kept.len())
            .max_by_key(|stream| self.kept[*stream])
            .unwrap_or(stream);
        let kept = &mut self.kept[loudest];
        self.pieces.retain(|(stream, piece)| {
            let goes = *stream == loudest && *kept > KEPT;
            if goes {
                *kept -= piece.len();
            }
            !goes
        });
    }

    /// In the order of their arrival. Pieces end anywhere: no line is torn by one of the other stream.
    fn text(&self) -> String {
        let mut bytes = Vec::new();
        let mut begun = vec![Vec::new(); self.kept.len()];
        for (stream, piece) in &self.pieces {
            let line = &mut begun[*stream];
            line.extend_from_slice(piece);
            if let Some(newline) = line.iter().rposition(|byte| *byte == b'\n') {
                bytes.extend(line.drain(..=newline));
            }
        }
        bytes.extend(begun.into_iter().flatten());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The text less its terminal sequences (`ESC [ ... letter`).
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed() {
        assert_eq!(
            without_colours("\u{1b}[1;32mready\u{1b}[0m at 1"),
            "ready at 1"
        );
    }

    #[test]
    fn what_is_written_is_found_and_the_end_is_noticed() {
        let output = Output::default();
        output.collect(&b"one\ntwo\n"[..]);
        assert_eq!(output.wait(|text| text.find("two")), Some(4));
        assert_eq!(output.wait(|text| text.find("three")), None);
        assert_eq!(output.text(), "one\ntwo\n");
    }

    #[test]
    fn lines_are_whole_whatever_is_written_between_their_pieces() {
        let mut collected = Collected {
            kept: vec![0, 0],
            ..Collected::default()
        };
        for (stream, piece) in [
            (0, "note: one"),
            (1, "two\nthr"),
            (0, " more\n"),
            (1, "ee\nfour"),
        ] {
            collected.keep(stream, piece.as_bytes());
        }
        assert_eq!(collected.text(), "two\nnote: one more\nthree\nfour");
    }

    #[test]
    fn a_flood_keeps_its_end_and_what_was_said_beside_it() {
        let mut collected = Collected {
            kept: vec![0, 0],
            ..Collected::default()
        };
        collected.keep(1, b"beside\n");
        for number in 0..40_u8 {
            collected.keep(0, &vec![b'0' + number; KEPT / 8]);
        }
        let text = collected.text();
        assert!(text.len() <= 2 * KEPT);
        assert!(text.starts_with("beside") && text.ends_with(char::from(b'0' + 39)));
    }
}
