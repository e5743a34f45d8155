//! Every way in which somebody behind us may read a path, for decisions that protect. Decides nothing, and changes nothing
//! that is forwarded: an origin gets the client's bytes.
//!
//! One server decodes once, one twice, one cuts parameters off, one takes `\` for `/`, and each in an order of its own. A
//! rule that looks at one reading is passed by writing another. So what *refuses* asks whether [any](Readings::meet)
//! reading is meant, and what *exempts* whether [all](Readings::stay_in) are.

use mainstay_values::PathPattern;

/// No path that is meant well has more readings; whatever has is taken to mean everything.
const MOST: usize = 64;

/// Nor longer ones, all together, in bytes.
const MOST_BYTES: usize = 32 * 1024;

/// One thing that readers do to a path; `None` if there is nothing to do.
type Turn = fn(&[u8]) -> Option<Vec<u8>>;

/// What they do. A reading is what any of them leave behind,
/// in any order, however often.
const TURNS: [Turn; 8] = [
    decoded_but_slashes,
    decoded,
    without_parameters,
    with_slashes,
    resolved,
    merged_and_resolved,
    cut,
    without_host,
];

/// A path in every reading: as it was sent, decoded however often, with dot segments resolved or not, with `;parameters`
/// cut off, `\` as `/`, whatever follows an escaped `?`, `#` or NUL gone, and `//name` in front taken for a host as URL
/// parsers do. Case and repeated slashes are left to [`PathPattern::covers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings<'a> {
    sent: &'a str,
    others: Vec<Vec<u8>>,
    /// Whether these are all. If not, the rest is unknown.
    is_complete: bool,
}

impl<'a> Readings<'a> {
    /// Reads `path` (no query). Allocates only if it can be read in more than one way.
    pub fn of(path: &'a str) -> Self {
        let mut readings = Self {
            sent: path,
            others: Vec::new(),
            is_complete: true,
        };
        if !is_plain(path.as_bytes()) {
            readings.is_complete = readings.unfold();
        }
        readings
    }

    /// Whether some reading is below the pattern, in any case of letters: to be asked by what refuses.
    pub fn meet(&self, pattern: &PathPattern) -> bool {
        self.any(|reading| pattern.covers(reading))
    }

    /// Whether every reading is below the pattern, and as it was sent in its very letters: to be asked by what exempts.
    pub fn stay_in(&self, pattern: &PathPattern) -> bool {
        pattern.matches(self.sent) && !self.any(|reading| !pattern.covers(reading))
    }

    /// Whether the condition holds for some reading. True if there are too many to know.
    pub fn any(&self, condition: impl FnMut(&[u8]) -> bool) -> bool {
        !self.is_complete || self.iter().any(condition)
    }

    /// Whether all readings are known. There are bounds that no path which is meant well comes near.
    pub fn are_complete(&self) -> bool {
        self.is_complete
    }

    /// The known readings, first the path as it was sent.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.sent.as_bytes()).chain(self.others.iter().map(Vec::as_slice))
    }

    /// Applies every turn to every reading until nothing new comes. Whether that was possible within the bounds. It ends: each
    /// turn makes a path shorter, or replaces the last of its backslashes.
    fn unfold(&mut self) -> bool {
        let mut bytes = 0;
        let mut next = 0;
        while next <= self.others.len() {
            for turn in TURNS {
                let source = match next.checked_sub(1) {
                    None => self.sent.as_bytes(),
                    Some(index) => &self.others[index],
                };
                let Some(other) = turn(source) else {
                    continue;
                };
                if other == self.sent.as_bytes() || self.others.contains(&other) {
                    continue;
                }
                bytes += other.len();
                if self.others.len() == MOST || bytes > MOST_BYTES {
                    return false;
                }
                self.others.push(other);
            }
            next += 1;
        }
        true
    }
}

/// Nothing that any two readers could disagree about, but for case.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for byte in path {
        match byte {
            b'%' | b';' | b'\\' | b'?' | b'#' | 0 => return false,
            b'/' | b'.' if previous == b'/' => return false,
            _ => previous = *byte,
        }
    }
    true
}

/// As those read who know an escaped slash from a slash.
fn decoded_but_slashes(path: &[u8]) -> Option<Vec<u8>> {
    unescape(path, |byte| byte != b'/')
}

fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    unescape(path, |_| true)
}

/// Decodes once. A broken escape stays what it is: only a second decoding can meet one.
fn unescape(path: &[u8], is_meant: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    memchr::memchr(b'%', path)?;
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(value) = escape(rest).filter(|value| is_meant(*value)) {
            out.push(value);
            rest = &rest[3..];
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    (out.len() < path.len()).then_some(out)
}

/// The byte that an escape at the beginning stands for.
pub(crate) fn escape(text: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = text else {
        return None;
    };
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}

/// RFC 3986, 3.3, as servlet containers read it: `/a;b=c/d` is `/a/d`.
fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b';', path)?;
    let mut is_parameter = false;
    let mut out = path.to_vec();
    out.retain(|byte| {
        is_parameter = match byte {
            b'/' => false,
            b';' => true,
            _ => is_parameter,
        };
        !is_parameter
    });
    Some(out)
}

fn with_slashes(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', path)?;
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    Some(path.iter().map(slash).collect())
}

/// RFC 3986, 5.2.4: `..` takes the segment before it away, be it empty.
fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    let is_dots = |segment: &[u8]| matches!(segment, b"." | b"..");
    if !segments(path).any(is_dots) {
        return None;
    }
    Some(joined(path, segments(path)))
}

/// As file systems do it: repeated slashes are one before `..` is looked at.
fn merged_and_resolved(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(path, b"//")?;
    let inner = segments(path).filter(|segment| !segment.is_empty());
    let other = joined(path, inner);
    (other != path).then_some(other)
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').skip(1)
}

fn joined<'a>(path: &[u8], segments: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in segments {
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// What is left when a decoded path is taken for a URL, or for C's text.
fn cut(path: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr3(b'?', b'#', 0, path)?;
    Some(path[..end].to_vec())
}

/// `//name/x` resolved against a base, as `new URL(path, base)` does in many a Node app: a host, and the path `/x`.
fn without_host(path: &[u8]) -> Option<Vec<u8>> {
    if !path.starts_with(b"//") {
        return None;
    }
    let name = path.iter().position(|byte| *byte != b'/')?;
    let end = memchr::memchr(b'/', &path[name..]);
    Some(end.map_or_else(|| b"/".to_vec(), |end| path[name + end..].to_vec()))
}

#[cfg(test)]
mod tests;
