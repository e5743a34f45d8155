//! `[auth.forward]`: which server is asked who comes. Asks nobody.

use std::time::Duration;

use mainstay_pipeline::{AuthOptions, ForwardOptions};
use mainstay_values::{BadValue, Problem};

use super::{header, header_name};
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::Value as _;

/// An answer that takes longer is none.
const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_mins(1);

pub(crate) const SECTION: Section = Section {
    heading: "[auth.forward]",
    doc: "Another server is asked who comes, as nginx's `auth_request` and Traefik's `ForwardAuth` do. It gets the request's \
          head without a body; 2xx lets it pass, 401, 403 and redirections go back to the client, anything else is 503.",
    keys: &[
        Key {
            name: "to",
            kind: "name of an app or upstream",
            default: "",
            doc: "Who is asked. An upstream that only answers this needs no route.",
        },
        Key {
            name: "path",
            kind: "path",
            default: "\"/\"",
            doc: "At which path; what the client asked for is in `X-Forwarded-Method` and `X-Forwarded-Uri`, and in `X-Original-Uri`.",
        },
        Key {
            name: "timeout",
            kind: "duration, 10ms to 1m",
            default: "\"5s\"",
            doc: "How long its answer may take.",
        },
        Key {
            name: "copy",
            kind: "list of header names",
            default: "[]",
            doc: "Fields of its answer that the app gets; what clients put there is taken out, on every route.",
        },
        Key {
            name: "user",
            kind: "header name",
            default: "(none)",
            doc: "The field of its answer that says who asks, for logs, limits and `only`.",
        },
    ],
    aliases: &[
        ("address", "to"),
        ("url", "to` and `path"),
        ("upstream", "to"),
        ("auth_request", "path"),
        ("authResponseHeaders", "copy"),
        ("copy_headers", "copy"),
    ],
    example: "\
[upstream.sso]
server = \"127.0.0.1:9091\"

[auth.forward]
to = \"sso\"
path = \"/api/verify\"
copy = [\"remote-user\", \"remote-groups\"]
user = \"remote-user\"
",
};

pub(super) fn read(section: &Reader<'_>, slot: &mut AuthOptions) {
    let Some(forward) = section.section("forward", &SECTION) else {
        return;
    };
    let is_off = forward.get::<bool>(Key::ENABLED.name) == Some(false);
    let to: Option<String> = forward.get("to");
    if forward.item("to").is_none() {
        forward.reject(
            Problem::new(format!("`{}` asks nobody", forward.path()))
                .expected("`to = \"NAME\"` of an app or upstream below it"),
        );
    }
    let mut timeout = Duration::from_secs(5);
    forward.set_within("timeout", &TIMEOUTS, &mut timeout);
    let copy = forward.item("copy").map(|item| {
        let names = item.elements();
        names.iter().filter_map(header_name).collect()
    });
    let options = ForwardOptions {
        to: to.clone().unwrap_or_default(),
        path: path(&forward).unwrap_or_else(|| "/".to_owned()),
        timeout,
        copy: copy.unwrap_or_default(),
        user: header(&forward, "user"),
    };
    forward.finish();
    if to.is_some() && !is_off {
        slot.forward = Some(options);
    }
}

fn path(forward: &Reader<'_>) -> Option<String> {
    let item = forward.item("path")?;
    let path = String::read(&item)?;
    let is_sound = path.starts_with('/')
        && path.len() <= 1_024
        && path
            .bytes()
            .all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'#')
        && path.parse::<http::Uri>().is_ok();
    if !is_sound {
        item.reject(BadValue::new(
            "a path to ask at",
            "such as `/verify`, with a query if need be",
        ));
    }
    is_sound.then_some(path)
}
