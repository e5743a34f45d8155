//! An app's words as a terminal may have them: colours if wanted, and nothing else that it would act on.

/// What becomes of an app's colours (ECMA-48, SGR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// They are shown, and end with the text.
    Kept,
    /// They are left out.
    LeftOut,
}

/// The longest sequence of colours that is kept, in bytes between `ESC [` and `m`.
const LONGEST: usize = 48;
/// Ends all colours.
const RESET: &str = "\u{1b}[0m";

/// The text with every control character but tabs and newlines shown as U+FFFD, so that no app forges a line, moves the
/// cursor, or says something to the terminal; the characters that turn the direction of text as well. Bytes that are no
/// UTF-8 become U+FFFD. What conceals text is no colour. A return at the end of a line belongs to its end, and goes.
pub fn shown(bytes: &[u8], colours: Colours) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    let mut is_coloured = false;
    while let Some(at) = rest.find(|character| !is_plain(character)) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(sequence) = colour(rest) {
            if colours == Colours::Kept {
                out.push_str(sequence);
                is_coloured = true;
            }
            rest = &rest[sequence.len()..];
            continue;
        }
        let mut characters = rest.chars();
        let first = characters.next();
        rest = characters.as_str();
        let is_end = first == Some('\r') && (rest.is_empty() || rest.starts_with('\n'));
        if !is_end {
            out.push('\u{fffd}');
        }
    }
    out.push_str(rest);
    if is_coloured {
        let end = out.trim_end_matches('\n').len();
        out.insert_str(end, RESET);
    }
    out
}

fn is_plain(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(character, '\t' | '\n') || !(character.is_control() || turns)
}

/// The sequence at the beginning, if it is one of colours and nothing but.
fn colour(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner
        .bytes()
        .take(LONGEST + 1)
        .position(|byte| byte == b'm')?;
    let parameters = &inner[..end];
    are_colours(parameters).then(|| &text[..end + 3])
}

/// Whether these parameters change how text looks, and leave it to be read.
fn are_colours(parameters: &str) -> bool {
    let mut numbers = parameters.split([';', ':']).map(|number| match number {
        "" => Some(0),
        number => number.parse::<u8>().ok(),
    });
    while let Some(number) = numbers.next() {
        match number {
            Some(38 | 48) => {
                let count = match numbers.next() {
                    Some(Some(5)) => 1,
                    Some(Some(2)) => 3,
                    _ => return false,
                };
                if !(0..count).all(|_| matches!(numbers.next(), Some(Some(_)))) {
                    return false;
                }
            }
            Some(0..=4 | 7 | 9 | 21..=25 | 27..=37 | 39..=47 | 49 | 90..=97 | 100..=107) => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_are_kept_or_left_out_and_all_else_is_shown() {
        for (given, kept, left_out) in [
            ("plain\ttext", "plain\ttext", "plain\ttext"),
            (
                "\u{1b}[31mred\u{1b}[0m",
                "\u{1b}[31mred\u{1b}[0m\u{1b}[0m",
                "red",
            ),
            ("\u{1b}[38;5;196;1mx", "\u{1b}[38;5;196;1mx\u{1b}[0m", "x"),
            ("\u{1b}[mx\n", "\u{1b}[mx\u{1b}[0m\n", "x\n"),
            ("\u{1b}[8mhidden", "\u{fffd}[8mhidden", "\u{fffd}[8mhidden"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone", "\u{fffd}[2Jgone"),
            (
                "\u{1b}]0;title\u{7}",
                "\u{fffd}]0;title\u{fffd}",
                "\u{fffd}]0;title\u{fffd}",
            ),
            ("\u{1b}[38;5mx", "\u{fffd}[38;5mx", "\u{fffd}[38;5mx"),
            ("10%\r20%\r\n", "10%\u{fffd}20%\n", "10%\u{fffd}20%\n"),
            (
                "a\u{202e}b\u{9b}31m",
                "a\u{fffd}b\u{fffd}31m",
                "a\u{fffd}b\u{fffd}31m",
            ),
        ] {
            assert_eq!(shown(given.as_bytes(), Colours::Kept), kept, "{given:?}");
            assert_eq!(
                shown(given.as_bytes(), Colours::LeftOut),
                left_out,
                "{given:?}"
            );
        }
        assert_eq!(shown(b"a\xffb", Colours::Kept), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn no_terminal_acts_on_it(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[\\x1b\\[0-9;mABC]{0,60}") {
            for given in [&bytes[..], text.as_bytes()] {
                let plain = shown(given, Colours::LeftOut);
                prop_assert!(plain.chars().all(is_plain), "{:?}", plain);
                let coloured = shown(given, Colours::Kept);
                let mut rest: &str = &coloured;
                while let Some(at) = rest.find('\u{1b}') {
                    rest = &rest[at..];
                    let sequence = colour(rest);
                    prop_assert!(sequence.is_some(), "{:?}", coloured);
                    rest = &rest[sequence.map_or(1, str::len)..];
                }
                let others = coloured.replace('\u{1b}', "");
                prop_assert!(others.chars().all(is_plain), "{:?}", coloured);
            }
        }
    }
}
