//! Commands and variables of `[app.NAME]`: what is executed, and with what around it. Looks at no file of the app.

use std::collections::BTreeMap;

use mainstay_supervisor::launch::{CommandLine, Target};
use mainstay_supervisor::options::FilterEnv;
use mainstay_values::{BadValue, Problem};
use toml::de::DeValue;

use crate::reader::Reader;
use crate::value::{Item, Value};

/// What is started.
pub(super) fn command(item: &Item<'_>) -> Option<Target> {
    let target = if item.is_list() {
        let elements = item.elements();
        let words: Vec<String> = elements.iter().filter_map(String::read).collect();
        if words.len() < elements.len() {
            return None;
        }
        Target::Arguments(words)
    } else {
        Target::Command(String::read(item)?)
    };
    let is_empty = match &target {
        Target::Command(line) => line.trim().is_empty(),
        Target::Arguments(words) => words.first().is_none_or(String::is_empty),
        Target::Path(_) => false,
    };
    if is_empty {
        item.reject(BadValue::new(
            "a command",
            "what is typed to start the app, such as `\"node server.js\"`",
        ));
        return None;
    }
    Some(target)
}

/// Variables: texts, or numbers and `true`/`false` as they are written.
pub(super) fn environment(item: &Item<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(table) = item.value.get_ref().as_table() else {
        item.reject(BadValue::new("a section", "`{ NAME = \"text\" }`"));
        return variables;
    };
    for (name, value) in table {
        let path = format!("{}.{}", item.path, name.get_ref());
        if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
            item.report.push_at(
                name.span(),
                Problem::new(format!("`{path}` cannot name a variable"))
                    .expected("a name without `=` and NUL"),
            );
            continue;
        }
        let text = match value.get_ref() {
            DeValue::String(text) if !text.contains('\0') => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            _ => {
                let problem = Problem::new(format!("`{path}` is not a text"))
                    .expected("text in quotes without NUL: `\"…\"`");
                item.report.push_at(value.span(), problem);
                continue;
            }
        };
        item.report.set_place(path, value.span());
        variables.insert(name.get_ref().to_string(), text);
    }
    variables
}

/// What is said of the command line apart from the command.
pub(super) fn command_line(section: &Reader<'_>) -> CommandLine {
    let words_of = |key| section.item(key).map(|item| words(&item));
    CommandLine {
        interpreter: section.get("interpreter"),
        interpreter_args: words_of("interpreter_args").unwrap_or_default(),
        args: words_of("args").unwrap_or_default(),
    }
}

/// A list as it is; a text split into words.
fn words(item: &Item<'_>) -> Vec<String> {
    if item.is_list() {
        let elements = item.elements();
        return elements.iter().filter_map(String::read).collect();
    }
    let Some(text) = String::read(item) else {
        return Vec::new();
    };
    split(&text).unwrap_or_else(|| {
        let cause = BadValue::new("a text of words", "each quote with one that ends it");
        item.reject(cause.hint("or write a list: `[\"--name\", \"a b\"]`"));
        Vec::new()
    })
}

/// Words between blanks; quotes of either kind hold together what stands between them. `None`: a quote does not end.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), character) if open == character => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, character) if character.is_whitespace() => words.extend(word.take()),
            (_, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The name of a variable.
pub(super) fn variable(section: &Reader<'_>, key: &'static str) -> Option<String> {
    let item = section.item(key)?;
    let name = String::read(&item)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        item.reject(BadValue::new(
            "the name of a variable",
            "a name without `=` and NUL, such as `\"PORT\"`",
        ));
        return None;
    }
    Some(name)
}

/// `true`, `false`, one beginning of names or several.
pub(super) fn filter_env(item: &Item<'_>) -> FilterEnv {
    match item.value.get_ref() {
        DeValue::Boolean(true) => FilterEnv::Everything,
        DeValue::Boolean(false) => FilterEnv::Nothing,
        _ => {
            let elements = item.elements();
            let prefixes = elements.iter().filter_map(String::read);
            // the empty one would be every name
            let prefixes = prefixes.filter(|prefix| !prefix.is_empty());
            FilterEnv::Prefixes(prefixes.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_blanks_and_quotes_hold_together() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("  a  b ", Some(vec!["a", "b"])),
            (
                "--name 'a b' --x=\"c d\"e",
                Some(vec!["--name", "a b", "--x=c de"]),
            ),
            ("'' \"it's\"", Some(vec!["", "it's"])),
            ("a 'b", None),
        ] {
            let found = split(text);
            let found = found.as_deref().map(|words| {
                let words = words.iter();
                words.map(String::as_str).collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
