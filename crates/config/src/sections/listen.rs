//! Where connections are accepted. Opens nothing.

use mainstay_values::Address;
use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// More threads than any machine has cores for.
const MOST_THREADS: u16 = 256;

/// Where connections are accepted, and by how many threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenSettings {
    /// For HTTP. Empty: the address the app asks for, else `$PORT`, else 3000.
    pub http: Vec<Address>,
    /// For health and metrics, read-only. `None`: not served.
    pub observe: Option<Address>,
    /// Gateway threads, 1 to 256. `None`: one for each core.
    pub threads: Option<u16>,
}

pub(crate) const SECTION: Section = Section {
    heading: "[listen]",
    doc: "Where connections are accepted. `listen = \":3000\"` at the top of the file is short for `http`.",
    keys: &[
        Key {
            name: "http",
            kind: "address or list of addresses",
            default: "(the address the app asks for, else `$PORT`, else `:3000`)",
            doc: "For HTTP.",
        },
        Key {
            name: "observe",
            kind: "address",
            default: "(not served)",
            doc: "For health and metrics, read-only; keep it away from the internet.",
        },
        Key {
            name: "threads",
            kind: "1 to 256",
            default: "(one for each core)",
            doc: "Threads that carry traffic.",
        },
    ],
    aliases: &[
        ("address", "http"),
        ("port", "http"),
        ("metrics", "observe"),
        ("workers", "threads"),
    ],
    example: "\
[listen]
http = \"0.0.0.0:80\"
observe = \"127.0.0.1:9464\"
",
};

/// `listen = ":3000"`, `listen = [":3000"]` or `[listen]`.
pub(crate) fn read_short_or_section(top: &Reader<'_>, slot: &mut ListenSettings) {
    let is_section = top
        .item("listen")
        .is_some_and(|item| item.value.get_ref().is_table());
    if is_section {
        if let Some(section) = top.section("listen", &SECTION) {
            read(section, slot);
        }
    } else if let Some(addresses) = top.list("listen") {
        slot.http = addresses;
        top.also_called("listen", "listen.http");
    }
}

fn read(section: Reader<'_>, slot: &mut ListenSettings) {
    if let Some(addresses) = section.list("http") {
        slot.http = addresses;
    }
    slot.observe = section.get("observe");
    slot.threads = section.get_within("threads", &(1..=MOST_THREADS));
    section.finish();
}
