//! The variables that an app is given: `env`, and each `env_NAME` as a profile. What they say is nobody's business here.

use mainstay_values::Problem;
use serde_json::Value;

use super::command;
use super::entry::{Entry, Found};
use super::lines::{Lines, Source, key};
use crate::value::quoted;

/// Writes the sections with the variables of an app, whose own section was written before.
pub(super) fn translate(entry: &Entry<'_>, lines: &mut Lines) {
    let mut own = entry
        .find("env")
        .map(|found| read(entry, &found))
        .unwrap_or_default();
    if let Some((port, place)) = entry.text("port") {
        // it says what `env.PORT` would
        own.retain(|(name, _, _)| name != "PORT");
        own.push(("PORT".to_owned(), port, place));
    }
    let app = key(&entry.name);
    if !own.is_empty() {
        write(format!("app.{app}.env"), entry.place("env"), own, lines);
    }
    for (field, value) in entry.fields() {
        let Some(name) = field.strip_prefix("env_") else {
            continue;
        };
        let found = Found {
            place: entry.place(field),
            value,
        };
        let place = found.place.clone();
        let heading = format!("profile.{}.app.{app}.env", key(name));
        write(heading, place, read(entry, &found), lines);
    }
}

type Variable = (String, String, String);

fn write(heading: String, place: String, variables: Vec<Variable>, lines: &mut Lines) {
    lines.section(heading, place);
    for (name, value, place) in variables {
        lines.push(&name, quoted(&value), Source::Field(place));
    }
}

/// Each variable with its value and its place. An object, or words such as `A=1 B=2`.
fn read(entry: &Entry<'_>, found: &Found<'_>) -> Vec<Variable> {
    let mut variables = Vec::new();
    let mut add = |name: &str, value: &Value| {
        let place = format!("{}.{name}", found.place);
        let text = match value {
            Value::Null => return,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                let inner = Found { place, value };
                let problem = Problem::new(format!(
                    "`{name}` in the variables of app `{}` is not a text",
                    entry.given
                ));
                entry.complain(
                    &inner,
                    problem.expected("text, a number, `true` or `false`"),
                );
                return;
            }
        };
        if name.is_empty() || name.contains(['=', '\0']) || text.contains('\0') {
            let inner = Found { place, value };
            let problem = Problem::new(format!(
                "`{name}` cannot be a variable of app `{}`",
                entry.given
            ));
            entry.complain(&inner, problem.expected("a name without `=`, and no NUL"));
            return;
        }
        variables.push((name.to_owned(), text, place));
    };
    match found.value {
        Value::Object(fields) => {
            for (name, value) in fields {
                add(name, value);
            }
        }
        Value::String(text) => {
            for word in command::split(text).unwrap_or_default() {
                let (name, value) = word.split_once('=').unwrap_or((&word, ""));
                add(name, &Value::from(value));
            }
        }
        _ => {
            let _: Option<()> = entry.reject(found, "a set of variables", "`{ NAME: \"text\" }`");
        }
    }
    variables
}
