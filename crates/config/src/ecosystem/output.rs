//! Where PM2's apps write, as keys of a section. What is written where is not here.

use std::path::Path;

use serde_json::Value;

use super::entry::Entry;
use super::lines::{Lines, Source};
use crate::sections::is_nowhere;

/// Writes the lines about output; paths are relative to the folder of the app.
pub(super) fn translate(entry: &Entry<'_>, lines: &mut Lines) {
    if let Some((true, place)) = entry.switch("disable_logs") {
        for key in ["out_file", "error_file"] {
            lines.text(key, "none", Source::Field(place.clone()));
        }
    } else {
        for key in ["out_file", "error_file"] {
            file(entry, key, lines);
        }
        file(entry, "log_file", lines);
    }
    match entry.switch("merge_logs") {
        Some((true, place)) => lines.push("merge_logs", "true".to_owned(), Source::Field(place)),
        Some((false, place)) => lines.push("merge_logs", "false".to_owned(), Source::Field(place)),
        // those of a cluster have files of their own
        None if entry.find("instances").is_some() => {
            lines.push(
                "merge_logs",
                "false".to_owned(),
                Source::Usual(entry.place("")),
            );
        }
        None => {}
    }
    if let Some((true, place)) = entry.switch("time") {
        // it goes before a pattern of one's own
        lines.push("time", "true".to_owned(), Source::Field(place));
    } else if let Some((pattern, place)) = entry.text("log_date_format")
        && !pattern.is_empty()
    {
        lines.text("log_date_format", &pattern, Source::Field(place));
    }
    if let Some((form, place)) = entry.text("log_type") {
        match form.as_str() {
            "json" => lines.text("log_type", "json", Source::Field(place)),
            "" | "text" | "raw" => {}
            _ => entry.note("log_type", "PM2 knows `json` only"),
        }
    }
}

fn file(entry: &Entry<'_>, field: &'static str, lines: &mut Lines) {
    let Some(found) = entry.find(field) else {
        return;
    };
    match found.value {
        Value::Bool(true) if field == "log_file" => {
            lines.push(field, "true".to_owned(), Source::Field(found.place));
        }
        Value::Bool(_) => {}
        Value::String(path) if path.is_empty() => {}
        Value::String(path) if is_nowhere(path) => {
            lines.text(field, "none", Source::Field(found.place));
        }
        Value::String(path) => {
            let cwd = entry.text("cwd").map(|(cwd, _)| cwd);
            let path = Path::new(cwd.as_deref().unwrap_or_default()).join(path);
            lines.text(field, &path.to_string_lossy(), Source::Field(found.place));
        }
        _ => {
            let _: Option<()> = entry.reject(&found, "a file", "a path, or `/dev/null`");
        }
    }
}
