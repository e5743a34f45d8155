//! What is wrong with a command line, in our words: what was typed, what was probably meant, where to read on.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The sentence for an error of the command line, without `error:`.
pub(crate) fn complaint(error: &Error) -> String {
    let arg = || text(error, ContextKind::InvalidArg);
    let value = || text(error, ContextKind::InvalidValue);
    let known = match error.kind() {
        ErrorKind::InvalidSubcommand => text(error, ContextKind::InvalidSubcommand).map(|word| {
            let meant = meant(error, ContextKind::SuggestedSubcommand);
            format!("`{word}` is no command{meant} `mainstay help --all` names every one")
        }),
        ErrorKind::UnknownArgument => arg().map(|word| unknown(error, &word)),
        ErrorKind::InvalidValue => arg().map(|arg| match value() {
            Some(value) if !value.is_empty() => wrong_value(error, &arg, &value),
            _ => no_value(error, &arg),
        }),
        ErrorKind::ValueValidation => arg()
            .zip(value())
            .map(|(arg, value)| wrong_value(error, &arg, &value)),
        ErrorKind::MissingRequiredArgument => arg().map(|arg| missing(error, &arg)),
        ErrorKind::ArgumentConflict => arg().map(|arg| conflict(error, &arg)),
        ErrorKind::NoEquals => arg().map(|arg| no_value(error, &arg)),
        ErrorKind::TooManyValues => arg().zip(value()).map(|(arg, value)| {
            let name = name(&arg);
            format!("`{name}` takes no value, and `{value}` is one; write `{name}` alone")
        }),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let text = error.to_string();
        text.trim_start_matches("error: ").trim_end().to_owned()
    })
}

fn unknown(error: &Error, word: &str) -> String {
    let meant = meant(error, ContextKind::SuggestedArg);
    let command = command(error);
    // as other programs of this kind take it
    let names_an_instance = ["stop", "status", "diff"];
    if !word.starts_with('-')
        && names_an_instance
            .iter()
            .any(|verb| command == format!("mainstay {verb}"))
    {
        return format!(
            "`{word}` is no word of `{command}`; write `--name {word}` to name an instance"
        );
    }
    let kind = if word.starts_with('-') {
        "flag"
    } else {
        "word"
    };
    format!("`{word}` is no {kind} of `{command}`{meant} `{command} --help` lists them")
}

fn no_value(error: &Error, arg: &str) -> String {
    format!(
        "`{}` has no value; write `{}`, as `{} --help` says",
        name(arg),
        plain(arg),
        command(error)
    )
}

fn wrong_value(error: &Error, arg: &str, value: &str) -> String {
    let words = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) => words.as_slice(),
        _ => &[],
    };
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let rest = rest.join(", ");
            format!(
                "`{value}` is none of {rest} and {last}; `{} --help` says more",
                command(error)
            )
        }
        _ => format!(
            "`{value}` cannot be the value of `{}`; write `{}`, as `{} --help` says",
            name(arg),
            plain(arg),
            command(error)
        ),
    }
}

fn missing(error: &Error, arg: &str) -> String {
    let command = command(error);
    if arg.starts_with('-') {
        let plain = plain(arg);
        format!("the rest of the line needs `{plain}` beside it, as `{command} --help` says")
    } else {
        let plain = plain(arg);
        format!(
            "`{command}` needs another word; write `{command} {plain}`, as `{command} --help` says"
        )
    }
}

fn conflict(error: &Error, arg: &str) -> String {
    match text(error, ContextKind::PriorArg) {
        Some(prior) if prior != arg => format!(
            "`{}` and `{}` exclude each other; leave one out, as `{} --help` says",
            name(&prior),
            name(arg),
            command(error)
        ),
        _ => {
            let name = name(arg);
            format!("`{name}` is given twice; write it once")
        }
    }
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

/// `--workers` of `--workers <N>`, the word itself of `<FILE>`.
fn name(arg: &str) -> String {
    plain(arg)
        .split([' ', '='])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// As it is typed: without the brackets of `--workers <N>`.
fn plain(arg: &str) -> String {
    arg.replace(['<', '>', '[', ']'], "")
}

/// `mainstay run`, by the line that says how it is used; by what was typed, where there is no such line.
fn command(error: &Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => typed(),
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

/// The program and its command. The first word is one, or there would be another complaint.
fn typed() -> String {
    let command = std::env::args().nth(1).unwrap_or_default();
    format!("mainstay {command}")
}
