//! JSON strings, written where a serializer would cost too much. Nothing else of JSON.

/// Appends `bytes` as a JSON string with its quotes.
///
/// Control characters are escaped, so no value can forge a line or a terminal sequence; bytes that
/// are not UTF-8 become U+FFFD. The C1 controls and DEL are escaped too: terminals act on them.
pub fn write_json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        for character in String::from_utf8_lossy(bytes).chars() {
            write_character(out, character);
        }
    }
    out.push(b'"');
}

/// The usual case: ASCII that can be printed, and nothing to escape in it. Eight bytes at a time.
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let is_plain = |word: &[u8; 8]| !has_odd(u64::from_le_bytes(*word));
    words.iter().all(is_plain) && is_plain(&last)
}

/// Whether one of eight bytes is no ASCII, a control character, a quote or a backslash.
const fn has_odd(word: u64) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // each sets the highest bit of the lowest byte that is meant; a borrow may set others above it
    const fn is(word: u64, byte: u8) -> u64 {
        let differs = word ^ (ONES * byte as u64);
        differs.wrapping_sub(ONES) & !differs
    }
    let is_low = word.wrapping_sub(ONES * 0x20) & !word;
    (word | is_low | is(word, 0x7f) | is(word, b'"') | is(word, b'\\')) & HIGH != 0
}

/// Whether all of a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Whole,
    Cut,
}

impl Written {
    pub(crate) fn is_cut(self) -> bool {
        self == Self::Cut
    }
}

/// As [`write_json_string`], with `most` bytes between the quotes at most; ends before the character that
/// would be too many.
pub(crate) fn write_json_string_within(out: &mut Vec<u8>, bytes: &[u8], most: usize) -> Written {
    out.push(b'"');
    let end = out.len() + most;
    let mut written = Written::Whole;
    // no character takes fewer bytes escaped than it had
    let (bytes, rest) = bytes.split_at(bytes.len().min(most));
    if !rest.is_empty() {
        written = Written::Cut;
    }
    for character in String::from_utf8_lossy(bytes).chars() {
        let before = out.len();
        write_character(out, character);
        if out.len() > end {
            out.truncate(before);
            written = Written::Cut;
            break;
        }
    }
    out.push(b'"');
    written
}

fn write_character(out: &mut Vec<u8>, character: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        control if control.is_control() => {
            let code = control as u32 as usize;
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[code >> 4 & 15], HEX[code & 15]]);
        }
        other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        for (input, expected) in [
            (&b"plain"[..], r#""plain""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\x1b[31m\r\n", r#""\u001b[31m\r\n""#),
            (b"\xc2\x9b1m\x7f", r#""\u009b1m\u007f""#),
            (b"\xff", "\"\u{fffd}\""),
        ] {
            let mut out = Vec::new();
            write_json_string(&mut out, input);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn each_byte_is_plain_or_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
            for (before, behind) in [(0, 0), (0, 9), (7, 0), (8, 3), (3, 20)] {
                let text = [&b"a".repeat(before)[..], &[byte], &b"~".repeat(behind)[..]].concat();
                assert_eq!(is_plain(&text), expected, "{byte} in {text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn one_line_whatever_comes(input in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut out = Vec::new();
            write_json_string(&mut out, &input);
            let text = String::from_utf8(out).expect("JSON is UTF-8");
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert!(text.starts_with('"') && text.ends_with('"'));
        }
    }
}
