//! The schema says what is: it is the committed file, it takes what loads, and refuses keys that do not exist.

mod golden;

use std::path::Path;

use mainstay_config::schema;
use serde_json::Value;

fn schema_value() -> Value {
    serde_json::from_str(&schema()).expect("JSON")
}

#[test]
fn the_page_is_up_to_date_with_the_schema() {
    golden::expect_file("../../docs/mainstay.schema.json", &schema());
}

/// The first place where a value does not fit: as much of JSON Schema as ours uses.
fn misfit(root: &Value, schema: &Value, value: &Value, path: &str) -> Option<String> {
    let no = |why: &str| Some(format!("{path}: {why}"));
    if let Some(place) = schema["$ref"].as_str() {
        let meant = root.pointer(place.trim_start_matches('#'));
        return misfit(root, meant.expect("what is referred to"), value, path);
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        let fits = |kind| misfit(root, kind, value, path).is_none();
        return if kinds.iter().any(fits) {
            None
        } else {
            no("fits none")
        };
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) {
            None
        } else {
            no("not a word")
        };
    }
    if let Some(constant) = schema.get("const") {
        return if constant == value {
            None
        } else {
            no("not the constant")
        };
    }
    let name = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Null => "null",
    };
    let types = &schema["type"];
    let allows = types == name
        || types
            .as_array()
            .is_some_and(|types| types.iter().any(|one| one == name));
    if !allows {
        return no(&format!("a {name}"));
    }
    if let Value::Array(list) = value {
        let mut items = list.iter();
        return items.find_map(|item| misfit(root, &schema["items"], item, path));
    }
    value.as_object()?.iter().find_map(|(name, value)| {
        let path = format!("{path}.{name}");
        let others = &schema["additionalProperties"];
        let below = schema["properties"].get(name).unwrap_or(others);
        match below {
            Value::Bool(false) => Some(format!("{path}: no such key")),
            Value::Null => None,
            below => misfit(root, below, value, &path),
        }
    })
}

fn misfit_of(text: &str) -> Option<String> {
    let value: Value = toml::from_str(text).expect("TOML");
    let schema = schema_value();
    misfit(&schema, &schema, &value, "")
}

#[test]
fn every_case_that_loads_fits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).expect("the cases").flatten() {
        let case = std::fs::read_to_string(entry.path()).expect("a case");
        let (input, outcome) = case.split_once("----------\n").expect("its outcome");
        let input = input.split("#$ file ").next().unwrap_or_default();
        if !outcome.starts_with("error") {
            tried += 1;
            assert_eq!(misfit_of(input), None, "{}", entry.path().display());
        }
    }
    assert!(tried > 15, "{tried} cases");
}

#[test]
fn what_is_not_a_key_or_of_another_kind_does_not_fit() {
    for (text, place) in [
        ("workers = 2", ".workers: no such key"),
        ("[app.web]\nworkerz = 2", ".app.web.workerz: no such key"),
        ("preset = \"stirct\"", ".preset: not a word"),
        ("[log]\naccess = \"yes\"", ".log.access: a string"),
        (
            "[profile.live.limits]\nhaed = 1",
            ".profile.live.limits.haed: no such key",
        ),
        ("[listen]\nport = 1", ".listen: fits none"),
        (
            "[headers]\nx-frame-options = true",
            ".headers.x-frame-options: fits none",
        ),
    ] {
        assert_eq!(misfit_of(text).as_deref(), Some(place), "{text}");
    }
}
