//! The reference of all settings as Markdown, made from the keys themselves.

use std::fmt::Write as _;

use crate::sections;

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::from(include_str!("reference.md"));
    for section in sections::ALL {
        let heading = if section.heading.is_empty() {
            "Top of the file".to_owned()
        } else {
            format!("`{}`", section.heading)
        };
        let _ = write!(text, "\n## {heading}\n\n{}\n", section.doc);
        if !section.example.is_empty() {
            let _ = write!(text, "\n```toml\n{}\n```\n", section.example.trim());
        }
        if !section.keys.is_empty() {
            text.push_str("\n| key | what may be written | default | |\n|---|---|---|---|\n");
        }
        for key in section.keys {
            let default = if key.default.starts_with('(') || key.default.is_empty() {
                key.default.trim_matches(['(', ')']).to_owned()
            } else {
                format!("`{}`", key.default)
            };
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} |",
                key.name, key.kind, key.doc
            );
        }
    }
    text
}
