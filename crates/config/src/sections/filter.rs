//! `[filter]`: whom and what nobody gets to. What is done with it is in the pipeline's stage, the lists too.

use std::time::Duration;

use mainstay_pipeline::{BanOptions, FilterOptions, HiddenFiles, MethodRule, RatePolicy, Traps};
use mainstay_values::{BadValue, NamePattern, PathPattern, Problem};

use super::preset::Preset;
use super::rate_limit::LONGEST_BAN;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};

/// Long enough for a scanner to go elsewhere, short enough for who was banned by mistake.
const USUAL_BAN: Duration = Duration::from_hours(1);
/// One hit may be a link that somebody followed; scanners make hundreds.
const USUAL_HITS: u32 = 3;

/// What a preset says about filters.
pub(crate) fn of(preset: Preset) -> FilterOptions {
    let (hidden, methods, traps) = match preset {
        Preset::Off => (HiddenFiles::None, MethodRule::Any, Traps::None),
        Preset::Safe => (HiddenFiles::Secrets, MethodRule::NoTrace, Traps::None),
        Preset::Strict => (HiddenFiles::All, MethodRule::NoTrace, Traps::Known),
    };
    FilterOptions {
        hidden,
        methods,
        traps,
        trap_ban: (preset == Preset::Strict).then_some(BanOptions {
            after: USUAL_HITS,
            lasts: USUAL_BAN,
        }),
        ..FilterOptions::default()
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[filter]",
    doc: "Who and what is turned away before the app sees it. A path is judged in every way in which a server could read \
          it: decoded, resolved, without parameters, in any case of letters.",
    keys: &[
        Key {
            name: "allow",
            kind: "list of networks",
            default: "(everybody)",
            doc: "Clients that may ask, by their real addresses; others get 403.",
        },
        Key {
            name: "deny",
            kind: "list of networks",
            default: "[]",
            doc: "Clients that get 403, even if `allow` names them.",
        },
        Key {
            name: "hosts",
            kind: "list of hosts, or `*.host` for all below it",
            default: "(every host)",
            doc: "Hosts that are served; a request for another gets 421.",
        },
        Key {
            name: "methods",
            kind: "list of methods",
            default: "(all but `TRACE` and `TRACK`; off: all)",
            doc: "Methods that are served; others get 405. `GET` means `HEAD` too, and a browser's question before a request \
                  to another origin passes.",
        },
        Key {
            name: "hidden_files",
            kind: "`none`, `secrets`, `all`, or list of names",
            default: "\"secrets\" (strict: `all`; off: `none`)",
            doc: "Files and folders that get 404 wherever they stand in a path: `secrets` are `.git*` and `.env*`; `all` is every \
                  name that begins with a dot, backups, editors' leavings, dumps and keys. `/.well-known/` is never hidden.",
        },
        Key {
            name: "hidden_except",
            kind: "list of paths",
            default: "[]",
            doc: "Paths below which nothing is hidden.",
        },
        Key {
            name: "traps",
            kind: "`none`, `known`, or list of paths",
            default: "\"none\" (strict: `known`)",
            doc: "Paths that only scanners ask for, which get 404: `known` are `/wp-login.php`, `/phpmyadmin`, `/.env` and others.",
        },
        Key {
            name: "trap_ban_after",
            kind: "count, or `false`",
            default: "false (strict: `3`)",
            doc: "After so many hits of traps within `trap_ban_for` a client gets 403 for everything, as long as `trap_ban_for` says. \
                  Proxies and addresses of private networks, which many may share, are never banned.",
        },
        Key {
            name: "trap_ban_for",
            kind: "duration, 1s to 365d",
            default: "(1h, where somebody is banned)",
            doc: "How long such a ban lasts; `mainstay unban` lifts it.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("whitelist", "allow"),
        ("allowlist", "allow"),
        ("blacklist", "deny"),
        ("denylist", "deny"),
        ("block", "deny"),
        ("networks", "allow"),
        ("ips", "allow"),
        ("host", "hosts"),
        ("allowed_hosts", "hosts"),
        ("method", "methods"),
        ("dotfiles", "hidden_files"),
        ("hidden", "hidden_files"),
        ("except", "hidden_except"),
        ("honeypot", "traps"),
        ("ban", "write `trap_ban_after` and `trap_ban_for`"),
        ("trap_ban", "write `trap_ban_after` and `trap_ban_for`"),
        ("ban_after", "trap_ban_after"),
        ("ban_for", "trap_ban_for"),
    ],
    example: "\
[filter]
deny = [\"192.0.2.0/24\"]
methods = [\"GET\", \"POST\"]
hidden_files = \"all\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut FilterOptions) {
    if let Some(networks) = section.list("allow") {
        slot.allow = networks;
    }
    if let Some(networks) = section.list("deny") {
        slot.deny = networks;
    }
    if let Some(hosts) = section.list("hosts") {
        slot.hosts = hosts;
    }
    if let Some(item) = section.item("methods") {
        slot.methods = MethodRule::Only(item.elements().iter().filter_map(method).collect());
        if item.elements().is_empty() {
            item.push(Problem::new("`filter.methods` is empty").expected("at least one method"));
        }
    }
    if let Some(hidden) = section.item("hidden_files").and_then(|item| hidden(&item)) {
        slot.hidden = hidden;
    }
    if let Some(paths) = section.list("hidden_except") {
        slot.hidden_except = paths;
    }
    if let Some(traps) = section.item("traps").and_then(|item| traps(&item)) {
        slot.traps = traps;
    }
    trap_ban(&section, slot);
    section.set("dry_run", &mut slot.enforcement);
    section.finish();
}

fn hidden(item: &Item<'_>) -> Option<HiddenFiles> {
    match item.value.get_ref().as_str() {
        None => Some(HiddenFiles::Listed(elements::<NamePattern>(item))),
        Some("none") => Some(HiddenFiles::None),
        Some("secrets") => Some(HiddenFiles::Secrets),
        Some("all") => Some(HiddenFiles::All),
        Some(_) => {
            let expected = "`none`, `secrets`, `all`, or names in a list: `[\".env*\"]`";
            item.reject(BadValue::new("a choice of files", expected));
            None
        }
    }
}

fn traps(item: &Item<'_>) -> Option<Traps> {
    match item.value.get_ref().as_str() {
        None => Some(Traps::Listed(elements::<PathPattern>(item))),
        Some("none") => Some(Traps::None),
        Some("known") => Some(Traps::Known),
        Some(_) => {
            let expected = "`none`, `known`, or paths in a list: `[\"/wp-login.php\"]`";
            item.reject(BadValue::new("a choice of paths", expected));
            None
        }
    }
}

fn trap_ban(section: &Reader<'_>, slot: &mut FilterOptions) {
    let lasts = section.get_within("trap_ban_for", &(Duration::from_secs(1)..=LONGEST_BAN));
    let item = section.item("trap_ban_after");
    if item.as_ref().is_some_and(Item::is_false) {
        slot.trap_ban = None;
        return;
    }
    let after = section.get_within("trap_ban_after", &(1..=RatePolicy::MOST_HITS));
    if let (Some(_), Some(item), Traps::None) = (after, &item, &slot.traps) {
        let nobody = Problem::new(format!("`{}` bans nobody", item.path));
        item.push(nobody.expected("`traps = \"known\"`, or paths of your own, beside it"));
    }
    let before = slot.trap_ban;
    if let Some(after) = after.or(before.map(|ban| ban.after)) {
        let lasts = lasts.or(before.map(|ban| ban.lasts));
        slot.trap_ban = Some(BanOptions {
            after,
            lasts: lasts.unwrap_or(USUAL_BAN),
        });
    } else if let (Some(_), None, Some(alone)) = (lasts, item, section.item("trap_ban_for")) {
        let nobody = Problem::new(format!("`{}` bans nobody", alone.path));
        alone.push(nobody.expected("`trap_ban_after = 3` or the like beside it"));
    }
}

fn elements<T: Value>(item: &Item<'_>) -> Vec<T> {
    item.elements().iter().filter_map(T::read).collect()
}

/// A method is a token (RFC 9110, 9.1), and case counts.
fn method(item: &Item<'_>) -> Option<String> {
    let name = String::read(item)?;
    let complaint = BadValue::new("a method", "a method's name, such as `GET`");
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
    let fault = if name.is_empty() || name.len() > 32 || !name.bytes().all(is_letter) {
        Some(complaint)
    } else if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let upper = name.to_ascii_uppercase();
        Some(complaint.hint(format!("the case counts: write `{upper}`")))
    } else if name == "CONNECT" {
        Some(complaint.hint("leave it out: it asks for a tunnel, which is not offered"))
    } else {
        None
    };
    match fault {
        Some(fault) => {
            item.reject(fault);
            None
        }
        None => Some(name),
    }
}
