//! `[overload]`: how much may be under way at once, and who waits. Counts nothing.

use std::time::Duration;

use mainstay_pipeline::{Adaptation, OverloadOptions, Priority};

use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::word::Word;

impl Word for Adaptation {
    const WANTED: &'static str = "a way to find the bound";
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("auto", Self::Auto)];
}

impl Word for Priority {
    const WANTED: &'static str = "a priority";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("low", Self::Low),
        ("normal", Self::Normal),
        ("high", Self::High),
    ];
}

pub(crate) const SECTION: Section = Section {
    heading: "[overload]",
    doc: "How many requests may be under way at once, and what becomes of the others: they wait for a moment, then they are \
          answered with 503. Routes have `in_flight` and `priority` for themselves. Nothing is bounded without a setting.",
    keys: &[
        Key {
            name: "connections",
            kind: "count, 1 to 1000000",
            default: "(as many as there are descriptors for)",
            doc: "Connections of clients that may be open; requests on further ones are answered with 503, and many more are closed unheard.",
        },
        Key {
            name: "connections_per_client",
            kind: "count, 1 to 1000000",
            default: "(no bound)",
            doc: "The same for each client, by its IPv4 address or IPv6 /56; `trusted_proxies` and Unix sockets are not bounded so.",
        },
        Key {
            name: "in_flight_per_worker",
            kind: "count, 1 to 100000",
            default: "(no bound)",
            doc: "Requests under way at an app or upstream, for each of its workers or servers that is ready.",
        },
        Key {
            name: "adaptive",
            kind: "`off` or `auto`",
            default: "\"off\"",
            doc: "Whether a bound is found as well: `auto` lets fewer in when answers take more than twice as long as at rest.",
        },
        Key {
            name: "queue",
            kind: "count, up to 100000",
            default: "100",
            doc: "Requests that wait for a place at each bound; one more is answered with 503, or one of lower priority in its place.",
        },
        Key {
            name: "wait",
            kind: "duration, 10ms to 1m",
            default: "\"1s\"",
            doc: "How long one waits for a place before it is answered with 503.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("max_concurrency", "in_flight_per_worker"),
        ("max_conns", "in_flight_per_worker"),
        ("max_in_flight", "in_flight_per_worker"),
        ("timeout", "wait"),
        ("max_connections", "connections"),
        ("limit_conn", "connections_per_client"),
    ],
    example: "\
[overload]
in_flight_per_worker = 50
adaptive = \"auto\"

[route.reports]
path = \"/reports\"
to = \"api\"
in_flight = 4
priority = \"low\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut OverloadOptions) {
    if let Some(most) = section.get_within("in_flight_per_worker", &(1..=100_000)) {
        slot.in_flight_per_worker = Some(most);
    }
    let connections = 1..=1_000_000;
    if let Some(most) = section.get_within("connections", &connections) {
        slot.connections = Some(most);
    }
    if let Some(most) = section.get_within("connections_per_client", &connections) {
        slot.connections_per_client = Some(most);
    }
    section.set("adaptive", &mut slot.adaptive);
    section.set_within("queue", &(0..=100_000), &mut slot.queue);
    let waits = Duration::from_millis(10)..=Duration::from_mins(1);
    section.set_within("wait", &waits, &mut slot.wait);
    section.set("dry_run", &mut slot.enforcement);
    section.finish();
}
