//! The JSON schema of the settings file, made from the keys themselves: for editors that complete and underline.
//!
//! It says which keys there are and what kind each is. Whether a value is sound is only known to loading.

use serde_json::{Map, Value, json};

use crate::key::{Key, SAME_AT_THE_TOP, Section};
use crate::sections;

/// The text of `docs/mainstay.schema.json`.
pub fn schema() -> String {
    let mut root = object(&sections::TOP);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("mainstay.toml");
    for section in sections::ALL
        .iter()
        .filter(|section| !section.heading.is_empty())
    {
        let heading = section.heading.trim_matches(['[', ']']);
        let below = match heading.split_once('.') {
            None => (heading, object(section)),
            // a profile is a file within the file
            Some(("profile", _)) => ("profile", named(section, &json!({ "$ref": "#" }))),
            Some((kind, "NAME")) => (kind, named(section, &object(section))),
            Some((outer, inner)) => {
                let (inner, below) = match inner.strip_suffix(".NAME") {
                    Some(inner) => (inner, named(section, &object(section))),
                    None if inner == "pages" => (inner, named(section, &kind("list"))),
                    None if section.keys.is_empty() => (inner, texts(section)),
                    None => (inner, object(section)),
                };
                root["properties"][outer]["properties"][inner] = below;
                continue;
            }
        };
        let (name, found) = below;
        root["properties"][name] = match name {
            // with its short form
            "listen" => json!({ "anyOf": [root["properties"][name].clone(), found] }),
            // a layer is left out as a whole too
            "rate_limit" => {
                let mut found = found;
                found["properties"] = json!({ Key::ENABLED.name: described(&Key::ENABLED) });
                found
            }
            _ => found,
        };
    }
    format!("{root:#}\n")
}

/// A section with these keys and no others.
fn object(section: &Section) -> Value {
    let switch = (!section.heading.is_empty()).then_some(&Key::ENABLED);
    let properties: Map<String, Value> = section
        .keys
        .iter()
        .chain(switch)
        .map(|key| (key.name.to_owned(), described(key)))
        .collect();
    json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Sections whose names the user invents.
fn named(section: &Section, each: &Value) -> Value {
    json!({ "type": "object", "description": section.doc, "additionalProperties": each })
}

/// Keys that the user invents, each with a text, or with more to say of it.
fn texts(section: &Section) -> Value {
    named(
        section,
        &json!({ "anyOf": [{ "type": "string" }, { "type": "object" }] }),
    )
}

fn described(key: &Key) -> Value {
    if key.kind == SAME_AT_THE_TOP {
        return json!({ "$ref": format!("#/properties/{}", key.name) });
    }
    let mut found = kind(key.kind);
    let default = match key.default {
        "" => String::new(),
        default => format!(" Default: {}.", default.trim_matches(['(', ')'])),
    };
    found["description"] = json!(format!("{}{default}", key.doc));
    found
}

/// What may be written, as far as a schema can say it.
fn kind(kind: &str) -> Value {
    if kind.starts_with("section") {
        return json!({ "type": "object" });
    }
    if kind == "`true` or `false`" {
        return json!({ "type": "boolean" });
    }
    if let Some(words) = only_words(kind) {
        return json!({ "enum": words });
    }
    if kind.starts_with("number of CPUs") {
        return json!({ "type": ["string", "integer", "number"] });
    }
    let one = json!({ "type": ["string", "integer"] });
    let mut kinds = if kind.contains("list") {
        vec![one.clone(), json!({ "type": "array", "items": one })]
    } else if ["size", "count"].iter().any(|word| kind.starts_with(word))
        || !kind.contains("`false`")
    {
        vec![one]
    } else {
        vec![json!({ "type": "string" })]
    };
    if kind.contains("`true`") {
        kinds.push(json!({ "type": "boolean" }));
    } else if kind.contains("`false`") {
        kinds.push(json!({ "const": false }));
    }
    if kind.contains("`{ ") {
        kinds.push(json!({ "type": "object" }));
    }
    match kinds.as_slice() {
        [only] => only.clone(),
        several => json!({ "anyOf": several }),
    }
}

/// The words of a kind that consists of words to choose from: `` `a`, `b` or `c` ``.
fn only_words(kind: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = kind.split('`').collect();
    let between = parts.iter().step_by(2);
    let are_words = parts.len() > 1
        && between
            .clone()
            .all(|part| ["", ", ", " or "].contains(part))
        // `http:/path` stands for more than itself, and `INT` is as good as `SIGINT`
        && !kind.contains(':')
        && !kind.contains("SIG");
    are_words.then(|| parts.iter().skip(1).step_by(2).copied().collect())
}
