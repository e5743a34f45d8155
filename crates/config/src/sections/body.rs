//! `[body]`: how large requests' bodies may be. How fast they must come is in `limits` and `timeouts`.

use mainstay_pipeline::BodyOptions;
use mainstay_values::Size;
use toml::de::DeValue;

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::Value as _;

/// What the guides set for `express.json`, with room: what is larger is an upload, and a route of its own.
const STRICT: Size = Size::mb(1);

/// What a preset says about bodies.
pub(crate) fn of(preset: Preset) -> BodyOptions {
    BodyOptions {
        limit: (preset == Preset::Strict).then_some(STRICT),
        ..BodyOptions::default()
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[body]",
    doc: "How large requests' bodies may be, whether their length is announced or not. Routes may differ: `[route.NAME.body]`.",
    keys: &[
        Key {
            name: "limit",
            kind: "size, or `false`",
            default: "(none; strict: `1mb`)",
            doc: "The most; a larger body is answered with 413.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("max_size", "limit"),
        ("size", "limit"),
        ("client_max_body_size", "limit"),
    ],
    example: "\
[body]
limit = \"1mb\"

[route.upload]
path = \"/upload\"
to = \"api\"

[route.upload.body]
limit = \"200mb\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut BodyOptions) {
    if let Some(item) = section.item("limit") {
        if let DeValue::Boolean(false) = item.value.get_ref() {
            slot.limit = None;
        } else if let Some(limit) = Size::read(&item) {
            slot.limit = Some(limit);
        }
    }
    section.set("dry_run", &mut slot.enforcement);
    section.finish();
}
