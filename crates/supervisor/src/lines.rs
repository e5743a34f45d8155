//! Bytes to lines, whatever the pieces in which they come. Reads nothing, waits for nothing.

use crate::output::{LONGEST_LINE, LineEnd};

/// A line, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// With the newline, if it has come.
    pub(crate) bytes: &'a [u8],
    /// Whether it goes on with the piece before.
    pub(crate) is_continued: bool,
    pub(crate) end: LineEnd,
}

/// Holds less than one line and one read between reads.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// How much of the buffer was handed out.
    given: usize,
    /// The last piece was not the end of its line.
    is_open: bool,
}

impl Lines {
    /// Where what is read is to be added. To be asked for when [`next`](Self::next) has nothing more.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Whether there is something of a line that has not been handed out.
    pub(crate) fn has_begun(&self) -> bool {
        self.given < self.buffer.len()
    }

    /// The next line that is complete, or too long to wait for its end. After `None` there is room for a read.
    pub(crate) fn next(&mut self) -> Option<Piece<'_>> {
        let rest = &self.buffer[self.given..];
        let window = &rest[..rest.len().min(LONGEST_LINE)];
        match window.iter().position(|byte| *byte == b'\n') {
            Some(newline) => Some(self.give(newline + 1, LineEnd::Newline)),
            None if rest.len() >= LONGEST_LINE => {
                let whole = whole_characters(window);
                Some(self.give(whole, LineEnd::TooLong))
            }
            None => {
                self.buffer.drain(..std::mem::take(&mut self.given));
                if self.buffer.capacity() > 2 * LONGEST_LINE {
                    self.buffer.shrink_to(LONGEST_LINE);
                }
                None
            }
        }
    }

    /// What there is of a line whose rest does not come.
    pub(crate) fn pause(&mut self) -> Option<Piece<'_>> {
        self.rest(LineEnd::Pause)
    }

    /// A last line without an end.
    pub(crate) fn close(&mut self) -> Option<Piece<'_>> {
        self.rest(LineEnd::Closed)
    }

    fn rest(&mut self, end: LineEnd) -> Option<Piece<'_>> {
        let rest = self.buffer.len() - self.given;
        (rest > 0).then(|| self.give(rest, end))
    }

    fn give(&mut self, length: usize, end: LineEnd) -> Piece<'_> {
        let start = self.given;
        self.given += length;
        let was_open = std::mem::replace(&mut self.is_open, end != LineEnd::Newline);
        Piece {
            bytes: &self.buffer[start..self.given],
            is_continued: was_open,
            end,
        }
    }
}

/// How many bytes stand before a character at the end that is not whole. Bytes that are no UTF-8 are whole.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(3)..bytes.len();
    for start in last.rev() {
        let needs = match bytes[start] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        if start + needs > bytes.len() {
            return start;
        }
        break;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (Vec<u8>, bool, LineEnd);

    fn owned(piece: Piece<'_>) -> Owned {
        (piece.bytes.to_vec(), piece.is_continued, piece.end)
    }

    fn cut(chunks: &[&[u8]]) -> Vec<Owned> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.buffer().extend_from_slice(chunk);
            while let Some(piece) = lines.next() {
                out.push(owned(piece));
            }
        }
        out.extend(lines.close().map(owned));
        out
    }

    #[test]
    fn lines_keep_their_newline_and_cross_reads() {
        let whole = |text: &[u8]| (text.to_vec(), false, LineEnd::Newline);
        let last = (b"three".to_vec(), false, LineEnd::Closed);
        let expected = [whole(b"one\n"), whole(b"two\n"), whole(b"\n"), last];
        assert_eq!(cut(&[b"one\ntw", b"o\n\nthree"]), expected);
        assert!(cut(&[]).is_empty());
    }

    #[test]
    fn endless_lines_arrive_in_pieces_of_whole_characters() {
        let long = "\u{20ac}".repeat(LONGEST_LINE);
        let pieces = cut(&[long.as_bytes(), b"\nend\n"]);
        let said: Vec<_> = pieces
            .iter()
            .map(|(bytes, is_continued, end)| (bytes.len(), *is_continued, *end))
            .collect();
        let most = LONGEST_LINE / 3 * 3;
        let rest = LONGEST_LINE * 3 - most * 3 + 1;
        assert_eq!(
            said,
            [
                (most, false, LineEnd::TooLong),
                (most, true, LineEnd::TooLong),
                (most, true, LineEnd::TooLong),
                (rest, true, LineEnd::Newline),
                (4, false, LineEnd::Newline),
            ]
        );
        assert!(
            pieces
                .iter()
                .all(|(bytes, ..)| str::from_utf8(bytes).is_ok())
        );
    }

    #[test]
    fn a_beginning_that_was_shown_is_gone_on_with() {
        let mut lines = Lines::default();
        lines.buffer().extend_from_slice(b"Name: ");
        assert_eq!(lines.next(), None);
        assert_eq!(
            lines.pause().map(owned),
            Some((b"Name: ".to_vec(), false, LineEnd::Pause))
        );
        assert_eq!(lines.pause(), None);
        assert!(!lines.has_begun());
        lines.buffer().extend_from_slice(b"Ada\n");
        assert_eq!(
            lines.next().map(owned),
            Some((b"Ada\n".to_vec(), true, LineEnd::Newline))
        );
        assert_eq!(lines.next(), None);
        assert_eq!(lines.close(), None);
    }

    #[test]
    fn what_is_no_text_is_cut_anywhere() {
        for (bytes, whole) in [
            (&b"abc"[..], 3),
            ("ab\u{20ac}".as_bytes(), 5),
            (b"ab\xe2\x82", 2),
            (b"ab\xf0\x9f\x98", 2),
            (b"\x80\x80\x80\x80", 4),
            (b"a\xff", 2),
            (b"", 0),
        ] {
            assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
        }
    }

    /// Chunks of lines, some of them longer than a line may be.
    fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = proptest::collection::vec(any::<u8>(), 0..200);
        let long = (1..4_usize, any::<u8>())
            .prop_map(|(times, byte)| vec![byte; times * LONGEST_LINE / 2 + 7]);
        let line = Just(b"line\n".to_vec());
        proptest::collection::vec(prop_oneof![4 => text, 4 => line, 1 => long], 0..12)
    }

    proptest! {
        #[test]
        fn the_same_bytes_are_the_same_lines_however_they_come(chunks in chunks(), step in 1..9_000_usize) {
            let whole = chunks.concat();
            let as_one = cut(&[&whole]);
            let as_came: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let evenly: Vec<&[u8]> = whole.chunks(step).collect();
            prop_assert_eq!(&cut(&as_came), &as_one);
            prop_assert_eq!(&cut(&evenly), &as_one);
            let joined: Vec<u8> = as_one.iter().flat_map(|(bytes, ..)| bytes.iter().copied()).collect();
            prop_assert_eq!(joined, whole);
            for (bytes, _, end) in &as_one {
                prop_assert!(bytes.len() <= LONGEST_LINE);
                prop_assert_eq!(bytes.last() == Some(&b'\n'), *end == LineEnd::Newline);
            }
        }
    }
}
