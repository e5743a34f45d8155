//! What a program wrote, collected while it runs.
//!
//! What may not be here: an unbounded memory of it. A program that floods its output must not take the
//! machine with it: the oldest bytes go first.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::patience;

/// Kept at most; a test that wants more than this in one piece wants a file.
const KEPT: usize = 8 * 1024 * 1024;

/// Standard output and standard error in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct Output {
    shared: Arc<(Mutex<Collected>, Condvar)>,
}

#[derive(Debug, Default)]
struct Collected {
    bytes: Vec<u8>,
    open: usize,
}

impl Output {
    /// Reads `source` to its end on a thread of its own.
    pub(crate) fn collect(&self, mut source: impl Read + Send + 'static) {
        self.change(|collected| collected.open += 1);
        let output = self.clone();
        thread::spawn(move || {
            let mut block = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = source.read(&mut block) {
                output.change(|collected| collected.keep(&block[..count]));
            }
            output.change(|collected| collected.open -= 1);
        });
    }

    /// Everything so far, colours removed.
    #[must_use]
    pub fn text(&self) -> String {
        let collected = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        without_colours(&String::from_utf8_lossy(&collected.bytes))
    }

    /// Waits until `look` finds something in the whole text; `None` when the program closed its output or
    /// patience ended first.
    pub(crate) fn wait<T>(&self, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + patience();
        let mut collected = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&without_colours(&String::from_utf8_lossy(&collected.bytes)))
            {
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
    fn keep(&mut self, block: &[u8]) {
        self.bytes.extend_from_slice(block);
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
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
    fn a_flood_keeps_its_end() {
        let mut collected = Collected::default();
        for number in 0..40_u8 {
            collected.keep(&vec![number; 1024 * 1024]);
        }
        assert!(collected.bytes.len() <= 2 * KEPT);
        assert_eq!(collected.bytes.last(), Some(&39));
    }
}
