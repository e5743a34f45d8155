//! Finds the end of a head in a buffer that grows, looking at no byte twice, and refuses early
//! what can never become one, so that garbage does not wait for a time-out. It understands
//! lines, not fields: `request` and `response` do.

use crate::{HeadFault, Limits, Malformed, Refused};

/// Where a head lies in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSpan {
    /// Where the head begins: behind the empty lines skipped in front of it.
    pub start: usize,
    /// Where the body begins: behind the blank line.
    pub end: usize,
}

/// The search for the end of one head. Start a new one for each message.
#[derive(Clone, Debug, Default)]
pub struct HeadScan {
    /// Where the head begins.
    start: usize,
    /// Where the line being read begins.
    line: usize,
    /// All before this has been looked at.
    seen: usize,
    /// Complete lines so far.
    lines: usize,
    /// Empty lines skipped in front of the head.
    skipped: usize,
}

/// What every response begins with.
const VERSION: &[u8] = b"HTTP/1.";

/// Who sends the head: it decides how the first line must begin and end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Upstream,
}

/// Why the search ended without a head.
enum Fault {
    Head(HeadFault),
    NotHttp,
    LeadingLines,
    StartLineTooLong,
}

impl From<HeadFault> for Fault {
    fn from(fault: HeadFault) -> Self {
        Self::Head(fault)
    }
}

impl HeadScan {
    /// Looks for the end of a request's head. `input` is the whole buffer each time, from the
    /// same first byte; `None` means that more bytes are needed.
    ///
    /// # Errors
    /// Whatever no further byte can mend: a fault in a line, too long a head or target, a first
    /// byte that begins no request.
    pub fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<HeadSpan>, Refused> {
        self.find(input, limits, Sender::Client)
            .map_err(|fault| match fault {
                Fault::Head(fault) => Refused::Head(fault),
                Fault::NotHttp => Refused::NotHttp,
                Fault::LeadingLines => Refused::LeadingLines,
                Fault::StartLineTooLong => Refused::TargetTooLong,
            })
    }

    /// Looks for the end of a response's head, as [`find_end`](Self::find_end) does for a
    /// request's. Nothing is skipped in front of it.
    ///
    /// # Errors
    /// Whatever no further byte can mend.
    pub fn find_response_end(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Option<HeadSpan>, Malformed> {
        self.find(input, limits, Sender::Upstream)
            .map_err(|fault| match fault {
                Fault::Head(fault) => Malformed::Head(fault),
                Fault::NotHttp | Fault::LeadingLines => Malformed::NotHttp,
                Fault::StartLineTooLong => Malformed::Head(HeadFault::HeadTooLarge),
            })
    }

    fn find(
        &mut self,
        input: &[u8],
        limits: &Limits,
        sender: Sender,
    ) -> Result<Option<HeadSpan>, Fault> {
        if self.seen == self.start && !self.begin(input, sender)? {
            return Ok(None);
        }
        while let Some(at) = next_control(input, self.seen) {
            match input[at] {
                b'\r' => match input.get(at + 1) {
                    Some(b'\n') => {
                        if self.end_line(input, at, limits, sender)? {
                            return Ok(Some(HeadSpan {
                                start: self.start,
                                end: at + 2,
                            }));
                        }
                    }
                    Some(_) => return Err(HeadFault::BareCr.into()),
                    None => {
                        self.seen = at;
                        return self.check_sizes(at, limits).map(|()| None);
                    }
                },
                b'\t' if self.lines > 0 || sender == Sender::Upstream => self.seen = at + 1,
                b'\n' => return Err(HeadFault::BareLf.into()),
                0 => return Err(HeadFault::Nul.into()),
                _ => return Err(HeadFault::Control.into()),
            }
        }
        self.seen = input.len();
        self.check_sizes(input.len(), limits).map(|()| None)
    }

    /// Skips empty lines and looks at the first bytes; false when there are too few of them.
    fn begin(&mut self, input: &[u8], sender: Sender) -> Result<bool, Fault> {
        loop {
            let rest = &input[self.start..];
            match (rest, sender) {
                ([] | [b'\r'], Sender::Client) | ([], Sender::Upstream) => return Ok(false),
                ([b'\r', b'\n', ..], Sender::Client) => {
                    self.skipped += 1;
                    if self.skipped > Limits::LEADING_LINES {
                        return Err(Fault::LeadingLines);
                    }
                    self.start += 2;
                    self.line = self.start;
                    self.seen = self.start;
                }
                ([b'\r', ..], Sender::Client) => return Err(HeadFault::BareCr.into()),
                ([b'\n', ..], Sender::Client) => return Err(HeadFault::BareLf.into()),
                ([first, ..], Sender::Client) if !is_token(*first) => return Err(Fault::NotHttp),
                ([..], Sender::Upstream) if !is_prefix(rest, VERSION) => {
                    return Err(Fault::NotHttp);
                }
                ([..], Sender::Upstream) if rest.len() < VERSION.len() => return Ok(false),
                _ => return Ok(true),
            }
        }
    }

    /// Ends the line whose CR is at `at`; true when it was the blank one.
    fn end_line(
        &mut self,
        input: &[u8],
        at: usize,
        limits: &Limits,
        sender: Sender,
    ) -> Result<bool, Fault> {
        self.check_sizes(at + 2, limits)?;
        let line = &input[self.line..at];
        if line.is_empty() {
            return Ok(true);
        }
        if self.lines == 0 {
            // HTTP/0.9 has no head: its blank line would never come
            if sender == Sender::Client && !names_version(line) {
                return Err(HeadFault::StartLine.into());
            }
        } else if matches!(line[0], b' ' | b'\t') {
            return Err(HeadFault::Fold.into());
        }
        self.lines += 1;
        if self.lines > limits.fields.saturating_add(1) {
            return Err(HeadFault::TooManyFields.into());
        }
        self.line = at + 2;
        self.seen = at + 2;
        Ok(false)
    }

    /// Whether what lies before `end` is still within the limits. Counted in whole lines; the
    /// parsers count names, values and targets exactly.
    fn check_sizes(&self, end: usize, limits: &Limits) -> Result<(), Fault> {
        /// White space, colon and line end around a name and its value.
        const AROUND_FIELD: usize = 16;
        /// Spaces, version and line end around a method and its target.
        const AROUND_TARGET: usize = Limits::METHOD + "  HTTP/1.1\r\n".len();

        let line = end - self.line;
        if self.lines == 0 && line > limits.target.saturating_add(AROUND_TARGET) {
            return Err(Fault::StartLineTooLong);
        }
        if end - self.start > limits.head {
            return Err(HeadFault::HeadTooLarge.into());
        }
        if self.lines > 0 && line > limits.field.saturating_add(AROUND_FIELD) {
            return Err(HeadFault::FieldTooLarge.into());
        }
        Ok(())
    }
}

/// Whether a complete first line ends as a request line does.
fn names_version(line: &[u8]) -> bool {
    line.len() > 9 && line[line.len() - 9..].starts_with(b" HTTP/")
}

/// Whether `input` is the beginning of `wanted`, or the other way round.
fn is_prefix(input: &[u8], wanted: &[u8]) -> bool {
    input.iter().zip(wanted).all(|(a, b)| a == b)
}

/// A `tchar` of RFC 9110, 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The first control character at or behind `from`, eight bytes at a time.
///
/// Line ends are control characters, so that one pass finds the lines and what may not be in
/// them.
fn next_control(input: &[u8], from: usize) -> Option<usize> {
    let rest = input.get(from..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = mark_controls(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(from + index * 8 + (marks.trailing_zeros() / 8) as usize);
        }
    }
    let within = tail.iter().position(|byte| *byte < 0x20 || *byte == 0x7f)?;
    Some(from + words.len() * 8 + within)
}

/// Whether there is a control character.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    next_control(bytes, 0).is_some()
}

/// Sets the highest bit of the bytes that are control characters. Only the lowest mark is
/// exact: a borrow may run from it into the bytes above.
fn mark_controls(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = ONES << 7;
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7f);
    let delete = delete.wrapping_sub(ONES) & !delete;
    (low | delete) & HIGH
}

#[cfg(test)]
mod tests;
