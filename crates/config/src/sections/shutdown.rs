//! How an instance ends. Ends nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::{Key, Section};
use crate::reader::Reader;

/// How an instance ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownSettings {
    /// How long new work is still taken after readiness went down, 0 to an hour. `None`: as the platform
    /// needs it.
    pub delay: Option<Duration>,
    /// How long an idle connection may still bring a request after that, 0 to an hour.
    pub idle: Duration,
    /// How long event streams and tunnels may last after that, 0 to an hour.
    pub streams: Duration,
    /// How long requests that have begun may take to end after that, 0 to an hour.
    pub grace: Duration,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            delay: None,
            idle: Duration::from_secs(1),
            streams: Duration::from_secs(3),
            // with the workers' own time it stays below the 30 s of Kubernetes
            grace: Duration::from_secs(10),
        }
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[shutdown]",
    doc: "How an instance ends: see [signals and the end](operations/signals.md).",
    keys: &[
        Key {
            name: "delay",
            kind: "duration, up to 1h",
            default: "(`5s` under Kubernetes and ECS, else `0s`)",
            doc: "How long new requests are still taken while readiness says no, so that load balancers can look away.",
        },
        Key {
            name: "idle",
            kind: "duration, up to 1h",
            default: "\"1s\"",
            doc: "How long an idle connection may still bring a request after that; it is answered, and the connection closed.",
        },
        Key {
            name: "streams",
            kind: "duration, up to 1h",
            default: "\"3s\"",
            doc: "How long WebSockets and event streams may last after that; they are ended one by one over the second half of it.",
        },
        Key {
            name: "grace",
            kind: "duration, up to 1h",
            default: "\"10s\"",
            doc: "How long requests that have begun may take to end; then connections are closed.",
        },
    ],
    aliases: &[
        ("timeout", "grace"),
        ("grace_period", "grace"),
        ("drain", "grace"),
    ],
    example: "\
[shutdown]
grace = \"30s\"               # long downloads
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut ShutdownSettings) {
    let bounds = Duration::ZERO..=Duration::from_hours(1);
    if let Some(delay) = section.get_within("delay", &bounds) {
        slot.delay = Some(delay);
    }
    section.set_within("idle", &bounds, &mut slot.idle);
    section.set_within("streams", &bounds, &mut slot.streams);
    section.set_within("grace", &bounds, &mut slot.grace);
    section.finish();
}
