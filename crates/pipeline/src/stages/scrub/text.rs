//! Looking around a place in a text, never further than bounded. Judges nothing.

/// Names of files longer than this are none.
const LONGEST_TOKEN: usize = 300;
/// As far back as a line is looked for.
const LONGEST_LINE: usize = 400;

/// Where a word stands, each time.
pub(super) fn find_all<'t>(text: &'t [u8], word: &'t str) -> impl Iterator<Item = usize> + use<'t> {
    memchr::memmem::find_iter(text, word.as_bytes())
}

/// What follows a run of such bytes; none without one.
pub(super) fn behind(text: &[u8], is_meant: impl Fn(&u8) -> bool) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| !is_meant(byte))
        .unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

/// The bytes before a place, so many at most.
pub(super) fn before(text: &[u8], at: usize, reach: usize) -> &[u8] {
    &text[at.saturating_sub(reach)..at]
}

/// The line up to a place, as far as it is looked for.
pub(super) fn line_before(text: &[u8], at: usize) -> &[u8] {
    let near = before(text, at, LONGEST_LINE);
    let start = memchr::memrchr(b'\n', near).map_or(0, |newline| newline + 1);
    &near[start..]
}

/// What stands before a place without a break: a name, an address, a path.
pub(super) fn token_before(text: &[u8], at: usize) -> &[u8] {
    let near = before(text, at, LONGEST_TOKEN);
    let start = near
        .iter()
        .rposition(|byte| is_delimiter(*byte))
        .map_or(0, |delimiter| delimiter + 1);
    &near[start..]
}

/// Whether a byte ends names and paths in prose, code and markup.
pub(super) fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'`()<>,;|{}=".contains(&byte)
}
