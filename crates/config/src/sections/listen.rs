//! Where connections are accepted. Opens nothing.

use mainstay_values::{Address, FileMode};
use serde::{Deserialize, Serialize};

use super::account;
use crate::key::{Key, Section};
use crate::reader::Reader;

/// More threads than any machine has cores for.
const MOST_THREADS: u16 = 256;

/// Where connections are accepted, and by how many threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenSettings {
    /// For HTTP. Empty: the address the app asks for, else `$PORT`, else 3000.
    pub http: Vec<Address>,
    /// For health and metrics, read-only. `None`: not served.
    pub observe: Option<Address>,
    /// Gateway threads, 1 to 256. `None`: one for each core.
    pub threads: Option<u16>,
    /// Who may connect to Unix sockets: whoever may write to their files.
    pub socket_mode: FileMode,
    /// The group of Unix sockets, by name or number. `None`: that of the control plane.
    pub socket_group: Option<String>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            http: Vec::new(),
            observe: None,
            threads: None,
            socket_mode: FileMode::new(0o660),
            socket_group: None,
        }
    }
}

/// For whoever brings a certificate along.
pub(super) const NO_TLS: &str = "this version has no TLS: end it in front (nginx, a load balancer), let that pass plain HTTP to `http`, \
                      and name it in `trusted_proxies`";

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
        Key {
            name: "socket_mode",
            kind: "octal permissions",
            default: "\"0660\"",
            doc: "Who may connect to a Unix socket (`http = \"unix:/run/shop.sock\"`): whoever may write to its file.",
        },
        Key {
            name: "socket_group",
            kind: "name or number",
            default: "(the one that `mainstay` was started with)",
            doc: "The group of Unix sockets, such as that of the nginx in front.",
        },
    ],
    aliases: &[
        ("address", "http"),
        ("port", "http"),
        ("metrics", "observe"),
        ("workers", "threads"),
        ("mode", "socket_mode"),
        ("group", "socket_group"),
        ("https", NO_TLS),
        ("tls", NO_TLS),
        ("ssl", NO_TLS),
        ("acme", NO_TLS),
        ("cert", NO_TLS),
        ("certificate", NO_TLS),
        ("ssl_certificate", NO_TLS),
        ("key", NO_TLS),
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
    section.set("socket_mode", &mut slot.socket_mode);
    slot.socket_group = account(&section, "socket_group");
    section.finish();
}
