//! `[maintenance]`: what holds while `mainstay maintenance on` does. Begins none.

use std::time::Duration;

use mainstay_pipeline::MaintenanceOptions;

use crate::key::{Key, Section};
use crate::reader::Reader;

pub(crate) const SECTION: Section = Section {
    heading: "[maintenance]",
    doc: "What holds while `mainstay maintenance on` does: everything but health is answered with 503.",
    keys: &[
        Key {
            name: "allow",
            kind: "list of addresses and ranges",
            default: "[]",
            doc: "Clients who are let through, such as those who look whether the work is done.",
        },
        Key {
            name: "retry_after",
            kind: "duration, 1s to 1d",
            default: "\"1m\"",
            doc: "When clients are told to come again, where `--for` does not say when it is over.",
        },
    ],
    aliases: &[("allowed", "allow"), ("networks", "allow")],
    example: "\
[maintenance]
allow = [\"10.0.0.0/8\"]
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut MaintenanceOptions) {
    if let Some(allow) = section.list("allow") {
        slot.allow = allow;
    }
    let bounds = Duration::from_secs(1)..=Duration::from_hours(24);
    section.set_within("retry_after", &bounds, &mut slot.retry_after);
    section.finish();
}
