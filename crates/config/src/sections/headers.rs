//! `[headers]`: what the file changes in the security headers of every response. What the presets
//! set is in the pipeline's stage, beside the code that sets it.

use mainstay_pipeline::{CspOptions, HeaderMode, HeaderOptions, HeaderPreset, HeaderSetting};
use mainstay_values::{BadValue, Problem};

use super::csp;
use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};
use crate::word::Word;

/// The longest value; with all of them a response head still fits where others read it.
const LONGEST_VALUE: usize = 4_096;

/// More changes than this are a mistake.
const MOST_CHANGES: usize = 64;

/// What a preset says about headers.
pub(crate) fn of(preset: Preset) -> HeaderOptions {
    HeaderOptions {
        preset: match preset {
            Preset::Off => HeaderPreset::Off,
            Preset::Safe => HeaderPreset::Safe,
            Preset::Strict => HeaderPreset::Strict,
        },
        ..HeaderOptions::default()
    }
}

impl Word for HeaderMode {
    const WANTED: &'static str = "a mode";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("set-if-absent", Self::SetIfAbsent),
        ("override", Self::Override),
    ];
}

/// What is done with one header.
#[derive(Clone, Copy, PartialEq)]
enum OneMode {
    /// As for all of them.
    Of(HeaderMode),
    /// The app's is taken out, and none of ours takes its place.
    Remove,
}

impl Word for OneMode {
    const WANTED: &'static str = "a mode";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("set-if-absent", Self::Of(HeaderMode::SetIfAbsent)),
        ("override", Self::Of(HeaderMode::Override)),
        ("remove", Self::Remove),
    ];
}

/// The headers with a key of their own: helmet's thirteen.
pub(crate) const KNOWN: [&str; 13] = [
    "content-security-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-xss-protection",
];

/// Fields that belong to the message's framing or the connection (RFC 9110 7.6.1): setting or
/// removing them would break messages.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind: "text, `false` for none, or `{ value = …, mode = … }`",
        default,
        doc,
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[headers]",
    doc: "Security headers of every response, those of refusals and errors too. Preset `strict` sets \
          helmet's, `safe` those of them that break no correct app, `off` none. `{ value = \"DENY\", mode = \"override\" }` gives \
          one of them a mode of its own, `{ mode = \"remove\" }` takes the app's out.",
    keys: &[
        Key {
            name: "mode",
            kind: "`set-if-absent` or `override`",
            default: "\"set-if-absent\"",
            doc: "What happens when the app sent one of them itself: the app's stays, or ours takes its place.",
        },
        key(
            "content-security-policy",
            "(strict: helmet's)",
            "What a page may load, and from where; `upgrade-insecure-requests` is left out over plain HTTP.",
        ),
        key(
            "cross-origin-embedder-policy",
            "(none)",
            "Whether a page may embed what did not agree to it.",
        ),
        key(
            "cross-origin-opener-policy",
            "(strict: `same-origin`)",
            "Whether a page shares its process with those that opened it.",
        ),
        key(
            "cross-origin-resource-policy",
            "(strict: `same-origin`)",
            "Who may embed this response.",
        ),
        key(
            "origin-agent-cluster",
            "(`?1`)",
            "Asks the browser to keep origins apart.",
        ),
        key(
            "referrer-policy",
            "(`strict-origin-when-cross-origin`; strict: `no-referrer`)",
            "How much of the address other sites are told.",
        ),
        key(
            "strict-transport-security",
            "(strict: `max-age=31536000; includeSubDomains`)",
            "Keeps browsers on HTTPS; only sent over it, and never for `localhost`.",
        ),
        key(
            "x-content-type-options",
            "(`nosniff`)",
            "Forbids guessing the type of a response.",
        ),
        key(
            "x-dns-prefetch-control",
            "(`off`)",
            "Whether names in links are looked up ahead.",
        ),
        key(
            "x-download-options",
            "(`noopen`)",
            "Forbids old browsers to open downloads in the site's context.",
        ),
        key(
            "x-frame-options",
            "(strict: `SAMEORIGIN`)",
            "Who may show the page in a frame, for browsers without `frame-ancestors`.",
        ),
        key(
            "x-permitted-cross-domain-policies",
            "(`none`)",
            "Whether PDF and Flash files may read across domains.",
        ),
        key(
            "x-xss-protection",
            "(`0`)",
            "Switches off a filter of old browsers that did harm.",
        ),
        Key {
            name: "csp",
            kind: "section",
            default: "",
            doc: "The content security policy by directives, in place of `content-security-policy`.",
        },
        Key {
            name: "remove",
            kind: "list of header names",
            default: "(`x-powered-by`; strict: `server` too)",
            doc: "Headers taken out of the app's responses, beside those of the preset.",
        },
        Key {
            name: "add",
            kind: "section",
            default: "",
            doc: "Other headers.",
        },
    ],
    aliases: &[
        ("contentSecurityPolicy", "[headers.csp]"),
        ("hsts", "strict-transport-security"),
        ("frameguard", "x-frame-options"),
        ("no-sniff", "x-content-type-options"),
        ("noSniff", "x-content-type-options"),
        ("hide-powered-by", "remove"),
        ("hidePoweredBy", "remove"),
        ("ieNoOpen", "x-download-options"),
        ("dnsPrefetchControl", "x-dns-prefetch-control"),
        ("xssFilter", "x-xss-protection"),
        (
            "permittedCrossDomainPolicies",
            "x-permitted-cross-domain-policies",
        ),
    ],
    example: "\
[headers]
x-frame-options = { value = \"DENY\", mode = \"override\" }
referrer-policy = false
remove = [\"server\"]
",
};

pub(crate) const ADD: Section = Section {
    heading: "[headers.add]",
    doc: "Other headers, each `name = \"value\"`. They follow `mode`.",
    keys: &[],
    aliases: &[],
    example: "\
[headers.add]
permissions-policy = \"camera=(), microphone=()\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut HeaderOptions) {
    section.set("mode", &mut slot.mode);
    for name in KNOWN {
        let Some(item) = section.item(name) else {
            continue;
        };
        if name == "content-security-policy" {
            slot.csp = None;
        }
        if item.is_false() {
            slot.set.insert(name.to_owned(), HeaderSetting::Off);
        } else {
            read_one(&item, name, slot);
        }
    }
    read_policy(&section, slot);
    if let Some(item) = section.item("remove") {
        slot.remove = item.elements().iter().filter_map(removed).collect();
    }
    if let Some(add) = section.section("add", &ADD) {
        for (name, item) in add.entries() {
            let name = name.get_ref().to_ascii_lowercase();
            if let Err(problem) = added_name(&name, &item.path) {
                item.push(problem);
            } else {
                add.also_called(&item.path, &format!("{}.{name}", add.path()));
                read_one(&item, &name, slot);
            }
        }
    }
    if slot.set.len() + slot.remove.len() > MOST_CHANGES {
        section.reject(
            Problem::new("`headers` changes too many headers")
                .expected(format!("at most {MOST_CHANGES}")),
        );
    }
    section.finish();
}

/// The policy by directives, over what the rest of the file says of it.
fn read_policy(section: &Reader<'_>, slot: &mut HeaderOptions) {
    let Some(policy) = section.section("csp", &csp::SECTION) else {
        return;
    };
    if let Some(item) = section.item("content-security-policy") {
        item.push(
            Problem::new(format!(
                "`{}` and `{}` are two policies",
                item.path,
                policy.path()
            ))
            .expected("one of them"),
        );
    }
    let is_off = policy.get(Key::ENABLED.name) == Some(false);
    let before = slot.csp.clone();
    csp::read(policy, slot.csp.get_or_insert_with(CspOptions::default));
    if is_off {
        slot.csp = before;
    }
}

/// The value of one header, or its value and mode.
fn read_one(item: &Item<'_>, name: &str, slot: &mut HeaderOptions) {
    let Some(table) = item.value.get_ref().as_table() else {
        if let Some(value) = field_value(item) {
            slot.set
                .insert(name.to_owned(), HeaderSetting::Value(value));
        }
        return;
    };
    let (mut value, mut mode) = (None, None);
    for (key, found) in table {
        let item = Item {
            path: format!("{}.{}", item.path, key.get_ref()),
            value: found,
            report: item.report,
        };
        match &**key.get_ref() {
            "value" => value = field_value(&item),
            "mode" => mode = OneMode::read(&item),
            _ => item.push(
                Problem::new(format!("`{}` is not a setting", item.path))
                    .expected("`value` and `mode`"),
            ),
        }
    }
    let name = name.to_owned();
    let has_value = table.get("value").is_some();
    match mode {
        Some(OneMode::Remove) if has_value => item.push(
            Problem::new(format!("`{}` is removed and has a value", item.path))
                .expected("one of them")
                .hint("`mode = \"override\"` puts the value in the place of the app's"),
        ),
        Some(OneMode::Remove) => {
            slot.modes.remove(&name);
            slot.remove.push(name.clone());
            slot.set.insert(name, HeaderSetting::Off);
        }
        Some(OneMode::Of(mode)) => {
            slot.modes.insert(name.clone(), mode);
            if let Some(value) = value {
                slot.set.insert(name, HeaderSetting::Value(value));
            } else if !has_value && !slot.resolved().contains_key(&name) {
                item.push(
                    Problem::new(format!("`{}` has a mode and no value", item.path))
                        .expected("`value`, since the preset has none"),
                );
            }
        }
        None => {
            if let Some(value) = value {
                slot.set.insert(name, HeaderSetting::Value(value));
            }
        }
    }
}

/// A value that can be sent as it is (RFC 9110 5.5), in visible ASCII.
fn field_value(item: &Item<'_>) -> Option<String> {
    let wanted = |expected: &str| BadValue::new("a header's value", expected);
    let Some(value) = item.value.get_ref().as_str() else {
        item.reject(wanted(
            "text in quotes, `{ value = …, mode = … }`, or `false` for no such header",
        ));
        return None;
    };
    let fault = if value.contains(['\r', '\n', '\0']) {
        Some(wanted("one line: a line break would begin another header"))
    } else if value.contains(|c: char| c.is_ascii_control() && c != '\t') {
        Some(wanted("text without control characters"))
    } else if !value.is_ascii() {
        Some(wanted(
            "ASCII: other characters are not read alike everywhere",
        ))
    } else if value.len() > LONGEST_VALUE {
        Some(wanted("at most 4096 bytes"))
    } else if value.trim().is_empty() {
        Some(wanted("a value, or `false` for no such header"))
    } else if value.trim() != value {
        Some(wanted("a value without spaces at its ends"))
    } else {
        None
    };
    match fault {
        Some(fault) => {
            item.reject(fault);
            None
        }
        None => Some(value.to_owned()),
    }
}

fn removed(item: &Item<'_>) -> Option<String> {
    let name = String::read(item)?.to_ascii_lowercase();
    match check_name(&name) {
        Ok(()) => Some(name),
        Err(cause) => {
            item.reject(cause);
            None
        }
    }
}

fn added_name(name: &str, path: &str) -> Result<(), Problem> {
    check_name(name).map_err(|cause| Problem::bad_value(path, cause))?;
    if KNOWN.contains(&name) {
        return Err(Problem::new(format!("`{path}` has a setting of its own"))
            .hint(format!("write `{name} = …` below `[headers]`")));
    }
    Ok(())
}

/// A token (RFC 9110 5.6.2) that does not belong to framing.
pub(super) fn check_name(name: &str) -> Result<(), BadValue> {
    let complaint = BadValue::new(
        "a header's name",
        "letters, digits and `-`, such as `permissions-policy`",
    );
    let is_token = !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !is_token {
        return Err(complaint);
    }
    if FRAMING.contains(&name) {
        return Err(BadValue::new(
            "a header that may be changed",
            "another one: this belongs to the message's framing or the connection",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_a_key_and_every_preset_header_is_known() {
        let keys: Vec<&str> = SECTION.keys.iter().map(|key| key.name).collect();
        assert!(KNOWN.iter().all(|name| keys.contains(name)));
        let strict = of(Preset::Strict).resolved();
        assert!(strict.keys().all(|name| KNOWN.contains(&name.as_str())));
    }
}
