//! `[cache]`: which answers are kept for others who ask the same. The stage that does it is in the pipeline.

use std::time::Duration;

use http::HeaderName;
use mainstay_pipeline::{
    CacheOptions, CacheState, Credentials, Heuristic, QueryOrder, QueryRule, Reach,
    RequestDirectives, UnsafeSharing, Validators,
};
use mainstay_values::{Problem, Size};

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::word::Word;

/// What a preset says about the cache.
pub(crate) fn of(preset: Preset) -> CacheOptions {
    match preset {
        Preset::Off | Preset::Safe => CacheOptions::off(),
        Preset::Strict => CacheOptions::on(),
    }
}

impl Word for Credentials {
    const WANTED: &'static str = "what becomes of requests with credentials";
    const WORDS: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("share", Self::Share)];
}

impl Word for Reach {
    const WANTED: &'static str = "who keeps the same";
    const WORDS: &'static [(&'static str, Self)] =
        &[("machines", Self::Machines), ("machine", Self::Machine)];
}

impl Word for Validators {
    const WANTED: &'static str = "by what clients ask whether an answer has changed";
    const WORDS: &'static [(&'static str, Self)] = &[("app", Self::Origin), ("weak", Self::Weak)];
}

impl Word for RequestDirectives {
    const WANTED: &'static str = "what clients' directives count for";
    const WORDS: &'static [(&'static str, Self)] =
        &[("heed", Self::Heed), ("ignore", Self::Ignore)];
}

impl Word for QueryOrder {
    const WANTED: &'static str = "what the order of parameters means";
    const WORDS: &'static [(&'static str, Self)] =
        &[("kept", Self::Kept), ("sorted", Self::Sorted)];
}

impl Word for UnsafeSharing {
    const WANTED: &'static str = "something that is shared against all reason";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("set_cookie", Self::SetCookie),
        ("private", Self::Private),
        ("no_store", Self::NoStore),
        ("cookie", Self::Cookie),
    ];
}

pub(crate) const SECTION: Section = Section {
    heading: "[cache]",
    doc: "Which answers are kept in memory for others who ask the same, as RFC 9111 has it for shared caches. An answer is kept if it says how \
          long it is fresh (`Cache-Control: max-age=60`, `s-maxage`, `CDN-Cache-Control`, `Expires`), and nothing forbids it: not if it sets a \
          cookie, says `private` or `no-store`, or if the request carries `Cookie` or `Authorization`. Many who ask the same at once are one \
          request to the app. On in `strict`.",
    keys: &[
        Key {
            name: "memory",
            kind: "size, 1mb to 1tb; at the top only",
            default: "\"64mb\"",
            doc: "The most that is kept, fields and codings counted; what is asked for least goes first.",
        },
        Key {
            name: "object_limit",
            kind: "size, up to 64mb",
            default: "\"1mb\"",
            doc: "The largest body that is kept.",
        },
        Key {
            name: "ttl",
            kind: "duration, up to 365d",
            default: "(they are not kept)",
            doc: "How long answers are fresh that do not say it themselves.",
        },
        Key {
            name: "negative",
            kind: "duration, up to 1d",
            default: "(they are not kept)",
            doc: "The same for 404 and 410.",
        },
        Key {
            name: "heuristic",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether answers that say when they were changed last, and nothing else, are fresh for a tenth of that time, a day at most.",
        },
        Key {
            name: "stale",
            kind: "duration, up to 365d",
            default: "\"0s\"",
            doc: "How long after its time an answer may still be used, while it is fetched anew or the app fails, where it does not say that itself (`stale-while-revalidate`, `stale-if-error`).",
        },
        Key {
            name: "validators",
            kind: "`app` or `weak`",
            default: "\"app\"",
            doc: "By what clients that have an answer already can ask for it: by what the app says, or where it says no `ETag`, by a weak one that is made of the kept body.",
        },
        Key {
            name: "credentials",
            kind: "`pass` or `share`",
            default: "\"pass\"",
            doc: "What becomes of requests with `Cookie` or `Authorization`, or whose sender was verified: they pass by, or they share answers that say `public` or `s-maxage`.",
        },
        Key {
            name: "share",
            kind: "`machines` or `machine`",
            default: "\"machines\"",
            doc: "Who keeps the same where there is a `store`: all machines whose instances have the same name, each of which uses what others fetched, and one fetches for all; or each machine for itself.",
        },
        Key {
            name: "requests",
            kind: "`heed` or `ignore`",
            default: "\"heed\"",
            doc: "Whether `Cache-Control` of requests counts; if not, no client can have an answer fetched anew.",
        },
        Key {
            name: "query",
            kind: "list of parameters; `*` at the end for any",
            default: "(all)",
            doc: "The parameters of a query that tell answers apart; the app does not get the others where an answer may be shared.",
        },
        Key {
            name: "query_without",
            kind: "list of parameters; `*` at the end for any",
            default: "[]",
            doc: "The parameters that do not, where all others do.",
        },
        Key {
            name: "query_order",
            kind: "`kept` or `sorted`",
            default: "\"kept\"",
            doc: "Whether `?a=1&b=2` and `?b=2&a=1` are two answers, or one that the app is asked for in sorted order.",
        },
        Key {
            name: "key_headers",
            kind: "list of request headers",
            default: "[]",
            doc: "Request headers that tell answers apart, whether `Vary` names them or not.",
        },
        Key {
            name: "key_cookies",
            kind: "list of cookies",
            default: "[]",
            doc: "Cookies that tell answers apart; a request that has no others counts as one without cookies.",
        },
        Key {
            name: "ignore_cookies",
            kind: "list of cookies; `*` at the end for any",
            default: "[]",
            doc: "Cookies that mean nothing to the app, such as `_ga*`: where an answer may be shared it does not get them.",
        },
        Key {
            name: "unsafe",
            kind: "list of `set_cookie`, `private`, `no_store` and `cookie`",
            default: "[]",
            doc: "What is shared though it should not be: answers that set cookies (without these), that say `private`, that say `no-store`; or answers to requests with cookies as if they had none.",
        },
    ],
    aliases: &[
        ("size", "memory"),
        ("max_size", "memory"),
        ("max_age", "ttl"),
        ("default_ttl", "ttl"),
        ("proxy_cache_valid", "ttl"),
        ("proxy_cache_use_stale", "stale"),
        ("grace", "stale"),
        ("etag", "validators"),
        ("bypass", "credentials"),
        ("key", "key_headers` or `key_cookies"),
    ],
    example: "\
[cache]
memory = \"256mb\"
query_without = [\"utm_*\", \"fbclid\"]
ignore_cookies = [\"_ga*\"]

[route.news]
path = \"/news\"
to = \"api\"

[route.news.cache]
ttl = \"30s\"
stale = \"10m\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut CacheOptions) {
    // the section is there, so it is meant, whatever the preset says
    slot.state = CacheState::On;
    if let Some(item) = section.item("memory") {
        if section.path().starts_with("route.") {
            item.push(
                Problem::new(format!("`{}` is for all routes together", item.path))
                    .expected("`memory` in `[cache]`"),
            );
        } else {
            let bounds = Size::mb(1)..=Size::mb(1024 * 1024);
            section.set_within("memory", &bounds, &mut slot.memory);
        }
    }
    let bounds = Size::bytes(1)..=Size::mb(64);
    section.set_within("object_limit", &bounds, &mut slot.object_limit);
    let year = Duration::ZERO..=Duration::from_hours(365 * 24);
    if let Some(ttl) = section.get_within("ttl", &year) {
        slot.ttl = Some(ttl);
    }
    let day = Duration::ZERO..=Duration::from_hours(24);
    if let Some(negative) = section.get_within("negative", &day) {
        slot.negative = Some(negative);
    }
    if let Some(heuristic) = section.get("heuristic") {
        slot.heuristic = if heuristic {
            Heuristic::On
        } else {
            Heuristic::Off
        };
    }
    section.set_within("stale", &year, &mut slot.stale);
    section.set("validators", &mut slot.validators);
    section.set("credentials", &mut slot.credentials);
    section.set("requests", &mut slot.requests);
    section.set("share", &mut slot.reach);
    query(&section, slot);
    section.set("query_order", &mut slot.query_order);
    headers(&section, slot);
    if let Some(cookies) = section.list("key_cookies") {
        slot.key_cookies = cookies;
    }
    if let Some(cookies) = section.list("ignore_cookies") {
        slot.ignore_cookies = cookies;
    }
    if let Some(sharing) = section.list("unsafe") {
        slot.sharing = sharing;
    }
    section.finish();
}

fn query(section: &Reader<'_>, slot: &mut CacheOptions) {
    let (only, without) = (section.list("query"), section.list("query_without"));
    let is_said = without
        .as_ref()
        .is_some_and(|names: &Vec<String>| !names.is_empty());
    if let (Some(_), true, Some(item)) = (&only, is_said, section.item("query_without")) {
        item.push(
            Problem::new(format!("`{}` beside `query`", item.path))
                .expected("one of them: the parameters that count, or those that do not"),
        );
    }
    match (only, without) {
        (Some(names), _) => slot.query = QueryRule::Only(names),
        (None, Some(names)) if names.is_empty() => slot.query = QueryRule::All,
        (None, Some(names)) => slot.query = QueryRule::Without(names),
        (None, None) => {}
    }
}

fn headers(section: &Reader<'_>, slot: &mut CacheOptions) {
    let Some(names) = section.list::<String>("key_headers") else {
        return;
    };
    slot.key_headers.clear();
    for name in names {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if !mainstay_pipeline::is_told_by_us(&name) => {
                slot.key_headers.push(name.as_str().to_owned());
            }
            Ok(_) => reject(
                section,
                &name,
                "one that clients send: this one tells of the client, and is another for each",
            ),
            Err(_) => reject(
                section,
                &name,
                "the name of a request header, such as `accept-language`",
            ),
        }
    }
}

fn reject(section: &Reader<'_>, name: &str, expected: &str) {
    if let Some(item) = section.item("key_headers") {
        item.push(Problem::new(format!("`{name}` cannot tell answers apart")).expected(expected));
    }
}
