//! What is wrong with a command line, in our words: what was typed, what was probably meant, where to read on. What
//! happens seldom is left to the words of the parser.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The sentence for an error of the command line, without `error:`.
pub(crate) fn complaint(error: &Error) -> String {
    let known = match error.kind() {
        ErrorKind::InvalidSubcommand => text(error, ContextKind::InvalidSubcommand).map(|word| {
            let meant = meant(error, ContextKind::SuggestedSubcommand);
            format!("`{word}` is no command{meant} `mainstay help --all` names every one")
        }),
        ErrorKind::UnknownArgument => text(error, ContextKind::InvalidArg).map(|word| {
            let meant = meant(error, ContextKind::SuggestedArg);
            let command = command(error);
            let kind = if word.starts_with('-') {
                "flag"
            } else {
                "word"
            };
            format!("`{word}` is no {kind} of `{command}`{meant} `{command} --help` lists them")
        }),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let text = error.to_string();
        text.trim_start_matches("error: ").trim_end().to_owned()
    })
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

/// The question that leads on to the next step; without one, only the pause.
fn meant(error: &Error, kind: ContextKind) -> String {
    match text(error, kind) {
        Some(near) => format!(": did you mean `{near}`?"),
        None => ";".to_owned(),
    }
}

/// `mainstay run`, by the line that says how it is used.
fn command(error: &Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let usage = usage.trim_start_matches("Usage:");
    let words = usage.split_whitespace();
    let plain = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
    let words: Vec<&str> = plain.collect();
    if words.is_empty() {
        "mainstay".to_owned()
    } else {
        words.join(" ")
    }
}
