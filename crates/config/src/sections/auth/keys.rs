//! `[auth.key.NAME]`: API keys, of which the file holds hashes. No message here holds one.

use mainstay_pipeline::{AuthOptions, KeyHash, KeyOptions};
use mainstay_values::Problem;

use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::Value as _;

pub(crate) const SECTION: Section = Section {
    heading: "[auth.key.NAME]",
    doc: "An API key. `mainstay hash --key` makes one with its hash; the name stands for it in logs and towards the app.",
    keys: &[
        Key {
            name: "hash",
            kind: "`sha256:` and 64 digits",
            default: "",
            doc: "The hash of the key. A key that somebody thought out can be guessed from it: let it be made.",
        },
        Key {
            name: "labels",
            kind: "list of names",
            default: "[]",
            doc: "What the key's owner is called besides, such as a team or a plan.",
        },
    ],
    aliases: &[
        ("key", "hash"),
        ("secret", "hash"),
        ("value", "hash"),
        ("id", "[auth.key.NAME]"),
        ("label", "labels"),
        ("roles", "labels"),
    ],
    example: "\
[auth.key.reports]
hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
labels = [\"partner\"]
",
};

pub(super) fn read(section: &Reader<'_>, slot: &mut AuthOptions) {
    for (id, key) in section.named("key", &SECTION) {
        let item = key.item("hash");
        let labels = key.list("labels").unwrap_or_default();
        let is_off = key.get::<bool>(Key::ENABLED.name) == Some(false);
        let hash = item.as_ref().and_then(|item| {
            let text = String::read(item)?;
            let hash: Result<KeyHash, _> = text.parse();
            hash.map_err(|cause| item.push(Problem::bad_value(&item.path, cause).keep_line_back()))
                .ok()
        });
        if item.is_none() {
            key.reject(
                Problem::new(format!("`{}` has no hash", key.path()))
                    .expected("`hash = \"sha256:…\"` below it")
                    .hint("`mainstay hash --key` makes a key and its hash"),
            );
        }
        key.finish();
        if let (Some(hash), false) = (hash, is_off) {
            slot.keys.push(KeyOptions { id, hash, labels });
        }
    }
}
