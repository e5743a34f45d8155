//! A body's text without the spelling of its format: JSON's escapes undone, HTML's tags and entities gone. Judges
//! nothing, and grows no text.

use std::borrow::Cow;

/// A tag longer than this is none.
const LONGEST_TAG: usize = 2_048;
/// And an entity: `&quot;` and numbers.
const LONGEST_ENTITY: usize = 8;

/// The text as whoever wrote it meant it, and, where there is markup, without it.
pub(super) fn of(body: &[u8]) -> (Cow<'_, [u8]>, Option<Vec<u8>>) {
    let text = if is_json(body) && memchr::memchr(b'\\', body).is_some() {
        Cow::Owned(unescaped(body))
    } else {
        Cow::Borrowed(body)
    };
    let has_markup = memchr::memchr2(b'<', b'&', &text).is_some();
    let plain = has_markup.then(|| plain(&text));
    (text, plain)
}

fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"'))
}

/// JSON with its escapes undone (RFC 8259, 7). What is no escape stays.
fn unescaped(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&letter, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match letter {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' | b'f' => out.push(b' '),
            b'u' if rest
                .get(..4)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                push(&mut out, number(&rest[..4], 16));
                rest = &rest[4..];
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// HTML without its markup: what breaks a line becomes one, any other tag a space. Comments keep their text.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'<', b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        let length = if rest[at] == b'<' {
            tag(&rest[at..], &mut out)
        } else {
            entity(&rest[at..], &mut out)
        };
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
    out
}

/// Puts in what stands for a tag, and tells how long that was.
fn tag(text: &[u8], out: &mut Vec<u8>) -> usize {
    const BREAKS: [&[u8]; 7] = [b"br", b"p", b"div", b"li", b"tr", b"pre", b"h"];
    let name = text.get(1..).unwrap_or_default();
    let name = name.strip_prefix(b"/").unwrap_or(name);
    match name.first() {
        Some(b'!') => {
            out.push(b' ');
            return if name.starts_with(b"!--") { 4 } else { 2 };
        }
        Some(letter) if letter.is_ascii_alphabetic() => {}
        _ => {
            out.push(b'<');
            return 1;
        }
    }
    let bounded = &text[..text.len().min(LONGEST_TAG)];
    let Some(end) = memchr::memchr(b'>', bounded) else {
        out.push(b'<');
        return 1;
    };
    let is_break = BREAKS.iter().any(|word| {
        let after = name.get(word.len());
        name.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && after.is_none_or(|byte| !byte.is_ascii_alphabetic())
    });
    out.push(if is_break { b'\n' } else { b' ' });
    end + 1
}

/// Puts in what an entity stands for, and tells how long it was.
fn entity(text: &[u8], out: &mut Vec<u8>) -> usize {
    let bounded = &text[..text.len().min(LONGEST_ENTITY)];
    let Some(end) = memchr::memchr(b';', bounded) else {
        out.push(b'&');
        return 1;
    };
    match &text[1..end] {
        b"nbsp" => out.push(b' '),
        b"lt" => out.push(b'<'),
        b"gt" => out.push(b'>'),
        b"amp" => out.push(b'&'),
        b"quot" => out.push(b'"'),
        b"apos" => out.push(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => push(out, number(digits, 16)),
        [b'#', digits @ ..] => push(out, number(digits, 10)),
        _ => {
            out.push(b'&');
            return 1;
        }
    }
    end + 1
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
}

/// A character by its number; a space for what is none, and for one that only looks like a space.
fn push(out: &mut Vec<u8>, code: Option<u32>) {
    let character = code
        .and_then(char::from_u32)
        .filter(|character| *character != '\u{a0}')
        .unwrap_or(' ');
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_are_undone() {
        for (body, text) in [
            (
                r#"{"a":"\/srv\/x\n\tat \u0041\\ "}"#,
                "{\"a\":\"/srv/x\n\tat A\\ \"}",
            ),
            (r#"{"a":"\ud83d\uq1"}"#, "{\"a\":\" uq1\"}"),
            (r"C:\new", r"C:\new"),
        ] {
            assert_eq!(String::from_utf8_lossy(&of(body.as_bytes()).0), text);
        }
        for (body, text) in [
            ("a<br>&nbsp;&#160;b", Some("a\n  b")),
            ("File <b>&quot;x&#x27;&#34;</b>", Some("File  \"x'\" ")),
            (
                "<!-- t -->1 < 2 & 3 &x; <p class=a>",
                Some("  t -->1 < 2 & 3 &x; \n"),
            ),
            ("plain", None),
        ] {
            let plain = of(body.as_bytes()).1;
            assert_eq!(
                plain
                    .map(|text| String::from_utf8_lossy(&text).into_owned())
                    .as_deref(),
                text
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_nothing_grows(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (text, plain) = of(&body);
            prop_assert!(text.len() <= body.len());
            prop_assert!(plain.is_none_or(|plain| plain.len() <= body.len()));
        }

        #[test]
        fn markup_and_escapes_of_any_kind_are_taken(body in "[{<&\\\\#xu;a/>!0-9\"-]{0,80}") {
            let (text, plain) = of(body.as_bytes());
            prop_assert!(text.len() <= body.len());
            prop_assert!(plain.is_none_or(|plain| plain.len() <= body.len()));
        }
    }
}
