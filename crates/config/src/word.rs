//! Settings that are one of a few words. No meaning, only spelling.

use mainstay_values::{BadValue, nearest};

/// A type that is written as one of a few words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// With its article: `a preset`.
    const WANTED: &'static str;
    /// Every word with its value.
    const WORDS: &'static [(&'static str, Self)];
}

/// The value of a word, or a complaint that lists the words.
pub(crate) fn read<T: Word>(text: &str) -> Result<T, BadValue> {
    if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let listed: Vec<String> = T::WORDS
        .iter()
        .map(|(word, _)| format!("`{word}`"))
        .collect();
    let expected = match listed.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => listed.concat(),
    };
    let complaint = BadValue::new(T::WANTED, expected);
    Err(
        match nearest(text, T::WORDS.iter().map(|(word, _)| *word)) {
            Some(word) => complaint.hint(format!("did you mean `{word}`?")),
            None => complaint,
        },
    )
}

/// The word of a value.
pub(crate) fn print<T: Word>(value: T) -> &'static str {
    T::WORDS
        .iter()
        .find(|(_, other)| *other == value)
        .map_or("", |(word, _)| word)
}
