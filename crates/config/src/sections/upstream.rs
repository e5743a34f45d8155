//! Servers that run elsewhere. Connects to nothing.

use mainstay_values::{Address, Problem};
use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// A set of servers that somebody else runs and that answer alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamSettings {
    /// Its name, unique among apps and upstreams.
    pub name: String,
    /// Where they are; at least one. A mere port is one of this machine.
    pub servers: Vec<Address>,
}

pub(crate) const SECTION: Section = Section {
    heading: "[upstream.NAME]",
    doc: "Servers that run elsewhere and answer alike. Give `servers`, or `server` when it is one.",
    keys: &[
        Key {
            name: "servers",
            kind: "list of addresses",
            default: "",
            doc: "Where they are.",
        },
        Key {
            name: "server",
            kind: "address",
            default: "",
            doc: "Where it is.",
        },
    ],
    aliases: &[
        ("url", "server"),
        ("address", "server"),
        ("addresses", "servers"),
        ("name", "[upstream.NAME]"),
    ],
    example: "\
[upstream.reports]
servers = [\"10.0.0.7:9000\", \"unix:/run/reports.sock\"]
",
};

pub(crate) fn read(name: String, section: Reader<'_>) -> UpstreamSettings {
    let one: Option<Vec<Address>> = section.list("server");
    let many: Option<Vec<Address>> = section.list("servers");
    match (&one, &many) {
        (Some(_), Some(_)) => section.reject(
            Problem::new(format!(
                "`{}` has both `server` and `servers`",
                section.path()
            ))
            .hint("keep `servers`"),
        ),
        (None, None) => section.reject(
            Problem::new(format!("`{}` has no servers", section.path()))
                .expected("`servers = [\"127.0.0.1:9000\"]` below it"),
        ),
        _ => {}
    }
    for key in ["server", "servers"] {
        let Some(item) = section.item(key) else {
            continue;
        };
        let elements = item.elements();
        if elements.is_empty() {
            item.push(
                Problem::new(format!("`{}` is empty", item.path))
                    .expected("one address at least, such as `\"127.0.0.1:9000\"`"),
            );
        }
        for element in elements {
            let text = element.value.get_ref().as_str().unwrap_or_default();
            if text
                .parse()
                .is_ok_and(|address: Address| address.port() == Some(0))
            {
                element.push(
                    Problem::new(format!("`{}` has port 0", item.path))
                        .expected("the port that the server listens on"),
                );
            }
        }
    }
    if one.is_some() {
        let path = section.path();
        section.also_called(&format!("{path}.server"), &format!("{path}.servers"));
    }
    section.finish();
    UpstreamSettings {
        name,
        servers: many.or(one).unwrap_or_default(),
    }
}
