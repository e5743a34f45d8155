//! Fields of `application/x-www-form-urlencoded` text: bodies and queries.
//!
//! What may not be here: meaning. A field that is missing is `None`, whatever that is to the caller.

/// The first field of that name, decoded; `None` too if its bytes are not UTF-8.
pub(crate) fn field(text: &str, name: &str) -> Option<String> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| decode(value))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            (b'%', _) => return None,
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_decoded() {
        for (text, expected) in [
            (
                "url=https%3A%2F%2Fa.example%2F%3Fq%3D1%262",
                Some("https://a.example/?q=1&2"),
            ),
            ("other=1&url=a+b", Some("a b")),
            ("url=", Some("")),
            ("urls=1", None),
            ("url=%4", None),
            ("url=%zz", None),
            ("url=%ff", None),
            ("", None),
        ] {
            assert_eq!(field(text, "url").as_deref(), expected, "{text}");
        }
    }
}
