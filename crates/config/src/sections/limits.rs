//! Bounds on what clients send, and on who may wait. Counts nothing.

use mainstay_values::Size;
use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// Bounds on what clients send, and on how many may wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A whole request head; more is answered with 431.
    pub head: Size,
    /// One header field, name and value; more is answered with 431.
    pub field: Size,
    /// Header fields of one request, 10 to 256; more is answered with 431.
    pub fields: u32,
    /// The request target (path and query); more is answered with 414.
    pub target: Size,
    /// Bytes per second that a request's body must bring on average over `timeouts.body_period`,
    /// else 408. 0: no such bound.
    pub body_rate: Size,
    /// Requests that wait while no worker is ready; further ones are answered with 503.
    pub queue: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Size::kb(32),
            field: Size::kb(8),
            fields: 100,
            target: Size::kb(8),
            body_rate: Size::bytes(500),
            queue: 1_000,
        }
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[limits]",
    doc: "Bounds on what clients send, and on how many may wait. They hold in every preset.",
    keys: &[
        Key {
            name: "head",
            kind: "size, 1kb to 1mb",
            default: "\"32kb\"",
            doc: "A whole request head; more is answered with 431.",
        },
        Key {
            name: "field",
            kind: "size, 256b to 1mb",
            default: "\"8kb\"",
            doc: "One header field, name and value; more is answered with 431.",
        },
        Key {
            name: "fields",
            kind: "10 to 256",
            default: "100",
            doc: "Header fields of one request; more are answered with 431.",
        },
        Key {
            name: "target",
            kind: "size, 256b to 1mb",
            default: "\"8kb\"",
            doc: "The request target, path and query; more is answered with 414.",
        },
        Key {
            name: "body_rate",
            kind: "size, up to 1mb",
            default: "\"500b\"",
            doc: "What a request's body must bring each second on average, else 408; `0` for no such bound.",
        },
        Key {
            name: "queue",
            kind: "count, up to 100000",
            default: "1000",
            doc: "Requests that wait while no worker is ready; further ones are answered with 503.",
        },
    ],
    aliases: &[],
    example: "\
[limits]
field = \"16kb\"             # long cookies
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut Limits) {
    let most = Size::mb(1);
    section.set_within("head", &(Size::kb(1)..=most), &mut slot.head);
    section.set_within("field", &(Size::bytes(256)..=most), &mut slot.field);
    section.set_within("fields", &(10..=256), &mut slot.fields);
    section.set_within("target", &(Size::bytes(256)..=most), &mut slot.target);
    section.set_within("body_rate", &(Size::bytes(0)..=most), &mut slot.body_rate);
    section.set_within("queue", &(0..=100_000), &mut slot.queue);
    section.finish();
}
