//! The top of the file: what concerns the whole instance, and the way to every section.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::authorities::Authorities;
use super::preset::{Layer, Preset};
use super::{
    account, app, errors, layers, limits, listen, log, maintenance, overload, rate_limit, reload,
    route, shutdown, timeouts, upstream,
};
use crate::key::{Key, Section};
use crate::reader::{Reader, is_name, not_a_name};
use crate::report::Report;
use crate::settings::Settings;

pub(crate) const SECTION: Section = Section {
    heading: "",
    doc: "What concerns the whole instance.",
    keys: &[
        Key {
            name: "include",
            kind: "file or list of files; `*` in a file's name for any",
            default: "[]",
            doc: "Other settings files that this one is laid over: see [several files](#several-files).",
        },
        Key {
            name: "name",
            kind: "name",
            default: "(the only app's name, else the folder's)",
            doc: "The instance's name, by which other commands find it.",
        },
        Key {
            name: "preset",
            kind: "`off`, `safe` or `strict`",
            default: "\"safe\"",
            doc: "How much protection is on when nothing more is said.",
        },
        Key {
            name: "profile",
            kind: "sections",
            default: "",
            doc: "What is different in one environment, one section each.",
        },
        Key {
            name: "listen",
            kind: "address or list of addresses",
            default: "(the address the app asks for)",
            doc: "Short form of `http` in `[listen]`.",
        },
        Key {
            name: "trusted_proxies",
            kind: "hop count, or list of `loopback`, `linklocal`, `uniquelocal`, `cloudflare`, addresses and ranges",
            default: "[]",
            doc: "Whose `X-Forwarded-*` are believed, with the meaning of Express's `trust proxy`.",
        },
        Key {
            name: "store",
            kind: "address of a Redis",
            default: "(each machine is alone)",
            doc: "Where machines keep what they share, such as rate limits: `redis://HOST:6379`, `rediss://` over TLS, `redis-sentinel://HOST,HOST/MASTER`, `redis-cluster://HOST,HOST`. With a password it is better said by `MAINSTAY_STORE`.",
        },
        Key {
            name: "store_ca_file",
            kind: "file with certificates in PEM",
            default: "(the machine's authorities)",
            doc: "The authorities that are believed where the `store` is spoken to over TLS.",
        },
        Key {
            name: "user",
            kind: "name or number",
            default: "(`nobody` when started as root with its rights, else as started)",
            doc: "The user the gateway runs as once its sockets are open; needs root.",
        },
        Key {
            name: "group",
            kind: "name or number",
            default: "(the user's)",
            doc: "The group the gateway runs as.",
        },
        Key {
            name: "without",
            kind: "list of `health`, `overload`, `filter`, `cors`, `rate_limit`, `auth`, `body`, `cache`, `compress`, `headers` and `errors`",
            default: "[]",
            doc: "Layers to leave out, whatever the preset says.",
        },
        Key {
            name: "limits",
            kind: "section",
            default: "",
            doc: "Bounds on what clients send.",
        },
        Key {
            name: "timeouts",
            kind: "section",
            default: "",
            doc: "How long each wait may last.",
        },
        Key {
            name: "app",
            kind: "sections",
            default: "(the app in this folder)",
            doc: "The apps to run, one section each.",
        },
        Key {
            name: "reload",
            kind: "section",
            default: "",
            doc: "How a new release takes the place of the old one.",
        },
        Key {
            name: "shutdown",
            kind: "section",
            default: "",
            doc: "How the instance ends.",
        },
        Key {
            name: "upstream",
            kind: "sections",
            default: "",
            doc: "Servers that run elsewhere, one section each.",
        },
        Key {
            name: "route",
            kind: "sections",
            default: "(everything to the only app or upstream)",
            doc: "Which requests go where, one section each.",
        },
        Key {
            name: "overload",
            kind: "section",
            default: "",
            doc: "How many requests may be under way at once.",
        },
        Key {
            name: "maintenance",
            kind: "section",
            default: "",
            doc: "What holds while `mainstay maintenance on` does.",
        },
        Key {
            name: "cors",
            kind: "section",
            default: "",
            doc: "Which other sites' pages may read answers.",
        },
        Key {
            name: "auth",
            kind: "section",
            default: "",
            doc: "Who may come.",
        },
        Key {
            name: "rate_limit",
            kind: "sections",
            default: "(strict: three policies)",
            doc: "How much one client may ask for, one section for each policy.",
        },
        Key {
            name: "body",
            kind: "section",
            default: "",
            doc: "How large requests' bodies may be.",
        },
        Key {
            name: "filter",
            kind: "section",
            default: "",
            doc: "Who and what is turned away.",
        },
        Key {
            name: "cache",
            kind: "section",
            default: "",
            doc: "Which answers are kept for others who ask the same.",
        },
        Key {
            name: "compress",
            kind: "section",
            default: "",
            doc: "Which answers are made smaller, and how.",
        },
        Key {
            name: "headers",
            kind: "section",
            default: "",
            doc: "Security headers of every response.",
        },
        Key {
            name: "errors",
            kind: "section",
            default: "",
            doc: "What clients see of errors.",
        },
        Key {
            name: "log",
            kind: "section",
            default: "",
            doc: "What is written about requests.",
        },
    ],
    aliases: &[
        ("port", "listen"),
        ("http", "listen"),
        ("redis", "store"),
        ("store_ca", "store_ca_file"),
        ("redis_ca", "store_ca_file"),
        ("trust_proxy", "trusted_proxies"),
        ("command", "[app.web]"),
        ("server", "[upstream.web]"),
        ("servers", "[upstream.web]"),
        ("helmet", "headers"),
        ("proxy_cache", "cache"),
        ("compression", "compress"),
        ("gzip", "compress"),
        ("rate_limits", "[rate_limit.NAME]"),
        ("ratelimit", "[rate_limit.NAME]"),
        ("limit_req", "[rate_limit.NAME]"),
        ("error_page", "[errors.pages]"),
        ("logging", "log"),
        ("https", listen::NO_TLS),
        ("tls", listen::NO_TLS),
        ("ssl", listen::NO_TLS),
        ("certificate", listen::NO_TLS),
    ],
    example: "\
preset = \"safe\"
listen = \":3000\"
trusted_proxies = [\"loopback\", \"10.0.0.0/8\"]
",
};

/// Its keys are those of the whole file, which is why none are listed.
pub(crate) const PROFILE: Section = Section {
    heading: "[profile.NAME]",
    doc: "What is different in one environment. `--env NAME` or `MAINSTAY_ENV` chooses it; without either none is in force. \
          Everything but `name` and `include` may stand in it, sections as `[profile.NAME.limits]`: sections are merged with those of the \
          file, and any other value, lists too, takes the place of the one in the file. A profile that is not chosen is \
          checked all the same.",
    keys: &[],
    aliases: &[],
    example: "\
preset = \"safe\"

[profile.production]
preset = \"strict\"
listen = \":80\"

[profile.production.limits]
queue = 5000
",
};

/// Reads a whole file that does not count as it is, for the problems that stand in it.
pub(crate) fn check(table: &DeTable<'_>, report: &Report<'_>) {
    let own = report.another();
    let top = Reader::top(&SECTION, table, &own);
    let preset = top.get::<Preset>("preset").unwrap_or_default();
    read(top, &mut Settings::of(preset));
    if let Err(problems) = own.finish(()) {
        problems
            .into_iter()
            .filter(|problem| problem.place.is_some())
            .for_each(|problem| report.push(problem));
    }
}

/// Reads the whole file into `settings`. The preset was read before: it is their beginning.
pub(crate) fn read(top: Reader<'_>, settings: &mut Settings) {
    // was followed when the sources were gathered; now its place is noted
    top.item("include");
    if let Some(name) = top.get::<String>("name") {
        if is_name(&name) {
            settings.name = Some(name);
        } else if let Some(item) = top.item("name") {
            item.reject(not_a_name());
        }
    }
    listen::read_short_or_section(&top, &mut settings.listen);
    top.set("trusted_proxies", &mut settings.trusted_proxies);
    settings.store = top.get("store");
    settings.store_authorities = top
        .item("store_ca_file")
        .and_then(|item| Authorities::read(&item));
    settings.user = account(&top, "user");
    settings.group = account(&top, "group");
    if let Some(layers) = top.list::<Layer>("without") {
        settings.without = BTreeSet::from_iter(layers);
    }
    if let Some(section) = top.section("limits", &limits::SECTION) {
        limits::read(section, &mut settings.limits);
    }
    if let Some(section) = top.section("timeouts", &timeouts::SECTION) {
        timeouts::read(section, &mut settings.timeouts);
    }
    settings.apps = top
        .named("app", &app::SECTION)
        .into_iter()
        .map(|(name, section)| app::read(name, section, settings.preset))
        .collect();
    if let Some(section) = top.section("reload", &reload::SECTION) {
        reload::read(section, &mut settings.reload);
    }
    if let Some(section) = top.section("shutdown", &shutdown::SECTION) {
        shutdown::read(section, &mut settings.shutdown);
    }
    settings.upstreams = top
        .named("upstream", &upstream::SECTION)
        .into_iter()
        .map(|(name, section)| upstream::read(name, section))
        .collect();
    layers::read(&top, &mut settings.layers);
    errors::read_pages(&top, &mut settings.pages);
    settings.routes = top
        .named("route", &route::SECTION)
        .into_iter()
        .filter_map(|(name, section)| route::read(name, section, &settings.layers))
        .collect();
    if let Some(section) = top.section("overload", &overload::SECTION) {
        overload::read(section, &mut settings.overload);
    }
    if let Some(section) = top.section("maintenance", &maintenance::SECTION) {
        maintenance::read(section, &mut settings.maintenance);
    }
    rate_limit::read_all(&top, &mut settings.rate_limits);
    if let Some(section) = top.section("log", &log::SECTION) {
        log::read(section, &mut settings.log);
    }
    top.finish();
}
