//! Which requests go where. Routes nothing.

use std::cmp::Reverse;
use std::time::Duration;

use mainstay_pipeline::{Layers, RouteAdmission, RouteTimeouts};
use mainstay_values::{HostPattern, PathPattern, Problem};
use serde::{Deserialize, Serialize};

use super::layers;
use crate::key::{Key, SAME_AT_THE_TOP, Section};
use crate::reader::Reader;

/// Which requests go to which app or upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSettings {
    /// Its name, for the log and metrics.
    pub name: String,
    /// The hosts it is for. `None`: every host.
    pub host: Option<HostPattern>,
    /// The paths it is for. `None`: every path.
    pub path: Option<PathPattern>,
    /// The name of an app or upstream.
    pub to: String,
    /// How long it waits for its origin.
    pub timeouts: RouteTimeouts,
    /// How many of its requests may be under way, and who goes first.
    pub admission: RouteAdmission,
    /// The layers' options, where it says something of its own.
    pub layers: Option<Layers>,
}

impl RouteSettings {
    /// Sorts the most specific first: an exact host before `*.host` before none, then the longest path.
    pub fn rank(&self) -> impl Ord + use<> {
        let host = self.host.as_ref().map(HostPattern::rank);
        let path = self.path.as_ref().map_or(0, PathPattern::specificity);
        (host.is_none(), host, Reverse(path))
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[route.NAME]",
    doc: "Which requests go where. The most specific route wins, whatever the order in the file: an exact host before \
          `*.host` before none, then the longest path. A host that no route is for is answered with 421, a path with 404.",
    keys: &[
        Key {
            name: "host",
            kind: "host, or `*.host` for all below it",
            default: "(every host)",
            doc: "The hosts it is for.",
        },
        Key {
            name: "path",
            kind: "path",
            default: "\"/\"",
            doc: "The paths it is for: `/api` means `/api` and everything below, not `/apix`.",
        },
        Key {
            name: "to",
            kind: "name of an app or upstream",
            default: "",
            doc: "Who answers.",
        },
        Key {
            name: "cors",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "What differs from `[cors]` on this route, as `[route.NAME.cors]`.",
        },
        Key {
            name: "in_flight",
            kind: "count, 1 to 100000",
            default: "(no bound)",
            doc: "Its requests that may be under way at once; others wait as `[overload]` says, then 503.",
        },
        Key {
            name: "priority",
            kind: "`low`, `normal` or `high`",
            default: "\"normal\"",
            doc: "Who goes first, and who is refused last, where routes share a bound of `[overload]`.",
        },
        Key {
            name: "response_timeout",
            kind: "duration, 10ms to 1d",
            default: "(as `timeouts.response`)",
            doc: "From the end of the request to the end of the response's head, else 504.",
        },
        Key {
            name: "idle_timeout",
            kind: "duration, 10ms to 1d",
            default: "(as `timeouts.idle`)",
            doc: "Between two pieces of a response's body; longer breaks it off.",
        },
        Key {
            name: "auth",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "Who may come to this route, as `[route.NAME.auth]`.",
        },
        Key {
            name: "body",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "What differs from `[body]` on this route, as `[route.NAME.body]`.",
        },
        Key {
            name: "filter",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "What differs from `[filter]` on this route, as `[route.NAME.filter]`.",
        },
        Key {
            name: "cache",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "What differs from `[cache]` on this route, as `[route.NAME.cache]`.",
        },
        Key {
            name: "compress",
            kind: SAME_AT_THE_TOP,
            default: "(that of the whole file)",
            doc: "What differs from `[compress]` on this route, as `[route.NAME.compress]`.",
        },
        Key {
            name: "headers",
            kind: SAME_AT_THE_TOP,
            default: "(those of the whole file)",
            doc: "What differs from `[headers]` on this route, as `[route.NAME.headers]`.",
        },
        Key {
            name: "errors",
            kind: SAME_AT_THE_TOP,
            default: "(those of the whole file)",
            doc: "What differs from `[errors]` on this route, as `[route.NAME.errors]`.",
        },
    ],
    aliases: &[
        ("match", "host` or `path"),
        ("prefix", "path"),
        ("domain", "host"),
        ("app", "to"),
        ("upstream", "to"),
        ("target", "to"),
        ("name", "[route.NAME]"),
        ("timeout", "response_timeout"),
        ("proxy_read_timeout", "response_timeout"),
    ],
    example: "\
[route.api]
host = \"api.example.com\"
path = \"/v1\"
to = \"api\"
",
};

/// `general` is what holds for the layers where the route says nothing.
pub(crate) fn read(name: String, section: Reader<'_>, general: &Layers) -> Option<RouteSettings> {
    let host = section.get("host");
    let path = section.get("path");
    let to: Option<String> = section.get("to");
    if section.item("to").is_none() {
        section.reject(
            Problem::new(format!("`{}` leads nowhere", section.path()))
                .expected("`to = \"NAME\"` of an app or upstream below it"),
        );
    }
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    let timeouts = RouteTimeouts {
        response: section.get_within("response_timeout", &bounds),
        idle: section.get_within("idle_timeout", &bounds),
    };
    let mut admission = RouteAdmission {
        in_flight: section.get_within("in_flight", &(1..=100_000)),
        ..RouteAdmission::default()
    };
    section.set("priority", &mut admission.priority);
    let mut own = general.clone();
    let layers = layers::read(&section, &mut own).then_some(own);
    section.finish();
    Some(RouteSettings {
        name,
        host,
        path,
        to: to?,
        timeouts,
        admission,
        layers,
    })
}
