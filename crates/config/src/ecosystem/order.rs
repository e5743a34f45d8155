//! What apps of an ecosystem file wait for: fields of ours, which PM2 reads past. What any of it means is not here.

use super::entry::Entry;
use super::lines::{Lines, Source, list};
use crate::value::Value as _;

/// The apps beside an app, itself among them.
pub(super) struct Others<'a> {
    /// Names of all in the file.
    pub(super) all: &'a [String],
    /// Those that are meant.
    pub(super) chosen: &'a [Entry<'a>],
}

impl Others<'_> {
    pub(super) fn are_several(&self) -> bool {
        self.chosen.len() > 1
    }
}

pub(super) fn translate(entry: &Entry<'_>, others: &Others<'_>, lines: &mut Lines) {
    if let Some((awaited, place)) = entry.words("after") {
        let mut after = Vec::new();
        for one in awaited {
            if let Some(app) = others.chosen.iter().find(|app| app.is_called(&one)) {
                after.push(app.name.clone());
            } else if others.all.contains(&one) {
                // it runs elsewhere, or somebody knows that it need not
                entry.note(
                    "after",
                    &format!("`{one}` is left out by `--only`, so nobody waits for it"),
                );
            } else {
                after.push(one);
            }
        }
        lines.push("after", list(&after), Source::Field(place));
    }
    if let Some((time, place)) = entry.time("after_timeout") {
        lines.push("after_timeout", time.toml(), Source::Field(place));
    }
}
