//! How long each wait may last. Measures nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// How long each wait may last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head, else 408.
    pub head: Duration,
    /// Idle between two requests of a connection.
    pub keep_alive: Duration,
    /// The same for connections from trusted proxies.
    pub keep_alive_trusted: Duration,
    /// The stretch of time over which `limits.body_rate` is measured.
    pub body_period: Duration,
    /// Until a connection to a worker or server stands, else 504.
    pub connect: Duration,
    /// From the end of the request to the end of the response's head, else 504.
    pub response: Duration,
    /// How long a client may take nothing of its response before it is let go.
    pub send: Duration,
    /// Between two pieces of a response's body; longer breaks it off.
    pub idle: Duration,
    /// How long a request waits while no worker is ready, else 503.
    pub queue: Duration,
    /// How long a request waits for the store, before what holds without it holds.
    pub store: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            // Longer than the 600 s after which the big load balancers close from their side.
            keep_alive_trusted: Duration::from_secs(620),
            body_period: Duration::from_secs(10),
            connect: Duration::from_secs(2),
            response: Duration::from_mins(1),
            send: Duration::from_mins(1),
            // Event streams may be silent for a while.
            idle: Duration::from_mins(5),
            queue: Duration::from_secs(10),
            store: Duration::from_millis(10),
        }
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[timeouts]",
    doc: "How long each wait may last, from `10ms` to `1d`. They hold in every preset.",
    keys: &[
        Key {
            name: "head",
            kind: "duration",
            default: "\"10s\"",
            doc: "From a request's first byte to the end of its head, else 408.",
        },
        Key {
            name: "keep_alive",
            kind: "duration",
            default: "\"1m15s\"",
            doc: "Idle between two requests of a connection.",
        },
        Key {
            name: "keep_alive_trusted",
            kind: "duration",
            default: "\"10m20s\"",
            doc: "The same for connections from `trusted_proxies`: longer than big load balancers keep theirs.",
        },
        Key {
            name: "body_period",
            kind: "duration",
            default: "\"10s\"",
            doc: "The stretch of time over which `body_rate` of `[limits]` is measured.",
        },
        Key {
            name: "connect",
            kind: "duration",
            default: "\"2s\"",
            doc: "Until a connection to a worker or server stands, else 504.",
        },
        Key {
            name: "response",
            kind: "duration",
            default: "\"1m\"",
            doc: "From the end of the request to the end of the response's head, else 504.",
        },
        Key {
            name: "send",
            kind: "duration",
            default: "\"1m\"",
            doc: "How long a client may take nothing of its response before it is let go.",
        },
        Key {
            name: "idle",
            kind: "duration",
            default: "\"5m\"",
            doc: "Between two pieces of a response's body; longer breaks it off.",
        },
        Key {
            name: "queue",
            kind: "duration",
            default: "\"10s\"",
            doc: "How long a request waits while no worker is ready, else 503.",
        },
        Key {
            name: "store",
            kind: "duration",
            default: "\"10ms\"",
            doc: "How long a request waits for the `store`, before what holds without it does.",
        },
    ],
    aliases: &[("keepalive", "keep_alive"), ("request", "head")],
    example: "\
[timeouts]
response = \"2m\"            # slow reports
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut Timeouts) {
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    for (key, slot) in [
        ("head", &mut slot.head),
        ("keep_alive", &mut slot.keep_alive),
        ("keep_alive_trusted", &mut slot.keep_alive_trusted),
        ("body_period", &mut slot.body_period),
        ("connect", &mut slot.connect),
        ("response", &mut slot.response),
        ("send", &mut slot.send),
        ("idle", &mut slot.idle),
        ("queue", &mut slot.queue),
        ("store", &mut slot.store),
    ] {
        section.set_within(key, &bounds, slot);
    }
    section.finish();
}
