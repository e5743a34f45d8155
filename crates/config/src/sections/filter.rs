//! `[filter]`: whom and what nobody gets to. What is done with it is in the pipeline's stage, the lists too.

use mainstay_pipeline::{FilterOptions, HiddenFiles, MethodRule, Traps};
use mainstay_values::{BadValue, NamePattern, PathPattern, Problem};

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};

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
